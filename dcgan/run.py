"""One training run from the first minibatch to the last: curves, samples of fixed z, checkpoints, and safe stops.

Output of a run: the two networks; curves (one row an interval: images seen, losses, D(x), D(G(z)), interval means);
grids of samples of the same z after chosen epochs, with batch statistics (Figures 2 and 3 are those after 1 and 5).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dcgan.checkpoints import Checkpoints
from dcgan.files import InputError
from dcgan.pixels import Images, to_uint8
from dcgan.progress import Progress
from dcgan.random import torch_generator
from dcgan.stopping import Stopped
from dcgan.training import FIGURES, AdversarialTraining, Batches

SAMPLES = 64


@dataclass(frozen=True)
class Plan:
    """How long a run is and what it keeps. `curve_interval` counts minibatches."""

    epochs: int
    sample_epochs: Sequence[int]
    curve_interval: int
    checkpoint_seconds: float


class TrainingRun:
    """Drives `AdversarialTraining` over `Batches` by a `Plan`."""

    def __init__(
        self,
        training: AdversarialTraining,
        batches: Batches,
        plan: Plan,
        checkpoints: Checkpoints,
        stop_requested: Callable[[], bool],
    ) -> None:
        self.training, self.batches, self.plan = training, batches, plan
        self.checkpoints, self.stop_requested = checkpoints, stop_requested
        self.curves: list[dict[str, float]] = []
        self.samples: dict[int, Images] = {}
        self._saved_at = time.monotonic()

    def complete(self, label: str) -> None:
        """Trains to the end, from a checkpoint where there is one.

        Raises Stopped when asked to stop, and InputError when a loss is no longer finite.
        """
        self._resume()
        total = self.plan.epochs * self.batches.per_epoch
        with Progress(total * self.batches.batch_size, label, "images") as progress:
            progress.skip(self.training.minibatches * self.batches.batch_size)
            while self.training.minibatches < total:
                done = min(self.plan.curve_interval, total - self.training.minibatches)
                row = self._train_interval(done)
                self.curves.append(row)
                progress.update(done * self.batches.batch_size, **{name: row[name] for name in FIGURES if name in row})
                self._checkpoint_if_due(last=self.training.minibatches == total)

    def _train_interval(self, minibatches: int) -> dict[str, float]:
        """Trains on some minibatches; returns their mean figures. The device is waited for once, at the end."""
        sums: dict[str, Tensor] = {}
        counts: dict[str, int] = {}
        for _ in range(minibatches):
            images_uint8, labels = self.batches.batch(self.training.minibatches)
            for name, value in self.training.step(images_uint8, labels).items():
                sums[name] = sums[name] + value if name in sums else value
                counts[name] = counts.get(name, 0) + 1
            if self.training.minibatches % self.batches.per_epoch == 0:
                self._keep_samples(self.training.minibatches // self.batches.per_epoch)
        means = {name: float(sums[name]) / counts[name] for name in FIGURES if name in sums}
        if not np.isfinite(list(means.values())).all():
            raise InputError(
                f"training diverged: {means} after {self.training.minibatches} minibatches; lower the learning rate"
            )
        images = self.training.minibatches * self.batches.batch_size
        return {"images": images, "epoch": self.training.minibatches / self.batches.per_epoch, **means}

    def _keep_samples(self, epoch: int) -> None:
        if epoch in self.plan.sample_epochs:
            self.samples[epoch] = self.draw_samples()

    @torch.no_grad()
    def draw_samples(self) -> Images:
        """The same 64 z at any time of the run (a conditional network: labels 0, 1, ... in turn)."""
        training = self.training
        generator = training.generator
        z = generator.draw_latents(SAMPLES, torch_generator(training.settings.seed, "fixed z")).to(training.device)
        classes = generator.architecture.classes
        labels = torch.arange(SAMPLES, device=training.device) % classes if classes else None
        return to_uint8(generator(z, labels), training.pixel_range)

    def _checkpoint_if_due(self, last: bool) -> None:
        stop = self.stop_requested() and not last
        if stop or time.monotonic() - self._saved_at >= self.plan.checkpoint_seconds:
            self._save()
        if stop:
            raise Stopped(f"stopped after {self.training.minibatches} minibatches; the next start goes on from there")

    def _save(self) -> None:
        samples = {f"samples.{epoch}": torch.from_numpy(images) for epoch, images in self.samples.items()}
        progress = {"minibatches": self.training.minibatches, "curves": self.curves}
        self.checkpoints.save(self.training.state() | samples, progress)
        self._saved_at = time.monotonic()

    def _resume(self) -> None:
        loaded = self.checkpoints.load()
        if loaded is None:
            return
        tensors, progress = loaded
        self.training.load_state(tensors, progress["minibatches"])
        self.curves = list(progress["curves"])
        self.samples = {
            int(name.removeprefix("samples.")): tensor.numpy()
            for name, tensor in tensors.items()
            if name.startswith("samples.")
        }

    def summary(self) -> dict[str, Any]:
        """Figures of the last interval and how much was trained, for a metrics file."""
        last = self.curves[-1]
        return {
            "images_seen": self.training.minibatches * self.batches.batch_size,
            "minibatches": self.training.minibatches,
            **{name: last[name] for name in FIGURES if name in last},
        }
