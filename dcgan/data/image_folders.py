"""Class folders as ImageNet has them, and any folder of images (section 4.3).

Class folders: `[split/]class/anything.jpg`; labels count the classes in the order of their names. Files without class
folders are images without labels. Which folders are splits: dcgan/data/layouts.py.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import numpy as np

from dcgan.core.pixels import Images
from dcgan.data.archives import FolderSource, printable, read_file
from dcgan.data.labelled import BLOCK_IMAGES, Indices, LabelledBlock, LabelledSet, Labels, Split
from dcgan.data.layouts import UnclearLayout, check_classes, find_splits, named_splits, refuse_alike
from dcgan.data.preprocessing import Rule, decoded
from dcgan.data.rejects import Rejects
from dcgan.data.source import Encoded

Entries = list[tuple[str, str]]
ASKED_AT_ONCE, ASKED_IN_A_ROW = 32, 16  # files: at once, and by each thread one after the other


class FolderSplit:
    """Image files: entries are (path below the root, reason against it or ""); labels (N,), -1: outside the classes."""

    channels = 3

    def __init__(self, name: str, root: Path, entries: Entries, labels: Labels | None) -> None:
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


def open_folder(path: Path, named: Mapping[str, str] | None = None) -> LabelledSet:
    """Class folders, with or without splits above them, or a folder of images without labels.

    named: the folder of each split; None to go by the names of the folders. Files beside the splits cannot be used.
    Raises UnclearLayout, an InputError, if the folders can be read in more than one way.
    """
    folders = find_splits(path) if named is None else named_splits(path, named)
    entries = FolderSource(path).entries
    groups = {split: [entry for entry in entries if is_below(entry[0], folder)] for split, folder in folders.items()}
    found = {split: {class_of(name, folders[split]) for name, _ in group} - {""} for split, group in groups.items()}
    below = {tuple(folders_above(name, folders["train"])) for name, _ in groups["train"] if named is None}
    best = path / folders["train"] if len(folders) > 1 else None
    check_classes(path, found, {folder for above in below for folder in above[1:]}, best)
    if len(folders) == 1:
        refuse_alike(path / folders["train"], below)
    groups = files_once(path, groups, best)
    classes = sorted(set[str]().union(*found.values()), key=os.fsencode)
    labels = {split: labels_of(group, classes, folders[split]) for split, group in groups.items()}
    notes = [
        f"{split}: {len(group):,} files in {folders[split] or '.'}/, {len(found[split]) or 'no'} class folders"
        for split, group in groups.items()
    ]
    beside = [name for name, _ in entries if not any(is_below(name, folder) for folder in folders.values())]
    if beside:
        notes.append(f"{len(beside):,} files beside the splits are left out, {printable(beside[0])} first")
    splits: list[Split] = [FolderSplit(split, path, group, labels[split]) for split, group in groups.items()]
    return LabelledSet(splits, [printable(name) for name in classes], notes=notes)


def splits_without_classes(opened: LabelledSet) -> tuple[str, ...]:
    """The splits that are images side by side, while others have class folders."""
    bare = (split.name for split in opened.splits if isinstance(split, FolderSplit) and split.labels is None)
    return tuple(bare) if opened.classes else ()


def files_once(root: Path, groups: Mapping[str, Entries], best: Path | None = None) -> dict[str, Entries]:
    """The files of each split, where one that is there again, by a link or another name, has a reason against it.

    Raises UnclearLayout if two splits have a file in common: what is tested on would be learned from.
    """
    first, once, shared = dict[object, tuple[str, str]](), dict[str, Entries](), list[tuple[str, str, str]]()
    for split, entries in groups.items():
        once[split] = []
        for (name, reason), identity in zip(entries, identities(root, entries), strict=True):
            owner, kept = (split, name) if reason else first.setdefault(identity, (split, name))
            if owner != split:
                shared.append((name, kept, owner))
            once[split].append((name, reason if kept == name else f"the same file as {printable(kept)}"))
    if shared:
        name, kept, owner = shared[0]
        seen = f"{printable(name)} is {printable(kept)} of {owner}, the first"
        raise UnclearLayout(f"{root}: {len(shared):,} files are in two splits; {seen}", best)
    return once


def identities(root: Path, entries: Entries) -> list[object]:
    """What identifies each file. Some are asked for at once, as a disk of a network takes long to answer.

    The listing has numbers, too, but not of what links lead to, and on some of these disks one number for all files.
    """
    places = [os.path.join(root, name) for name, _ in entries]
    parts = [places[start : start + ASKED_IN_A_ROW] for start in range(0, len(places), ASKED_IN_A_ROW)]
    with ThreadPoolExecutor(ASKED_AT_ONCE) as threads:
        return list(chain.from_iterable(threads.map(lambda part: [identity_of(place) for place in part], parts)))


def identity_of(path: str) -> object:
    """What two names of one file have in common, links followed: device and number; of what cannot be read its path."""
    try:
        status = os.stat(path)
    except OSError:
        return path
    return (status.st_dev, status.st_ino) if status.st_ino else path  # some network disks number no files


def is_below(name: str, folder: str) -> bool:
    """Whether a file lies in a folder or deeper; every one does in the folder without a name."""
    return not folder or name.startswith(f"{folder}/")


def class_of(name: str, folder: str) -> str:
    """The class folder of a file below a split's folder, or nothing."""
    return next(iter(folders_above(name, folder)), "")


def folders_above(name: str, folder: str) -> list[str]:
    """The folders in which a file lies below another one, the uppermost first."""
    return name.removeprefix(f"{folder}/" if folder else "").split("/")[:-1]


def labels_of(entries: Entries, classes: Sequence[str], folder: str) -> Labels | None:
    """The number of each file's class, -1 for a file outside or with a reason against it; None without classes."""
    numbers = {name: number for number, name in enumerate(classes)}
    found = (-1 if reason else numbers.get(class_of(name, folder), -1) for name, reason in entries)
    labels = np.fromiter(found, np.int64, len(entries))
    return labels if (labels >= 0).any() else None
