"""Attribute classifiers: small networks, trained on real images with recorded truth, that box windows and read faces.

Paper: none. The authors judged by eye (windows before and after, section 6.3.1; glasses, smile and pose, section
6.3.2); here a classifier counts. Its accuracy on real images that it was not trained on stands beside every such
number. Inputs: images (N, H, W, 3) uint8 from a store, and targets from dcgan/internals/ground_truth.py. Outputs:
`WindowClassifier`: probability of a window at each position of a coarse grid, (N, G, G) float32 in [0, 1];
`FaceClassifier`: probabilities of binary attributes and the pose in degrees, one column each. Published number: none.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor, nn

from dcgan.core.files import InputError
from dcgan.core.pixels import Images
from dcgan.core.progress import Progress
from dcgan.core.tensor_files import read_weights, write_weights
from dcgan.core.transfer import to_device
from dcgan.internals.boxes import Box
from dcgan.internals.concepts import THRESHOLD, Floats
from dcgan.models.pixel_range import to_input

PREDICTION_BATCH = 512
STEPS_A_LOOK = 20  # at the loss of training, for which a GPU has to be waited for
TOP_SIDE = 4


class AttributeClassifier(nn.Module, ABC):
    """Strided 3x3 convolutions down to `side` x `side` positions, then a head; small enough for a CPU's seconds."""

    kind: ClassVar[str]

    def __init__(self, image_size: int, width: int, side: int) -> None:
        super().__init__()
        self.image_size, self.width, self.side = image_size, width, side
        self.maps = width
        layers = [convolution(3, width, 2)]
        while image_size // 2 ** len(layers) > side:
            layers.append(convolution(self.maps, 2 * self.maps, 2))
            self.maps *= 2
        self.trunk = nn.Sequential(*layers, convolution(self.maps, self.maps, 1))

    def initialize(self, generator: torch.Generator) -> Self:
        """Draws all weights from the given generator (He's normal), so that a classifier depends on nothing else."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        return self

    def settings(self) -> dict[str, Any]:
        """The arguments that make the same classifier again."""
        return {"image_size": self.image_size, "width": self.width}

    @abstractmethod
    def loss(self, x: Tensor, targets: Tensor) -> Tensor:
        """x: (N, 3, H, W) float32 in [-1, 1] and the classifier's targets -> a scalar to minimize."""

    @torch.no_grad()
    def predict(self, images_uint8: Images) -> Floats:
        """images_uint8: (N, image_size, image_size, 3) -> the classifier's answers, one row per image."""
        self.train(False)
        blocks = [images_uint8[i : i + PREDICTION_BATCH] for i in range(0, len(images_uint8), PREDICTION_BATCH)]
        device = next(self.parameters()).device
        answers = [self.answer(self(to_input(block, "tanh", device))) for block in blocks]
        rows: Floats = torch.cat(answers).cpu().numpy()
        return rows

    def answer(self, outputs: Tensor) -> Tensor:
        """From the head's outputs to probabilities and degrees."""
        return outputs.sigmoid()

    def save(self, path: Path) -> None:
        """Writes weights and settings as safetensors."""
        write_weights(path, self, "classifier", {"kind": self.kind, "settings": self.settings()})

    @classmethod
    def from_file(cls, path: Path, device: torch.device | str = "cpu") -> Self:
        """Opens a classifier's file on a device; raises InputError if it is not one, or is another classifier's."""
        return read_weights(path, "classifier", cls._from_description, device)

    @classmethod
    def _from_description(cls, about: dict[str, Any]) -> Self:
        if about["kind"] != cls.kind:
            raise InputError(f"expected a classifier of {cls.kind}, found {about['kind']}")
        return cls(**about["settings"])


def convolution(maps_in: int, maps_out: int, stride: int) -> nn.Sequential:
    """A 3x3 convolution with batch norm (PyTorch's: a classifier wants running averages) and ReLU."""
    layer = nn.Conv2d(maps_in, maps_out, 3, stride, padding=1, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(maps_out), nn.ReLU())


