"""Feature tables: the file format, and reading rows of it.

An HDF5 file; `features` (N, D) float32 or float16, chunked by rows, unscaled; `labels` (N,) int64 if the store has
them, named by the attribute `classes`; `keys` (N,) str; attributes of the features: `layers`, how many neighbouring
columns each layer fills, from the image upwards, and, if they are known, `columns_per_map`.
"""

import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import numpy.typing as npt

from dcgan.core.files import InputError
from dcgan.core.hdf5 import dataset_of, labels_of, open_hdf5, texts_of
from dcgan.data.image_store import Labels

CHUNK_BYTES = 1 << 20
ROWS_READ_AT_ONCE = 1024
FeatureType = Literal["float32", "float16"]
Features = npt.NDArray[np.float32] | npt.NDArray[np.float16]
Rows = npt.NDArray[np.int64]


class FeatureTable:
    """A feature table opened for reading; rows are read from the file when asked for.

    Raises InputError if the file is missing, cut off, or no feature table.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        try:
            self._file = open_hdf5(self.path)
            self._features = dataset_of(self._file, "features")
            self.layers: list[int] = [int(columns) for columns in self._features.attrs["layers"]]
            self.columns_per_map = int(self._features.attrs.get("columns_per_map", 0))  # 0: not known
            self.shape: tuple[int, int] = self._features.shape
            self._check_form()
            self.classes = texts_of(self._file.attrs.get("classes", []), "the attribute `classes`")
            labelled = "labels" in self._file
            self.labels = labels_of(dataset_of(self._file, "labels"), len(self), self.classes) if labelled else None
        except (OSError, KeyError, ValueError, TypeError, InputError) as error:
            raise InputError(f"{self.path}: not a readable feature table ({' '.join(str(error).split())})") from error

    def _check_form(self) -> None:
        """Raises InputError if the features are no rows of floats in neighbouring layers."""
        form = f"{self._features.dtype} {self.shape}"
        if self._features.dtype not in (np.float32, np.float16) or len(self.shape) != 2 or 0 in self.shape:
            raise InputError(f"features must be float32 or float16 (N, D), are {form}")
        if sum(self.layers) != self.shape[1]:
            raise InputError(f"layers of {sum(self.layers)} columns for features {form}")

    def __len__(self) -> int:
        return self.shape[0]

    def row_bytes(self, columns: slice = slice(None)) -> int:
        """The size of one row, seen through some columns."""
        return len(range(*columns.indices(self.shape[1]))) * int(self._features.dtype.itemsize)

    @property
    def highest_maps(self) -> int | None:
        """The number of feature maps (or centroids) of the last layer, if it is known."""
        return self.layers[-1] // self.columns_per_map if self.columns_per_map else None

    def columns_of(self, layer: int) -> slice:
        """The neighbouring columns that a layer fills."""
        start = sum(self.layers[:layer])
        return slice(start, start + self.layers[layer])

    def read(self, rows: Rows | slice, columns: slice = slice(None)) -> Features:
        """The named rows in the named order, (n, d) of the table's type."""
        if isinstance(rows, slice):
            return np.asarray(self._features[rows, columns])
        # HDF5 reads rising, distinct rows only.
        distinct, places = np.unique(rows, return_inverse=True)
        found = _read_rising(self._features, distinct, columns)
        return found if np.array_equal(distinct, rows) else found[places]


def _read_rising(dataset: h5py.Dataset, rows: Rows, columns: slice) -> Features:
    """Reads block by block, with what lies between the rows if most of it is wanted; else run by run of neighbours.

    HDF5's own selection of points is slower by orders of magnitude.
    """
    width = len(range(*columns.indices(dataset.shape[1])))
    found = np.empty((len(rows), width), dataset.dtype)
    for start in range(0, len(rows), ROWS_READ_AT_ONCE):
        part = rows[start : start + ROWS_READ_AT_ONCE]
        first, span = int(part[0]), int(part[-1] - part[0]) + 1
        if 2 * len(part) > span:
            found[start : start + len(part)] = dataset[first : first + span, columns][part - first]
            continue
        starts = np.flatnonzero(np.diff(part, prepend=-2) != 1)
        for begin, end in zip(starts, [*starts[1:], len(part)], strict=True):
            found[start + begin : start + end] = dataset[int(part[begin]) : int(part[end - 1]) + 1, columns]
    return found


def create_table(
    path: Path,
    layers: Sequence[int],
    columns_per_map: int,
    dtype: np.dtype[Any],
    keys: npt.NDArray[np.object_],
    labels: Labels | None,
    classes: Sequence[str],
) -> None:
    """Lays out the whole file before the first row: later writes touch no metadata, so a kill cannot damage it.

    Raises OSError if the disk has no room for all rows; without this it would be full after hours.
    """
    width = int(sum(layers))
    if shutil.disk_usage(path.parent).free < len(keys) * width * dtype.itemsize:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    rows = max(1, min(len(keys), CHUNK_BYTES // (width * dtype.itemsize)))
    # v108: class names may take more than 64 KiB. Later versions mark a file whose writer was killed as broken.
    with open_hdf5(path, "w", libver="v108") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((rows, width))
        properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        # No time of writing in the file: the same features give the same bytes.
        properties.set_obj_track_times(False)
        space = h5py.h5s.create_simple((len(keys), width))
        kind = h5py.h5t.py_create(dtype)
        features = h5py.Dataset(h5py.h5d.create(file.id, b"features", kind, space, dcpl=properties))
        features.attrs["layers"] = [int(columns) for columns in layers]
        features.attrs["columns_per_map"] = columns_per_map
        file.create_dataset("keys", data=list(keys), dtype=h5py.string_dtype())
        if labels is not None:
            file.create_dataset("labels", data=labels)
            file.attrs["classes"] = list(classes)
