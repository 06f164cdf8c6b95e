"""Labelled image sets as splits that yield blocks of images (sections 4.3, 5 and 8.1).

A set has the splits train and test, and perhaps others. A split yields blocks of images (n, S, S, C) uint8 with keys
and labels, if any; items that cannot be used go to a `Rejects`. The forms of sets: dcgan/data/cifar10.py,
dcgan/data/svhn_mnist.py (SVHN, MNIST), dcgan/data/image_folders.py (class folders, any folder),
dcgan/data/celeba.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from dcgan.core.pixels import Images
from dcgan.data.preprocessing import Rule
from dcgan.data.rejects import Rejects
from dcgan.data.resizing import fit

Labels = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int64]
BLOCK_IMAGES = 512


class LabelledBlock(NamedTuple):
    """Images (n, S, S, C) uint8 with n keys and, if the set is labelled, labels (n,) int64."""

    images_uint8: Images
    keys: list[str]
    labels: Labels | None


class Split(Protocol):
    """A part of a labelled set."""

    name: str
    channels: int

    def __len__(self) -> int:
        """The number of items, usable or not."""
        ...

    def select(self, name: str, chosen: Indices) -> "Split":
        """A split of the given name with the items of the given numbers."""
        ...

    def blocks(self, rule: Rule, rejects: Rejects) -> Iterator[LabelledBlock]:
        """All usable images, brought to one size by the rule; the others go to `rejects`."""
        ...


@dataclass
class LabelledSet:
    """Splits, the classes' names in the order of their labels, and a table of attributes by `key`, if any.

    notes: what was found where, for the log.
    """

    splits: list[Split]
    classes: Sequence[str] = ()
    attributes: pd.DataFrame | None = None
    notes: Sequence[str] = ()


class ArraySplit:
    """Decoded images, (N, H, W, C) uint8, with labels (N,) int64 in 0..classes-1.

    An item with any other label cannot be used.
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
        """Blocks of images, resized only if they have another size."""
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


def rarest_class(labels: npt.NDArray[np.integer] | None, classes: Sequence[str]) -> tuple[str, int] | None:
    """The class with the fewest labels, and how many; None without labels or classes. Labels of no class count not."""
    if labels is None or not len(labels) or not classes:
        return None
    known = labels[(labels >= 0) & (labels < len(classes))]
    counts = np.bincount(known, minlength=len(classes))
    rarest = int(counts.argmin())
    return classes[rarest], int(counts[rarest])
