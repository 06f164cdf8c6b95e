"""CIFAR-10 in its usual forms: binary batches, python batches, or class folders (section 5.1).

Images (N, 32, 32, 3) uint8, labels 0 to 9 in the order of CLASSES, keys `data_batch_1/00000`. Python batches are
pickles, but nothing that they name is run (dcgan/data/safe_pickle.py).
"""

from pathlib import Path

import numpy as np

from dcgan.core.files import InputError
from dcgan.core.pixels import Images
from dcgan.data.labelled import ArraySplit, LabelledSet, Labels, Split
from dcgan.data.safe_pickle import as_array, as_text, read_pickle

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIDE = 32
RECORD_BYTES = 1 + 3 * SIDE * SIDE
BATCHES = {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]}
FOLDERS = ("", "cifar-10-batches-py", "cifar-10-batches-bin")


def find_batches(path: Path) -> dict[str, list[Path]] | None:
    """The batch files of each split, in the folder or in the one that torchvision makes in it; None if there are none.

    Raises InputError if some exist and some are missing.
    """
    for folder in FOLDERS:
        for suffix in (".bin", ""):
            files = {split: [path / folder / f"{name}{suffix}" for name in names] for split, names in BATCHES.items()}
            missing = [file for split in files.values() for file in split if not file.is_file()]
            if not missing:
                return files
            if len(missing) < sum(map(len, files.values())):
                raise InputError(f"{missing[0]}: this batch of CIFAR-10 is missing")
    return None


def count_batches(files: dict[str, list[Path]]) -> dict[str, int]:
    """The images of each split by the sizes of its files; of python batches at most so many."""
    return {split: sum(count_records(path) for path in paths) for split, paths in files.items()}


def count_records(path: Path) -> int:
    """The images of a batch by the size of its file; raises InputError for a binary batch that is cut off."""
    size, record = path.stat().st_size, RECORD_BYTES if path.suffix == ".bin" else RECORD_BYTES - 1
    if path.suffix == ".bin" and (size == 0 or size % record):
        raise InputError(f"{path}: {size:,} bytes are not a whole number of records of {record}")
    return size // record


def open_batches(files: dict[str, list[Path]]) -> LabelledSet:
    """Reads all batches, 184 MB of pixels; raises InputError if one is damaged."""
    return LabelledSet([read_split(name, paths) for name, paths in files.items()], CLASSES)


def read_split(name: str, paths: list[Path]) -> Split:
    """The batches of one split, joined in order."""
    batches = [read_binary_batch(path) if path.suffix == ".bin" else read_python_batch(path) for path in paths]
    keys = [
        f"{path.stem}/{number:05d}"
        for path, (_, labels) in zip(paths, batches, strict=True)
        for number in range(len(labels))
    ]
    images = np.concatenate([images for images, _ in batches])
    return ArraySplit(name, images, np.concatenate([labels for _, labels in batches]), len(CLASSES), keys)


def read_binary_batch(path: Path) -> tuple[Images, Labels]:
    """Records of a label and the red, green and blue planes; raises InputError if one is cut off."""
    records = np.fromfile(path, np.uint8, count_records(path) * RECORD_BYTES).reshape(-1, RECORD_BYTES)
    return from_planes(records[:, 1:]), records[:, 0].astype(np.int64)


def read_python_batch(path: Path) -> tuple[Images, Labels]:
    """A pickled dict with `data` (N, 3072) uint8 and `labels`; raises InputError for anything else."""
    content = read_pickle(path)
    try:
        batch = {as_text(key): value for key, value in content.items()}
        planes, labels = as_array(batch["data"]), np.array(batch["labels"], np.int64)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a batch of CIFAR-10 ({type(error).__name__}: {error})") from error
    if planes.shape != (len(labels), RECORD_BYTES - 1):
        raise InputError(f"{path}: {len(labels)} labels for data of shape {planes.shape}")
    return from_planes(planes), labels


def from_planes(planes: Images) -> Images:
    """planes: (N, 3072) uint8 -> (N, 32, 32, 3) uint8."""
    return np.ascontiguousarray(planes.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1))
