"""SVHN's cropped digits (.mat) and MNIST (idx, gzipped or not); sections 5.2 and 8.1.

SVHN: images (N, 32, 32, 3) uint8; its files have the label 10 for the digit 0; splits train, test and, if it exists,
extra. MNIST: images (N, 28, 28, 1) uint8. Labels are the digits. Every function raises InputError, naming the file, if
one is missing or damaged.
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.io
from scipy.io.matlab import MatReadError

from dcgan.core.files import InputError
from dcgan.data.labelled import ArraySplit, LabelledSet, Split

DIGITS = tuple("0123456789")
SVHN_FILE = "{split}_32x32.mat"
SVHN_SPLITS = ("train", "test", "extra")
MNIST_NAMES = {"train": "train", "test": "t10k"}
MNIST_FOLDERS = ("", "raw", "MNIST/raw")
MNIST_SUFFIXES = ("-idx{dims}-ubyte.gz", "-idx{dims}-ubyte", ".idx{dims}-ubyte.gz", ".idx{dims}-ubyte")
IDX_UBYTE = 0x08
GZIP_START = b"\x1f\x8b"
# What scipy raises for bytes that are not a .mat file.
UNREADABLE = (OSError, ValueError, TypeError, IndexError, NotImplementedError, zlib.error, MatReadError)


def find_svhn(path: Path) -> dict[str, Path]:
    """The .mat file of each split; raises InputError if train or test is missing."""
    files = {split: path / SVHN_FILE.format(split=split) for split in SVHN_SPLITS}
    for split in ("train", "test"):
        if not files[split].is_file():
            raise InputError(f"{files[split]}: missing; SVHN's cropped digits are train_32x32.mat and test_32x32.mat")
    return {split: file for split, file in files.items() if file.is_file()}


def inspect_mat(path: Path) -> int:
    """How many images a .mat holds, by the headers of its variables alone.

    Raises InputError if it is none with X (H, W, 3, N) uint8 and y (N, 1).
    """
    try:
        found = {name: (shape, kind) for name, shape, kind in scipy.io.whosmat(path)}
    except UNREADABLE as error:
        raise InputError(f"{path}: not a readable .mat file ({' '.join(str(error).split())})") from error
    missing = [name for name in ("X", "y") if name not in found]
    if missing:
        raise InputError(f"{path}: has no {' and no '.join(missing)}; found {', '.join(sorted(found)) or 'nothing'}")
    (images, kind), (labels, _) = found["X"], found["y"]
    count = math.prod(labels)
    if kind != "uint8" or len(images) != 4 or images[2:] != (3, count):
        raise InputError(f"{path}: X must be uint8 (H, W, 3, N) with N labels, is {kind} {images} for {count} labels")
    return int(count)


def read_svhn_labels(path: Path) -> npt.NDArray[np.int64]:
    """The digits of a .mat file, without its images."""
    try:
        labels = scipy.io.loadmat(path, variable_names=["y"])["y"].reshape(-1).astype(np.int64)
    except (*UNREADABLE, MemoryError) as error:
        raise InputError(f"{path}: damaged ({' '.join(str(error).split())})") from error
    return np.where(labels == 10, 0, labels)


def open_svhn(path: Path) -> LabelledSet:
    """Reads SVHN's splits."""
    return LabelledSet([read_svhn_split(name, file) for name, file in find_svhn(path).items()], DIGITS)


def read_svhn_split(name: str, path: Path) -> Split:
    """One split from X (32, 32, 3, N) uint8 and y (N, 1) of a .mat file."""
    inspect_mat(path)
    try:
        images = scipy.io.loadmat(path, variable_names=["X"])["X"]
    except (*UNREADABLE, MemoryError) as error:
        raise InputError(f"{path}: damaged ({' '.join(str(error).split())})") from error
    return ArraySplit(name, images.transpose(3, 0, 1, 2), read_svhn_labels(path), len(DIGITS))


def find_mnist(path: Path) -> dict[str, tuple[Path, Path]]:
    """The files of images and labels of each split; raises InputError if one is missing."""
    found = {}
    for split, name in MNIST_NAMES.items():
        images, labels = find_idx(path, f"{name}-images", 3), find_idx(path, f"{name}-labels", 1)
        if images is None or labels is None:
            missing = f"{name}-images-idx3-ubyte" if images is None else f"{name}-labels-idx1-ubyte"
            raise InputError(f"{path / missing}[.gz]: missing; MNIST is four such files")
        found[split] = (images, labels)
    return found


def find_idx(path: Path, name: str, dims: int) -> Path | None:
    """An idx file under any of its usual names; None if there is none."""
    candidates = (
        path / folder / f"{name}{suffix.format(dims=dims)}" for folder in MNIST_FOLDERS for suffix in MNIST_SUFFIXES
    )
    return next((file for file in candidates if file.is_file()), None)


def inspect_mnist(path: Path) -> dict[str, int]:
    """How many images each split has, by the headers of its files alone.

    Raises InputError if a file is missing, does not begin like an idx file or has another length than its header says,
    or if there are not as many labels as images.
    """
    counts = {}
    for split, (images, labels) in find_mnist(path).items():
        (counts[split], *_), (n_labels,) = inspect_idx(images, 3), inspect_idx(labels, 1)
        check_counts(images, counts[split], labels, n_labels)
    return counts


def inspect_idx(path: Path, dims: int) -> tuple[int, ...]:
    """The shape in the header of an idx file, whose length has to fit."""
    try:
        size = path.stat().st_size
        with path.open("rb") as raw:
            zipped = raw.read(2) == GZIP_START
            raw.seek(max(size - 4, 0))
            zipped_bytes = int.from_bytes(raw.read(4), "little")  # at its end gzip keeps how long the content is
        with gzip.open(path) if zipped else path.open("rb") as content:
            start = content.read(4 + 4 * dims)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: damaged ({error})") from error
    return shape_of(path, start, dims, zipped_bytes if zipped else size)


def shape_of(path: Path, start: bytes, dims: int, size: int) -> tuple[int, ...]:
    """The shape in an idx file's first bytes; InputError if they, or its size, are not those of unsigned bytes."""
    header = 4 + 4 * dims
    if start[:4] != bytes([0, 0, IDX_UBYTE, dims]) or len(start) < header:
        raise InputError(f"{path}: not an idx file of bytes with {dims} dimensions")
    shape = tuple(int(n) for n in np.frombuffer(start, ">u4", dims, 4))
    if size - header != math.prod(shape):
        raise InputError(f"{path}: {size - header:,} bytes of pixels, its header says {shape}")
    return shape


def check_counts(images: Path, n_images: int, labels: Path, n_labels: int) -> None:
    """Raises InputError if there are not as many labels as images."""
    if n_images != n_labels:
        raise InputError(f"{images}: {n_images} images, but {n_labels} labels in {labels.name}")


def open_mnist(path: Path) -> LabelledSet:
    """Reads MNIST's splits."""
    splits: list[Split] = []
    for name, (images_path, labels_path) in find_mnist(path).items():
        images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
        check_counts(images_path, len(images), labels_path, len(labels))
        splits.append(ArraySplit(name, images[..., None], labels.astype(np.int64), len(DIGITS)))
    return LabelledSet(splits, DIGITS)


def read_idx(path: Path, dims: int) -> npt.NDArray[np.uint8]:
    """An idx file of unsigned bytes with `dims` dimensions, gzipped or not."""
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if content[:2] == GZIP_START else content
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: damaged ({error})") from error
    shape = shape_of(path, content, dims, len(content))
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dims).reshape(shape)
