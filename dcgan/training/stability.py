"""How steadily a pair of networks trains: do the losses swing, and do the samples?

Section 3 of the paper speaks of "sample oscillation and model instability" (batch norm at every layer) and of
"training oscillation and instability" (beta1 0.9, learning rate 0.001) and shows neither; these are the measures here.
Inputs: the curve of a loss (interval means); samples of the same z after successive epochs, (N, H, W, C) uint8.
Outputs: nats of a loss; grey levels of pixels, 0 to 255. Published number: none.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dcgan.core.pixels import Images

LINE = 2  # numbers that a straight line takes up


def oscillation(losses: Sequence[float]) -> float:
    """Standard deviation of a loss's interval means about the straight line that fits them best, in nats.

    Over the second half of the run, so that its beginning, when every run settles, does not count; about a
    line, so that a loss that only grows does not count either. Raises ValueError for a half of less than 3 intervals.
    """
    half = second_half(losses)
    if len(half) <= LINE:
        raise ValueError(f"{len(losses)} intervals are too few; at least {2 * LINE + 1} are needed")
    places = np.arange(len(half))
    rest = half - np.polyval(np.polyfit(places, half, 1), places)
    return float(np.sqrt((rest**2).sum() / (len(half) - LINE)))


def second_half(losses: Sequence[float]) -> npt.NDArray[np.float64]:
    """The later half of a curve, with the middle of an odd number."""
    return np.asarray(losses, np.float64)[len(losses) // 2 :]


def restlessness(samples: Sequence[Images]) -> float:
    """Root mean square change of a sample's pixels from one epoch to the next, 0 to 255, mean over z and epochs.

    samples: of the same z, (N, H, W, C) uint8 each, in the order of the epochs. Raises ValueError for fewer than two.
    """
    if len(samples) < 2:
        raise ValueError("change needs samples after at least two epochs")
    grids = np.stack(samples).astype(np.float64)
    changes = np.sqrt((np.diff(grids, axis=0) ** 2).mean(axis=(2, 3, 4)))
    return float(changes.mean())
