"""One training run from the first minibatch to the last: curves, samples of fixed z, checkpoints, and safe stops.

Output of a run: the two networks; curves (one row per interval: images seen, losses, D(x), D(G(z)), interval means, and
how much samples differ); grids of samples of the same z, with batch statistics, after chosen epochs (Figures 2 and 3
are those after 1 and 5) and every so many images; weights every so many images, and which of them were the best.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from dcgan.core.checkpoints import Checkpoints
from dcgan.core.files import InputError
from dcgan.core.pixels import Images
from dcgan.core.progress import Progress
from dcgan.core.seeding import torch_generator
from dcgan.core.signals import Stopped
from dcgan.data.minibatches import Batches
from dcgan.models.pixel_range import to_uint8
from dcgan.training.adversarial import FIGURES, AdversarialTraining, Interval
from dcgan.training.collapse import Watch, is_suspicious, spread, trouble
from dcgan.training.snapshots import Snapshots, distance_to_real

SAMPLES = 64
GROUP_CHECK_MINIBATCHES = 8  # processes of a group agree on a stop this often, because asking costs a message
GO_ON, SAVE, STOP = range(3)
Row = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long a run is and what it stores on the way. `curve_interval` counts minibatches."""

    epochs: int
    decay_epochs: int  # the last ones, over which the learning rate falls towards 0
    sample_epochs: Sequence[int]  # besides the last, which is always sampled
    frame_images: int | None  # a frame of the moving picture every so many images
    keep_images: int | None  # weights every so many images
    curve_interval: int
    checkpoint_seconds: float
    watch: Watch

    def learning_rate_share(self, epoch: int) -> float:
        """The share of the learning rate in epoch 0, 1, ...; it falls by equal steps at the end of epochs [code]."""
        return min(1.0, (self.epochs - epoch) / self.decay_epochs) if self.decay_epochs else 1.0


