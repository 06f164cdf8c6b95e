"""What is measured of a run that breaks one of section 3's guidelines: its losses, and its samples on the way.

Inputs: a finished `TrainingRun` and the samples that it left, (N, H, W, C) uint8. Outputs: figures by name. Published:
no numbers; section 3 says in words what happened.
"""

import io
import sys
from pathlib import Path

import numpy as np

from dcgan.core.files import InputError, replace_when_done
from dcgan.core.pixels import Images
from dcgan.core.seeding import torch_generator
from dcgan.metrics.sample_quality import PROJECTIONS, sliced_wasserstein
from dcgan.models.pixel_range import to_rows
from dcgan.training.collapse import Watch, not_finite
from dcgan.training.loop import TrainingRun
from dcgan.training.snapshots import Snapshots
from dcgan.training.stability import oscillation, restlessness, second_half

LOSSES = ("d_loss", "g_loss")
# A discriminator that has won, or equal samples, are results of the sweep; only NaN and infinity end a run.
ONLY_FINITE = Watch(action="stop", least_d_loss=0.0, intervals=1, least_spread=0.0)


class SampleArrays(Snapshots):
    """Samples that are measured at the end of a run: stored as arrays, not as pictures."""

    def samples(self, epoch: int, images_uint8: Images) -> None:
        """Writes the samples after an epoch, (N, H, W, C) uint8."""
        content = io.BytesIO()  # numpy's own writing to a file does not say that a disk is full
        np.save(content, images_uint8, allow_pickle=False)
        with replace_when_done(self._path(epoch)) as partial:
            partial.write_bytes(content.getvalue())

    def after(self, epoch: int) -> Images:
        """The samples after an epoch."""
        images: Images = np.load(self._path(epoch), allow_pickle=False)
        return images

    def _path(self, epoch: int) -> Path:
        return self.folder / "samples" / f"epoch-{epoch:04d}.npy"


def measured_epochs(epochs: int) -> list[int]:
    """Epochs after which samples are stored: a quarter of the run, and all of its second half."""
    return sorted({quarter(epochs), *range(epochs // 2, epochs + 1)} - {0})


def quarter(epochs: int) -> int:
    """The epoch at which a quarter of a run is over."""
    return -(-epochs // 4)


def stays_finite(run: TrainingRun, label: str) -> bool:
    """Trains to the end; whether all losses were finite. Losses that are not end a run, but are a result."""
    try:
        run.complete(label)
    except InputError as error:
        if not (run.curves and not_finite(run.curves[-1])):
            raise
        print(f"{label}: {error}", file=sys.stderr)
        return False
    return True


def figures_of_run(run: TrainingRun, samples: SampleArrays, real: Images, seed: int) -> dict[str, float]:
    """Early distance to real images, losses of the second half and their oscillation, and change of samples.

    real: (N, H, W, C) uint8, never trained on.
    """
    epochs = run.plan.epochs
    early = samples.after(quarter(epochs))[: len(real)]
    random = torch_generator(seed, "projections")
    distance = sliced_wasserstein(to_rows(real[: len(early)]), to_rows(early), PROJECTIONS, random)
    figures = {"early_wasserstein": distance}
    for name in LOSSES:
        losses = [row[name] for row in run.curves if name in row]
        figures |= {name: float(second_half(losses).mean()), f"{name}_oscillation": oscillation(losses)}
    later = [samples.after(epoch) for epoch in run.plan.sample_epochs if epoch >= epochs // 2]
    return figures | {"restlessness": restlessness(later)}
