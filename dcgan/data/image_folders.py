"""Class folders as ImageNet has them, and any folder of images (section 4.3).

Class folders: `[split/]class/anything.jpg`; labels count the classes in the order of their names. Files without class
folders are images without labels. Folders named as in SPLIT_NAMES at the top are splits; without them all is train.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from dcgan.core.pixels import Images
from dcgan.data.archives import FolderSource, printable, read_file
from dcgan.data.labelled import BLOCK_IMAGES, Indices, LabelledBlock, LabelledSet, Labels, Split
from dcgan.data.preprocessing import Rule, decoded
from dcgan.data.rejects import Rejects
from dcgan.data.source import Encoded

SPLIT_NAMES = {"train": "train", "test": "test", "val": "validation", "validation": "validation"}


class FolderSplit:
    """Image files: entries are (path below the root, reason against it or ""); labels (N,), -1: outside the classes."""

    channels = 3

    def __init__(self, name: str, root: Path, entries: list[tuple[str, str]], labels: Labels | None) -> None:
        self.name, self.root, self.entries, self.labels = name, root, entries, labels

    def __len__(self) -> int:
        return len(self.entries)

    def select(self, name: str, chosen: Indices) -> "FolderSplit":
        """A split of the files of the given numbers."""
        labels = None if self.labels is None else self.labels[chosen]
        return FolderSplit(name, self.root, [self.entries[number] for number in chosen], labels)

    def blocks(self, rule: Rule, rejects: Rejects) -> Iterator[LabelledBlock]:
        """Decodes the files in their order, into blocks of at most 512 images."""
        images, keys, labels = [], [], []
        for number, (name, reason) in enumerate(self.entries):
            label = 0 if self.labels is None else int(self.labels[number])
            image = self.load(name, reason, label, rule, rejects)
            if image is not None:
                images.append(image)
                keys.append(printable(name))
                labels.append(label)
            if images and (len(images) == BLOCK_IMAGES or number == len(self) - 1):
                yield LabelledBlock(np.stack(images), keys, None if self.labels is None else np.array(labels, np.int64))
                images, keys, labels = [], [], []

    def load(self, name: str, reason: str, label: int, rule: Rule, rejects: Rejects) -> Images | None:
        """One image, or None if it was rejected."""
        key = printable(name)
        reason = reason or ("" if label >= 0 else "outside of the class folders")
        item = Encoded(key, None, reason) if reason else read_file(self.root / name, key)
        return decoded(item, rule, rejects)


def open_folder(path: Path) -> LabelledSet:
    """Class folders, with or without splits above them, or a folder of images without labels."""
    entries = FolderSource(path).entries
    tops = {first_part(name) for name, _ in entries if "/" in name}
    if tops and tops <= set(SPLIT_NAMES):
        groups = {SPLIT_NAMES[top]: [entry for entry in entries if first_part(entry[0]) == top] for top in sorted(tops)}
        depth = 1
    else:
        groups, depth = {"train": entries}, 0
    classes = sorted({class_of(name, depth) for name, _ in entries} - {""}, key=str.encode)
    splits: list[Split] = [
        FolderSplit(name, path, group, labels_of(group, classes, depth)) for name, group in groups.items()
    ]
    return LabelledSet(splits, [printable(name) for name in classes])


def first_part(name: str) -> str:
    """The folder at the top of a path."""
    return PurePosixPath(name).parts[0]


def class_of(name: str, depth: int) -> str:
    """The class folder of a path below `depth` folders, or nothing."""
    parts = PurePosixPath(name).parts
    return parts[depth] if len(parts) > depth + 1 else ""


def labels_of(entries: list[tuple[str, str]], classes: list[str], depth: int) -> Labels | None:
    """The number of each file's class, -1 for a file outside; None if no file lies in a class folder."""
    numbers = {name: number for number, name in enumerate(classes)}
    labels = np.array([numbers.get(class_of(name, depth), -1) for name, _ in entries], np.int64)
    return labels if (labels >= 0).any() else None
