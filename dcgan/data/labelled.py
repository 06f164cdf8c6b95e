"""Labelled image sets in the forms people have them in, read as splits of blocks (sections 4.3, 5 and 8.1).

A set has splits (train, test, and what else it brings). A split hands out blocks of images (n, S, S, C) uint8 with keys
and, where there are any, labels; what cannot be used goes to a `Rejects`. The forms themselves: dcgan/data/cifar10.py,
dcgan/data/svhn_mnist.py (SVHN, MNIST), dcgan/data/image_folders.py (class folders, any folder, aligned CelebA).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from dcgan.data.preprocessing import Rule
from dcgan.data.rejects import Rejects
from dcgan.data.resizing import fit

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int64]
BLOCK_IMAGES = 512


class LabelledBlock(NamedTuple):
    """Some images (n, S, S, C) uint8 with keys and labels."""

    images_uint8: Images
    keys: list[str]
    labels: Labels | None


class Split(Protocol):
    """A part of a labelled set."""

    name: str
    channels: int

    def __len__(self) -> int:
        """How many items there are, usable or not."""
        ...

    def select(self, name: str, chosen: Indices) -> "Split":
        """A split of the items of the given numbers."""
        ...

    def blocks(self, rule: Rule, rejects: Rejects) -> Iterator[LabelledBlock]:
        """All images as the rule makes them."""
        ...


@dataclass
class LabelledSet:
    """Splits, the names of the classes in the order of their labels, and a table of attributes where there is one."""

    splits: list[Split]
    classes: Sequence[str] = ()
    attributes: pd.DataFrame | None = field(default=None)


class ArraySplit:
    """Images that are decoded already: (N, H, W, C) uint8 and labels (N,), read as they are asked for.

    A label outside the classes makes an item unusable.
    """

    def __init__(
        self, name: str, images_uint8: Images, labels: Labels, classes: int, keys: Sequence[str] | None = None
    ) -> None:
        self.name, self.images_uint8, self.labels, self.classes = name, images_uint8, labels, classes
        self.channels = images_uint8.shape[3]
        self.keys = keys if keys is not None else [f"{name}/{number:06d}" for number in range(len(labels))]

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, name: str, chosen: Indices) -> "ArraySplit":
        """A split of the images of the given numbers; they keep their keys."""
        keys = [self.keys[int(number)] for number in chosen]
        return ArraySplit(name, self.images_uint8[chosen], self.labels[chosen], self.classes, keys)

    def blocks(self, rule: Rule, rejects: Rejects) -> Iterator[LabelledBlock]:
        """Blocks of images, resized only where they have another size."""
        for start in range(0, len(self), BLOCK_IMAGES):
            part = slice(start, start + BLOCK_IMAGES)
            labels, keys = self.labels[part], self.keys[part]
            known = (labels >= 0) & (labels < self.classes)
            for number in np.flatnonzero(~known):
                rejects.reject(keys[int(number)], f"label {labels[number]} is none of {self.classes} classes")
            usable = np.flatnonzero(known)
            rejects.accept(len(usable))
            images = self.images_uint8[part][usable]
            if images.shape[1:3] != (rule.size, rule.size):
                images = np.stack([fit(image, rule.size, rule.resampling) for image in images])
            yield LabelledBlock(np.ascontiguousarray(images), [keys[int(number)] for number in usable], labels[usable])