class TrainingRun:
    """Drives `AdversarialTraining` over `Batches` by a `Plan`.

    unseen: real images that are not trained on, (N, H, W, C) uint8, which snapshots of weights are compared with.
    on_row: called with every new row of the curves.
    """

    def __init__(
        self,
        training: AdversarialTraining,
        batches: Batches,
        plan: Plan,
        checkpoints: Checkpoints,
        snapshots: Snapshots,
        unseen: Images,
        stop_requested: Callable[[], bool],
        on_row: Callable[[Row], None],
    ) -> None:
        self.training, self.batches, self.plan, self.group = training, batches, plan, training.group
        self.checkpoints, self.snapshots, self.unseen = checkpoints, snapshots, unseen
        self.stop_requested, self.on_row = stop_requested, on_row
        self.curves: list[Row] = []
        self.scores: list[Row] = []  # of the snapshots of weights
        self.total = plan.epochs * batches.per_epoch
        self._interval = Interval()
        self._rate_share, self._warned = 1.0, False
        self._saved_at = time.monotonic()

    @property
    def images_seen(self) -> int:
        """How many images the minibatches so far had."""
        return self.training.minibatches * self.batches.batch_size

    def complete(self, label: str) -> None:
        """Trains to the end, from a checkpoint if there is one.

        Raises Stopped when asked to stop, and InputError when training has failed and the watch is set to stop then, or
        when the disk is full.
        """
        self._resume()
        with Progress(self.total * self.batches.batch_size, label, "images", self.group.is_first) as progress:
            progress.skip(self.images_seen)
            while self.training.minibatches < self.total:
                before = self.images_seen
                self._train_minibatch()
                progress.update(self.images_seen - before, **self._close_interval_if_due())
                with self._advice_when_disk_is_full():
                    self._write_snapshots()
                    self._pause_if_due()

    def _train_minibatch(self) -> None:
        number = self.training.minibatches
        share = self.plan.learning_rate_share(number // self.batches.per_epoch)
        if share != self._rate_share:
            self.training.scale_learning_rate(share)
            self._rate_share = share
        self._interval.add(self.training.step(*self.batches.batch(number)))

    def _close_interval_if_due(self) -> Row:
        """The figures of the interval that ends here, if one does; it becomes a row of the curves.

        Intervals are counted from the end of the run, so that the last row, which experiments are compared by, is a
        mean over a whole one. The first is longer by what is left over.
        """
        done, left = self.training.minibatches, self.total - self.training.minibatches
        if left % self.plan.curve_interval or (left and done < self.plan.curve_interval):
            return {}
        figures = self._interval.means(self.group)
        self._interval = Interval()
        epoch = self.training.minibatches / self.batches.per_epoch
        row = {"images": self.images_seen, "epoch": epoch, **figures, "spread": self._spread()}
        self.curves.append(row)
        self.on_row(row)
        self._look_for_trouble()
        return figures

    def _spread(self) -> float:
        """How much samples differ; of a conditional network those of one label, or ten equal images pass for a set."""
        return spread(self.draw_samples(), self.training.generator.architecture.classes or 1)

    def _look_for_trouble(self) -> None:
        problem = trouble(self.curves, self.plan.watch)
        if problem is not None and self.plan.watch.action == "stop":
            newest = self.checkpoints.newest_good() or "none was written yet"
            raise InputError(f"after {self.images_seen:,} images {problem}; newest good checkpoint: {newest}")
        if problem is not None and not self._warned and self.group.is_first:
            print(f"warning: after {self.images_seen:,} images {problem}; going on all the same", file=sys.stderr)
        self._warned = problem is not None

    def _write_snapshots(self) -> None:
        """Writes the snapshots that are due at this moment."""
        epoch, rest = divmod(self.training.minibatches, self.batches.per_epoch)
        # All processes draw, because they may share statistics; one of them writes.
        if rest == 0 and (epoch in self.plan.sample_epochs or self.training.minibatches == self.total):
            images = self.draw_samples()
            if self.group.is_first:
                self.snapshots.samples(epoch, images)
        if self._passed(self.plan.frame_images):
            images = self.draw_samples()
            if self.group.is_first:
                self.snapshots.frame(self.images_seen, images)
        if self._passed(self.plan.keep_images):
            self._write_weights()

    def _write_weights(self) -> None:
        distance = distance_to_real(self.training.generator, self.unseen, self.training.settings.seed)
        self.scores.append({"images": self.images_seen, "sliced_wasserstein": distance})
        if self.group.is_first:
            self.snapshots.weights(self.images_seen, self.training.generator, self.training.discriminator)

    def _passed(self, images: int | None) -> bool:
        """Whether the last minibatch went over a multiple of so many images, or was the last of all."""
        if images is None:
            return False
        before = self.images_seen - self.batches.batch_size
        return self.images_seen // images > before // images or self.training.minibatches == self.total

    @torch.no_grad()
    def draw_samples(self) -> Images:
        """The same 64 z at any time of the run (a conditional network: labels 0, 1, ... in turn)."""
        training = self.training
        generator = training.generator
        z = generator.draw_latents(SAMPLES, torch_generator(training.settings.seed, "fixed z")).to(training.device)
        classes = generator.architecture.classes
        labels = torch.arange(SAMPLES, device=training.device) % classes if classes else None
        return to_uint8(generator(z, labels), training.pixel_range)

    def _pause_if_due(self) -> None:
        """Writes a checkpoint when it is time or when asked to stop; raises Stopped then."""
        number = self.training.minibatches
        if number == self.total or (self.group.size > 1 and number % GROUP_CHECK_MINIBATCHES):
            return
        due = time.monotonic() - self._saved_at >= self.plan.checkpoint_seconds
        wish = STOP if self.stop_requested() else SAVE if due else GO_ON
        wish = self.group.largest(wish)
        if wish >= SAVE:
            self._save()
        if wish == STOP:
            self.group.wait()  # torchrun ends the others soon after one has ended, and the first one may still write
            where = "there" if self._is_finite() else "the last checkpoint, as these weights are not finite"
            raise Stopped(f"stopped after {number} minibatches; the next start goes on from {where}")

    def _save(self) -> None:
        """Replaces the checkpoint, unless the weights are not finite: then the one that is there is the better one."""
        self._saved_at = time.monotonic()
        # Each process has the sums of its own part of the batches.
        sums = {f"interval.{name}": self.group.gather(total) for name, total in self._interval.sums.items()}
        if not self.group.is_first or not self._is_finite():
            return
        if self.curves and is_suspicious(self.curves[-1], self.plan.watch):
            self.checkpoints.keep_good()
        else:
            self.checkpoints.drop_good()
        progress = {
            "minibatches": self.training.minibatches,
            "curves": self.curves,
            "scores": self.scores,
            "counts": self._interval.counts,
        }
        self.checkpoints.save(self.training.state() | sums, progress)

    def _is_finite(self) -> bool:
        networks = (self.training.generator, self.training.discriminator)
        tensors = [*(p.detach() for network in networks for p in network.parameters()), *self._interval.sums.values()]
        return bool(torch.stack([tensor.isfinite().all() for tensor in tensors]).all())

    @contextmanager
    def _advice_when_disk_is_full(self) -> Iterator[None]:
        try:
            yield
        except InputError as error:
            raise InputError(
                f"{error}; the last checkpoint is whole, and a new start goes on from it once there is room"
            ) from error

    def _resume(self) -> None:
        """Takes up the checkpoint; the first process looks first, as it is the one that sets bad ones aside."""
        if not self.group.is_first:
            self.group.wait()
        tensors, progress = self.checkpoints.load() or ({}, {"minibatches": 0})
        if self.group.is_first:
            self.group.wait()
        number, device = progress["minibatches"], self.training.device
        if not self.group.largest(number) == number == -self.group.largest(-number):
            raise InputError(
                f"the processes see different checkpoints: {self.checkpoints.folder} has to be a folder that all share"
            )
        if not tensors:
            return
        self.training.load_state(tensors, number)
        self.curves, self.scores = list(progress["curves"]), list(progress["scores"])
        sums = {name: tensors[f"interval.{name}"][self.group.rank].to(device) for name in progress["counts"]}
        self._interval = Interval(sums, dict(progress["counts"]))

    @property
    def best(self) -> Row | None:
        """When the snapshots of weights were nearest to real images by `distance_to_real`; None without snapshots."""
        finite = [score for score in self.scores if np.isfinite(score["sliced_wasserstein"])]
        return min(finite, key=lambda score: score["sliced_wasserstein"], default=None)

    def summary(self) -> dict[str, Any]:
        """Figures of the last interval, None if not finite, and how much was trained: a metrics file."""
        figures = {name: self.curves[-1][name] for name in (*FIGURES, "spread") if name in self.curves[-1]}
        summary: dict[str, Any] = {"images_seen": self.images_seen, "minibatches": self.training.minibatches}
        summary |= {name: value if np.isfinite(value) else None for name, value in figures.items()}
        if self.best is not None:
            summary |= {f"best_{name}": value for name, value in self.best.items()}
        return summary
