"""The supervised baseline of Table 2: a CNN of the discriminator's architecture, best of a random search.

Section 5.2 of the paper: "a purely supervised CNN with the same architecture on the same data", optimised "via random
search over 64 hyperparameter trials", 28.87 % validation error; the space that was searched is unpublished.
Inputs: labelled images (N, H, W, C) uint8. Outputs, per trial: hyper-parameters, which validation and test images are
right.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dcgan.core.pixels import Images
from dcgan.core.transfer import to_device
from dcgan.data.image_store import Labels
from dcgan.models.architectures import Architecture
from dcgan.models.batch_norm import Statistics, estimate_statistics
from dcgan.models.network import WEIGHT_DEVIATION
from dcgan.models.networks import Discriminator
from dcgan.models.pixel_range import to_input, to_tensor

IMAGES_PER_BATCH = 500
Answers = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One draw of hyper-parameters."""

    learning_rate: float
    beta1: float
    weight_decay: float
    dropout: float
    batch_size: int


@dataclass(frozen=True)
class Outcome:
    """The epoch with the least validation error, and which images the CNN then got right, (N,) each."""

    epoch: int
    validation: Answers
    test: Answers

    @property
    def row(self) -> dict[str, float]:
        """Epoch and errors, which are shares."""
        errors = {"validation_error": float((~self.validation).mean()), "test_error": float((~self.test).mean())}
        return {"epoch": self.epoch, **errors}


@dataclass(frozen=True)
class LabelledImages:
    """images_uint8: (N, H, W, C), labels: (N,) in 0..classes-1."""

    images_uint8: Images
    labels: Labels


@dataclass(frozen=True)
class LabelledSets:
    """What is trained on, what the best epoch and trial are chosen on, and what the error is measured on."""

    train: LabelledImages
    validation: LabelledImages
    test: LabelledImages


def draw_trial(random: np.random.Generator) -> Trial:
    """Hyper-parameters from the space that is searched [ours: unpublished]."""
    return Trial(
        learning_rate=float(10 ** random.uniform(-4, -2)),
        beta1=float(random.choice([0.5, 0.9])),
        weight_decay=float(10 ** random.uniform(-6, -2)),
        dropout=float(random.uniform(0, 0.7)),
        batch_size=int(random.choice([32, 64, 128])),
    )


class SupervisedCnn(nn.Module):
    """The discriminator's convolutions with a softmax layer over the classes on top instead of real or generated."""

    def __init__(self, architecture: Architecture, classes: int, dropout: float, random: torch.Generator) -> None:
        super().__init__()
        self.body = Discriminator(architecture).initialize(random)
        inputs = self.body.dense[0].get_parameter("weight").shape[1]
        self.body.dense = nn.ModuleList()
        self.dropout = dropout
        self.head = nn.Linear(inputs, classes)
        with torch.no_grad():
            self.head.weight.normal_(0, WEIGHT_DEVIATION, generator=random)
            self.head.bias.zero_()

    def forward(self, x: Tensor, statistics: Statistics = "batch", random: torch.Generator | None = None) -> Tensor:
        """x: (N, C, H, W) -> scores (N, classes); dropout only if a generator for it is given."""
        x = self.body.top(self.body.activations(x, statistics)[-1])
        if random is not None and self.dropout > 0:
            kept = torch.rand(x.shape, generator=random) >= self.dropout
            x = x * to_device(kept, x.device).to(x.dtype) / (1 - self.dropout)
        return self.head(x)  # type: ignore[no-any-return]


def run_trial(
    architecture: Architecture,
    trial: Trial,
    sets: LabelledSets,
    epochs: int,
    random: torch.Generator,
    device: torch.device,
) -> Outcome:
    """Trains for `epochs`; the epoch that validates best is evaluated on the test images."""
    cnn = SupervisedCnn(architecture, int(sets.train.labels.max()) + 1, trial.dropout, random).to(device)
    optimizer = torch.optim.Adam(
        cnn.parameters(), trial.learning_rate, (trial.beta1, 0.999), weight_decay=trial.weight_decay
    )
    best = Outcome(0, np.zeros(len(sets.validation.labels), bool), np.zeros(len(sets.test.labels), bool))
    for epoch in range(1, epochs + 1):
        train_epoch(cnn, optimizer, sets.train, trial.batch_size, random)
        _estimate(cnn, sets.train)
        right = right_answers(cnn, sets.validation)
        if right.sum() > best.validation.sum():
            best = Outcome(epoch, right, right_answers(cnn, sets.test))
    return best


def train_epoch(
    cnn: SupervisedCnn,
    optimizer: torch.optim.Optimizer,
    train: LabelledImages,
    batch_size: int,
    random: torch.Generator,
) -> None:
    """One pass over the labelled images in random order; a last batch that is not full is left out."""
    order = torch.randperm(len(train.labels), generator=random).numpy()
    batch_size = min(batch_size, len(order))
    for start in range(0, len(order) - batch_size + 1, batch_size):
        rows = order[start : start + batch_size]
        scores = cnn(_input(cnn, train.images_uint8[rows]), "batch", random)
        loss = F.cross_entropy(scores, to_device(torch.from_numpy(train.labels[rows]), scores.device))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()


@torch.no_grad()
def right_answers(cnn: SupervisedCnn, images: LabelledImages) -> Answers:
    """Which images the CNN gets right, with estimated batch-norm statistics: (N,)."""
    right = np.zeros(len(images.labels), bool)
    for start in range(0, len(right), IMAGES_PER_BATCH):
        rows = slice(start, start + IMAGES_PER_BATCH)
        answers = cnn(_input(cnn, images.images_uint8[rows]), "estimated").argmax(1).cpu().numpy()
        right[rows] = answers == images.labels[rows]
    return right


def _estimate(cnn: SupervisedCnn, train: LabelledImages) -> None:
    """Batch-norm statistics over the labelled training images, as features have them, in batches of 128."""
    size = min(128, len(train.labels))
    starts = range(0, len(train.labels) - size + 1, size)
    estimate_statistics(cnn, (_input(cnn, train.images_uint8[start : start + size]) for start in starts))


def _input(cnn: SupervisedCnn, images_uint8: Images) -> Tensor:
    return to_input(to_device(to_tensor(images_uint8), cnn.head.weight.device), cnn.body.architecture.pixel_range)
