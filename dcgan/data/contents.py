"""What a raw source holds, from names, headers, labels and CelebA's lists alone: a few seconds, however large it is.

Numbers of items are upper bounds of the images in the stores: some items may turn out to be unusable. A folder or tar
with more than COUNTED names is not counted.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dcgan.core.files import InputError
from dcgan.data import celeba, cifar10, image_folders, svhn_mnist
from dcgan.data.archives import is_lmdb, printable, read_index, walk
from dcgan.data.decoding import LONGEST_START, STARTS
from dcgan.data.formats import Kind
from dcgan.data.labelled import rarest_class
from dcgan.data.layouts import named_splits, split_folders

LOOKED_AT = 2000  # files whose first bytes are read: a second or two on a disk of a network
COUNTED = 250_000  # names that are listed within seconds on a disk; CelebA has 202,599


class Others(NamedTuple):
    """Files that do not even begin like an image: how many of those that were looked at, of all; the first one."""

    unreadable: int
    looked_at: int
    files: int
    first: str


class Contents(NamedTuple):
    """form: what the source is, in words. splits: items in each; {} if they are too many to be counted."""

    form: str
    splits: Mapping[str, int]
    classes: int = 0  # of train; 0: no labels, or nobody knows
    labels: tuple[int, ...] = ()  # of the items of train, -1 for none; empty: nobody knows
    names: Sequence[str] = ()  # of the classes, in the order of the labels
    bare: tuple[str, ...] = ()  # splits without class folders beside one with
    others: Others | None = None  # None: all begin like images, or nobody knows
    shape: tuple[int, ...] = ()  # height, width and channels of the images in a store

    @property
    def rarest(self) -> tuple[str, int] | None:
        """The class of train with the fewest items, and how many; None: nobody knows."""
        return rarest_class(np.array(self.labels, np.int64), self.names)

    def __str__(self) -> str:
        """One line for a person."""
        counts = ", ".join(f"{split} {count:,}" if split else f"{count:,}" for split, count in self.splits.items())
        counts = counts or f"more than {COUNTED:,}"
        return f"{self.form}: {counts}" + (f"; {self.classes} classes" if self.classes else "")


def contents_of(path: Path, kind: Kind, named: Mapping[str, str] | None = None) -> Contents:
    """Counts what a source of a kind holds; the only split of one without splits is ``.

    Raises InputError for what a look at names and headers shows to be wrong. The source is one that
    `dcgan.data.formats.inspect_source` lets pass.
    """
    if kind in ("lsun", "photos"):
        return contents_of_images(path)
    if kind == "svhn":
        files = svhn_mnist.find_svhn(path)
        counts = {split: svhn_mnist.inspect_mat(file) for split, file in files.items()}
        digits = svhn_mnist.read_svhn_labels(files["train"])
        return Contents("SVHN", counts, 10, tuple(digits.tolist()), svhn_mnist.DIGITS)
    if kind == "mnist":
        counts = svhn_mnist.inspect_mnist(path)
        _, labels = svhn_mnist.find_mnist(path)["train"]
        return Contents("MNIST", counts, 10, tuple(svhn_mnist.read_idx(labels, 1).tolist()), svhn_mnist.DIGITS)
    if kind == "celeba":
        return contents_of_celeba(path)
    if kind == "cifar10" and (batches := cifar10.find_batches(path)) is not None:
        return Contents("batches of CIFAR-10", cifar10.count_batches(batches), 10)
    return contents_of_folders(path, named)


def contents_of_images(path: Path) -> Contents:
    """Of an LMDB, a folder or a tar; folders that look like splits are told, because all of them are read."""
    if path.is_dir() and not (path / "data.mdb").exists():
        splits = split_folders(path)
        within = f" (images of all of {', '.join(splits)})" if splits else ""
        names = walk_names(path)
        return Contents(f"folder{within}", counted(names), others=others_among(path, names))
    if path.is_file() and not is_lmdb(path):
        members = list(islice(read_index(path), COUNTED + 1))
        return Contents("tar", counted([member.name for member in members]))
    from dcgan.data.lsun import LsunSource  # lmdb is needed here only

    return Contents("LMDB", {"": LsunSource(path).count})


def contents_of_celeba(path: Path) -> Contents:
    """Its splits, with its lists read as a run reads them."""
    opened = celeba.open_celeba(path)
    found = "no attributes" if opened.attributes is None else f"{len(opened.attributes.columns) - 1} attributes"
    return Contents(f"CelebA, {found}", {split.name: len(split) for split in opened.splits})


def contents_of_folders(path: Path, named: Mapping[str, str] | None) -> Contents:
    """Of class folders; as they are opened to be packed, unless they are too many."""
    names = walk_names(path)
    if len(names) > COUNTED:
        return Contents("folders", {})
    opened = image_folders.open_folder(path, named)
    splits = {split.name: len(split) for split in opened.splits}
    empty = next((name for name, count in splits.items() if not count), None)
    if empty is not None:
        folder = named_splits(path, named)[empty] if named else empty
        raise InputError(f"{path / folder}: the {empty} split holds no files")
    form = "class folders" if opened.classes else "images without classes"
    found = [one for one in opened.splits if isinstance(one, image_folders.FolderSplit)]
    train = next((one for one in found if one.name == "train"), None)
    labels = () if train is None or train.labels is None else tuple(train.labels.tolist())
    bare = image_folders.splits_without_classes(opened)
    used = [name for one in found for name, _ in one.entries]  # what lies beside the splits is left out
    return Contents(form, splits, len(opened.classes), labels, opened.classes, bare, others_among(path, used))


def walk_names(path: Path) -> list[str]:
    """The files below a folder, at most one more than are counted."""
    return [name for name, _ in islice(walk(path), COUNTED + 1)]


def others_among(path: Path, names: Sequence[str]) -> Others | None:
    """The files in other formats, among at most LOOKED_AT that lie evenly in the order of their names."""
    looked_at = sorted(names)[:: -(-len(names) // LOOKED_AT) or 1]
    others = [name for name in looked_at if not begins_like_image(path / name)]
    return Others(len(others), len(looked_at), len(names), printable(others[0])) if others else None


def begins_like_image(path: Path) -> bool:
    """Whether a file has the first bytes of a format that can be decoded."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(LONGEST_START).startswith(STARTS)
    except OSError:
        return False


def counted(names: list[str]) -> dict[str, int]:
    """Their number, as that of the only split; nothing if they are too many."""
    return {"": len(names)} if len(names) <= COUNTED else {}
