"""What a raw source holds, from names, headers, labels and CelebA's lists alone: a few seconds, however large it is.

Numbers of items are upper bounds of the images in the stores: some items may turn out to be unusable. A folder or tar
with more than COUNTED names is not counted.
"""

import io
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image

from dcgan.core.files import InputError
from dcgan.data import celeba, cifar10, image_folders, svhn_mnist
from dcgan.data.archives import Member, first_name, is_lmdb, printable, read_index, read_member, walk
from dcgan.data.decoding import LONGEST_START, PILLOW_FORMATS, STARTS
from dcgan.data.formats import Kind
from dcgan.data.labelled import rarest_class
from dcgan.data.layouts import listed, named_splits
from dcgan.data.whole_sources import folders_of_folder, folders_of_keys, split_folders, top_folders

T = TypeVar("T")
START_BYTES = 1 << 14  # in which the header is; only what a camera writes before it is longer, and no small image
NO_IMAGE = 0
LOOKED_AT = 2000  # items whose first bytes are read: a second or two on a disk of a network
PARTS = 20  # of the keys of an LMDB that has more, from each of which the first are looked at
COUNTED = 250_000  # names that are listed within seconds on a disk; CelebA has 202,599


class Looked(NamedTuple):
    """What the first bytes of some items of a source tell, of how many that were looked at, of all.

    unreadable: those that do not even begin like an image, and `first` of them; sides: item -> shorter side of an image
    in pixels, where its header tells it.
    """

    looked_at: int
    items: int
    unreadable: int
    first: str
    sides: Mapping[str, int]


class Contents(NamedTuple):
    """form: what the source is, in words. splits: items in each; {} if they are too many to be counted."""

    form: str
    splits: Mapping[str, int]
    classes: int = 0  # of train; 0: no labels, or nobody knows
    labels: tuple[int, ...] = ()  # of the items of train, -1 for none; empty: nobody knows
    names: Sequence[str] = ()  # of the classes, in the order of the labels
    bare: tuple[str, ...] = ()  # splits without class folders beside one with
    looked: Looked | None = None  # None: no source of files, or too many
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
        names = walk_names(path)
        form = f"folder{all_of(folders_of_folder(path))}"
        return Contents(form, counted(names), looked=look_at_files(path, names))
    if path.is_file() and not is_lmdb(path):
        members = list(islice(read_index(path), COUNTED + 1))
        ordered = sorted(members, key=lambda member: os.fsencode(member.name))
        form = f"tar{all_of(folders_of_keys(partial(first_name, ordered)))}"
        return Contents(form, counted(members), looked=look_at_members(path, members))
    from dcgan.data.lsun import LsunSource  # lmdb is needed here only

    source = LsunSource(path)
    parts = 1 if source.count <= LOOKED_AT else PARTS
    first = chain.from_iterable(islice(source.items(part, parts), LOOKED_AT // parts) for part in range(parts))
    starts = ((item.key, (item.content or b"")[:START_BYTES]) for item in first)
    form = f"LMDB{all_of(top_folders(source))}"
    return Contents(form, {"": source.count}, looked=look_at(starts, source.count))


def all_of(folders: Sequence[str]) -> str:
    """Of the folders in a source that is read whole, those that look like splits, in words; nothing if none do."""
    splits = split_folders(folders)
    return f" (images of all of {listed(splits)})" if splits else ""


def contents_of_celeba(path: Path) -> Contents:
    """Its splits, with its lists read as a run reads them."""
    opened = celeba.open_celeba(path)
    found = "no attributes" if opened.attributes is None else f"{len(opened.attributes.columns) - 1} attributes"
    pictures = [one for one in opened.splits if isinstance(one, image_folders.FolderSplit)]
    looked = look_at_files(pictures[0].root, [name for one in pictures for name, _ in one.entries])
    return Contents(f"CelebA, {found}", {split.name: len(split) for split in opened.splits}, looked=looked)


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
    return Contents(form, splits, len(opened.classes), labels, opened.classes, bare, look_at_files(path, used))


def walk_names(path: Path) -> list[str]:
    """The files below a folder, at most one more than are counted."""
    return [name for name, _ in islice(walk(path), COUNTED + 1)]


def sample(items: Sequence[T]) -> Sequence[T]:
    """At most LOOKED_AT of some items, evenly in their order."""
    return items[:: -(-len(items) // LOOKED_AT) or 1]


def look_at_files(path: Path, names: Sequence[str]) -> Looked:
    """Looks at some of the files below a folder."""
    return look_at(((name, start_of(path / name)) for name in sample(sorted(names))), len(names))


def look_at_members(path: Path, members: Sequence[Member]) -> Looked:
    """Looks at some of the members of a tar."""
    starts = (one._replace(size=min(one.size, START_BYTES)) for one in sample(members))
    with path.open("rb") as file:
        return look_at(((one.name, read_member(file, one).content or b"") for one in starts), len(members))


def start_of(path: Path) -> bytes:
    """The first bytes of a file, fewer if it is no image; nothing of what cannot be read."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            start = file.read(LONGEST_START)
            return start + file.read(START_BYTES) if start.startswith(STARTS) else start
    except OSError:
        return b""


def look_at(starts: Iterable[tuple[str, bytes]], items: int) -> Looked:
    """Looks at the first bytes of some of so many items."""
    sides = {name: shorter_side(start) for name, start in starts}
    others = [name for name, side in sides.items() if side == NO_IMAGE]
    known = {printable(name): side for name, side in sides.items() if side}
    return Looked(len(sides), items, len(others), printable(others[0]) if others else "", known)


def shorter_side(start: bytes) -> int | None:
    """Of an image, in pixels, by its first bytes; None if they do not tell, NO_IMAGE if they do not begin like one."""
    if not start.startswith(STARTS):
        return NO_IMAGE
    with suppress(Exception), warnings.catch_warnings():  # a hostile header raises whatever its parser stumbles over
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(start), formats=PILLOW_FORMATS) as image:
            return min(image.size)
    return None


def counted(names: Sequence[object]) -> dict[str, int]:
    """Their number, as that of the only split; nothing if they are too many."""
    return {"": len(names)} if len(names) <= COUNTED else {}
