"""Notices when adversarial training has failed: losses that are not finite, a discriminator that has won for good, or
samples that are all alike.

Paper: section 4 and the guidelines of section 3 are about avoiding just this; it names no thresholds. Users of other
implementations report it as "D loss 0" and as grids of one image over and over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dcgan.core.pixels import Images


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What counts as failed training, and what happens then."""

    action: Literal["stop", "continue"]
    least_d_loss: float  # a mean of an interval below it ...
    intervals: int  # ... in so many intervals one after the other means that the discriminator has won
    least_spread: float  # grey levels; below it samples count as equal


def spread(images_uint8: Images, classes: int = 1) -> float:
    """How much samples differ: the standard deviation of a pixel over the samples, RMS over pixels, 0 to 127.5.

    images_uint8: (N, H, W, C), of several classes in turn. 0 if all of a class are equal; real photographs have
    some 60.
    """
    kinds = [images_uint8[label::classes].astype(np.float64) for label in range(classes)]
    return float(np.sqrt(np.mean([images.var(axis=0).mean() for images in kinds])))


def is_suspicious(row: Mapping[str, float], watch: Watch) -> bool:
    """Whether the interval of this row may be part of a collapse: its state is not the one to go back to."""
    return not_finite(row) or row.get("d_loss", np.inf) < watch.least_d_loss or row["spread"] < watch.least_spread


def not_finite(row: Mapping[str, float]) -> bool:
    """Whether a figure of the row is NaN or infinite."""
    return not np.isfinite(list(row.values())).all()


def trouble(curves: Sequence[Mapping[str, float]], watch: Watch) -> str | None:
    """What is wrong with a run whose rows so far are `curves`, in words; None if nothing is."""
    last = curves[-1]
    if not_finite(last):
        wrong = ", ".join(f"{name} {value}" for name, value in last.items() if not np.isfinite(value))
        return f"training diverged: {wrong}; lower the learning rate"
    if last["spread"] < watch.least_spread:
        return f"the generator collapsed: its samples differ by {last['spread']:.2f} grey levels, so they are all equal"
    # An interval of one minibatch, which updates one of the networks, has one of the losses.
    losses = [row["d_loss"] for row in curves if "d_loss" in row][-watch.intervals :]
    if len(losses) == watch.intervals and max(losses) < watch.least_d_loss:
        return (
            f"the discriminator has won: its loss was below {watch.least_d_loss:g} in {watch.intervals} intervals one "
            "after the other, so the generator learns no more"
        )
    return None
