"""Snapshots of a training run: grids of samples, weights, and which of the weights were the best.

Files of a run that is not over lie in its state folder, beside its checkpoint: both engines delete a stage's outputs
before they start it again. They are written before the checkpoint that knows of them, so a run that goes on has them.

Criterion of the best weights: the sliced Wasserstein distance of pixels between samples of the same z and real images
that are never trained on; lower is better (Rabin et al., 2011; Karras et al., 2018, use it on patches).
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dcgan.core.files import remove_others, replace_when_done, report_storage_errors
from dcgan.core.pixels import Images, enlarge, tile, write_png
from dcgan.core.seeding import derived_seed, torch_generator
from dcgan.metrics.sample_quality import sliced_wasserstein
from dcgan.models.networks import Discriminator, Generator
from dcgan.models.pixel_range import to_rows

GRID_COLUMNS, GRID_ENLARGEMENT = 8, 2
COMPARED, PROJECTIONS = 512, 256
# The files of each kind.
PATTERNS = {"samples": "epoch-*.png", "frames": "frame-*.png", "kept": "*-*.safetensors"}


class Snapshots:
    """The folders `samples` (epoch-<n>.png), `frames` (frame-<images>.png) and `kept` (weights by images seen)."""

    def __init__(self, folder: Path, metadata: Mapping[str, Any]) -> None:
        self.folder, self.metadata = Path(folder), metadata

    def samples(self, epoch: int, images_uint8: Images) -> None:
        """Writes a grid of samples after an epoch, (N, H, W, C) uint8, eight in a row, enlarged."""
        grid = enlarge(tile(images_uint8, GRID_COLUMNS), GRID_ENLARGEMENT)
        write_png(self.folder / "samples" / f"epoch-{epoch:04d}.png", grid)

    def frame(self, images_seen: int, images_uint8: Images) -> None:
        """Writes a grid of samples after so many images, as they are."""
        write_png(self.folder / "frames" / f"frame-{images_seen:010d}.png", tile(images_uint8, GRID_COLUMNS))

    def weights(self, images_seen: int, generator: Generator, discriminator: Discriminator) -> None:
        """Writes both networks as they are now."""
        for network in (generator, discriminator):
            network.save(self.weights_file(network, images_seen), self.metadata)

    def weights_file(self, network: Generator | Discriminator, images_seen: int) -> Path:
        """Where `weights` writes a network as it was after so many images."""
        return self.folder / "kept" / f"{type(network).__name__.lower()}-{images_seen:010d}.safetensors"

    def deliver(self, kind: str, folder: Path) -> None:
        """Copies the snapshots of a kind (samples, frames, kept) to where the run's outputs belong, in place of others.

        The folder is made even if there are none: an engine takes a missing output for a failed stage.
        """
        with report_storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        sources = sorted((self.folder / kind).glob(PATTERNS[kind]))
        for source in sources:
            with replace_when_done(folder / source.name) as partial:
                shutil.copyfile(source, partial)
        remove_others(folder.glob(PATTERNS[kind]), [folder / source.name for source in sources])


@torch.no_grad()
def distance_to_real(generator: Generator, real_uint8: Images, seed: int) -> float:
    """Sliced Wasserstein distance, pixels in [0, 1], of samples to at most 512 real images, (N, H, W, C) uint8.

    The same z and the same projections every time, so that distances of one run can be compared.
    """
    real = real_uint8[:COMPARED]
    classes = generator.architecture.classes
    device = next(generator.parameters()).device
    labels = torch.arange(len(real), device=device) % classes if classes else None
    samples = generator.sample(len(real), derived_seed(seed, "best"), labels)
    return sliced_wasserstein(to_rows(real), to_rows(samples), PROJECTIONS, torch_generator(seed, "best projections"))
