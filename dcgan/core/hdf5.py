"""Opens HDF5 files without HDF5's own locks, which some file systems refuse (NFS and Lustre without a lock service).

No locks are needed: a file has one writer, under a name that nobody else knows, and only readers once it is whole.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from dcgan.core.files import InputError


def open_hdf5(path: Path, mode: Literal["r", "r+", "w"] = "r", **options: Any) -> h5py.File:
    """An HDF5 file, to be closed by the caller; raises OSError if it cannot be opened."""
    return h5py.File(path, mode, locking=False, **options)


def dataset_of(file: h5py.File, name: str) -> h5py.Dataset:
    """A dataset of a file; raises InputError if there is none of that name, or a link leads to another file.

    A memory map of this file would show other bytes, and a change in the other file would go unnoticed.
    """
    dataset = file.get(name)
    if not isinstance(dataset, h5py.Dataset):
        raise InputError(f"no dataset {name}")
    if h5py.h5o.get_info(dataset.id).fileno != h5py.h5o.get_info(file.id).fileno:
        raise InputError(f"{name} must lie in the file, is a link into {dataset.file.filename}")
    return dataset


def check_texts(dataset: h5py.Dataset, name: str, count: int) -> None:
    """Raises InputError if a dataset is not `count` texts."""
    if dataset.shape != (count,) or h5py.check_string_dtype(dataset.dtype) is None:
        raise InputError(f"{name} must be {count:,} texts, are {dataset.dtype} {dataset.shape}")


def texts_of(values: Any, name: str) -> list[str]:
    """An attribute that lists texts; raises InputError for anything else."""
    texts = [text.decode("utf-8", "replace") if isinstance(text, bytes) else text for text in np.atleast_1d(values)]
    if np.ndim(values) != 1 or not all(isinstance(text, str) for text in texts):
        raise InputError(f"{name} must be a list of texts")
    return texts


def labels_of(dataset: h5py.Dataset, count: int, classes: Sequence[str]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Labels (N,) int64; raises InputError for other numbers than whole ones, one-hot rows, or none of the classes."""
    if dataset.shape != (count,) or dataset.dtype.kind not in "iu":
        raise InputError(f"labels must be {count:,} whole numbers (N,), are {dataset.dtype} {dataset.shape}")
    labels = dataset[:]
    least, most = (int(labels.min()), int(labels.max())) if count else (0, 0)
    if least < 0 or (classes and most >= len(classes)) or most > np.iinfo(np.int64).max:
        allowed = f"0 to {len(classes) - 1}, as there are {len(classes)} classes" if classes else "numbers from 0"
        raise InputError(f"labels are {least} to {most}; they must be {allowed}")
    return np.asarray(labels, np.int64)