class WindowClassifier(AttributeClassifier):
    """Whether each of grid x grid positions lies on a window: answers (N, grid, grid) in [0, 1]."""

    kind = "windows"

    def __init__(self, image_size: int, width: int, grid: int) -> None:
        super().__init__(image_size, width, grid)
        self.head = nn.Conv2d(self.maps, 1, 1)

    def settings(self) -> dict[str, Any]:
        """The arguments that make the same classifier again."""
        return super().settings() | {"grid": self.side}

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, 3, H, W) -> logits (N, grid, grid)."""
        logits: Tensor = self.head(self.trunk(x)).squeeze(1)
        return logits

    def loss(self, x: Tensor, targets: Tensor) -> Tensor:
        """targets: (N, grid, grid) float32, 1 on a window."""
        return F.binary_cross_entropy_with_logits(self(x), targets)


class FaceClassifier(AttributeClassifier):
    """Reads a face: answers (N, len(attributes) + 1), probabilities of the attributes, then the pose in degrees."""

    kind = "faces"

    def __init__(self, image_size: int, width: int, attributes: list[str], pose_range: float) -> None:
        super().__init__(image_size, width, TOP_SIDE)
        self.attributes, self.pose_range = list(attributes), pose_range
        self.head = nn.Linear(self.maps * TOP_SIDE * TOP_SIDE, len(attributes) + 1)

    def settings(self) -> dict[str, Any]:
        """The arguments that make the same classifier again."""
        return super().settings() | {"attributes": self.attributes, "pose_range": self.pose_range}

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, 3, H, W) -> (N, attributes + 1): logits, then the pose in units of `pose_range`."""
        outputs: Tensor = self.head(self.trunk(x).flatten(1))
        return outputs

    def loss(self, x: Tensor, targets: Tensor) -> Tensor:
        """targets: (N, len(attributes) + 1) float32, 0 or 1 each, then degrees."""
        outputs = self(x)
        pose_error = F.mse_loss(outputs[:, -1], targets[:, -1] / self.pose_range)
        return F.binary_cross_entropy_with_logits(outputs[:, :-1], targets[:, :-1]) + pose_error

    def answer(self, outputs: Tensor) -> Tensor:
        """Probabilities, then degrees."""
        return torch.cat([outputs[:, :-1].sigmoid(), outputs[:, -1:] * self.pose_range], dim=1)


@dataclass(frozen=True, kw_only=True)
class ClassifierSettings:
    """How a classifier is trained."""

    epochs: int
    batch_size: int
    learning_rate: float  # the highest, from which it falls
    noise: float  # standard deviation, pixels in [-1, 1]


def train_classifier(
    classifier: AttributeClassifier,
    images_uint8: Images,
    targets: Floats,
    settings: ClassifierSettings,
    generator: torch.Generator,
) -> None:
    """Trains by Adam with a falling learning rate; pixel noise keeps a classifier from relying on what samples lack.

    images_uint8: (N, H, W, 3); targets: one row per image. On the classifier's device; order and noise are a CPU's
    everywhere. Raises InputError if they are no batch.
    """
    if len(images_uint8) < settings.batch_size:
        raise InputError(f"batch_size is {settings.batch_size}, and only {len(images_uint8)} images are learned from")
    epochs, batch_size, learning_rate = settings.epochs, settings.batch_size, settings.learning_rate
    x, y = to_input(images_uint8, "tanh"), torch.from_numpy(targets)
    device = next(classifier.parameters()).device
    n_steps = epochs * (len(x) // batch_size)
    optimizer = torch.optim.Adam(classifier.parameters(), learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=n_steps)
    classifier.train(True)
    with Progress(n_steps, "classifier", "steps") as progress:
        for _ in range(epochs):
            order = torch.randperm(len(x), generator=generator)
            for rows in order[: len(x) // batch_size * batch_size].split(batch_size):
                batch = x[rows] + settings.noise * torch.randn(len(rows), *x.shape[1:], generator=generator)
                loss = classifier.loss(to_device(batch, device), to_device(y[rows], device))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                if (progress.count + 1) % STEPS_A_LOOK:
                    progress.update()
                else:
                    progress.update(loss=float(loss.detach()))


def boxes_of(probabilities: Floats, image_size: int) -> list[Box]:
    """A box around each connected group of positions that lie on a window: (N, G, G) -> boxes in pixels."""
    cell = image_size / probabilities.shape[1]
    boxes = []
    for number, on_window in enumerate(probabilities > THRESHOLD):
        groups, _ = ndimage.label(on_window)
        for rows, columns in ndimage.find_objects(groups):
            height, width = (rows.stop - rows.start) * cell, (columns.stop - columns.start) * cell
            boxes.append(Box(number, columns.start * cell, rows.start * cell, width, height))
    return boxes


def windowed(probabilities: Floats) -> npt.NDArray[np.bool_]:
    """Which images have a window at any position: (N, G, G) -> (N,)."""
    return np.asarray((probabilities > THRESHOLD).any(axis=(1, 2)))
