"""Feature vectors: every convolutional layer of a discriminator, max-pooled to 4 x 4, flattened and joined.

Section 5.1 and 5.2 of the paper. Input: a discriminator with estimated batch-norm statistics and an image store.
Output: an HDF5 table; `features` (N, D) float32 or float16, chunked by rows, unscaled; `labels` (N,) int64 where the
store has them, named by the attribute `classes`; `keys` (N,) str; attribute `layers` of the features: how many
neighbouring columns each layer fills, from the image upwards. A layer of m maps fills 16 m, map by map, row by row.
D is 28,672 for `imagenet32`, 7,168 for `svhn32`.

Rows are written as they are computed, into a work file that a killed run leaves behind and the next one goes on with.
Several processes have a work file each, of neighbouring rows; what they put together is the same bytes.
"""

import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, Protocol

import h5py
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from dcgan.core.distributed import ALONE, Group
from dcgan.core.files import InputError, flush_to_disk, read_json, replace_when_done, report_storage_errors, write_json
from dcgan.core.pixels import Images
from dcgan.core.progress import Progress
from dcgan.data.image_store import ImageStore, Labels
from dcgan.models.batch_norm import estimate_statistics
from dcgan.models.networks import Discriminator
from dcgan.models.pixel_range import to_input

POOLED_SIDE = 4
CHUNK_BYTES = 1 << 20
ROWS_BETWEEN_FLUSHES = 2048
ROWS_READ_AT_ONCE = 1024
FeatureType = Literal["float32", "float16"]
Features = npt.NDArray[np.float32] | npt.NDArray[np.float16]
Rows = npt.NDArray[np.int64]


def pooled_features(activations: Sequence[Tensor]) -> Tensor:
    """activations: [(N, C, H, W), ...] -> (N, 16 * sum of C), each map's maximum over a 4 x 4 grid of windows."""
    return torch.cat([F.adaptive_max_pool2d(maps, POOLED_SIDE).flatten(1) for maps in activations], dim=1)


class FeatureMaker(Protocol):
    """Anything that makes one row of features of one image."""

    @property
    def layers(self) -> list[int]:
        """The number of columns of each layer."""

    def __call__(self, images_uint8: Images) -> Tensor:
        """images_uint8: (N, H, W, C) -> (N, D) float32; no row depends on another."""


class DiscriminatorFeatures:
    """The features of the paper, of a discriminator whose batch-norm statistics are estimated."""

    def __init__(self, discriminator: Discriminator) -> None:
        self.discriminator = discriminator

    @property
    def layers(self) -> list[int]:
        """16 columns a feature map."""
        return [maps * POOLED_SIDE**2 for maps, _ in self.discriminator.architecture.discriminator_layers]

    @torch.no_grad()
    def __call__(self, images_uint8: Images) -> Tensor:
        """images_uint8: (N, H, W, C) -> (N, D) float32 on the network's device."""
        x = _network_input(self.discriminator, images_uint8)
        return pooled_features(self.discriminator.activations(x, statistics="estimated"))


def estimate_on_images(
    discriminator: Discriminator, images_uint8: Images, batch_size: int, group: Group = ALONE
) -> None:
    """Fills the batch-norm statistics from images in their order; the published code takes batches of 128.

    A last batch that is not full is left out, because its variance would weigh as much as that of a full one; fewer
    images than one batch are one batch. The processes of a group share the batches. Source:
    `svhn/svhn_semisup_analysis.py`.
    """
    stops = range(batch_size, max(len(images_uint8), batch_size) + 1, batch_size)[group.rank :: group.size]
    batches = (_network_input(discriminator, images_uint8[stop - batch_size : stop]) for stop in stops)
    estimate_statistics(discriminator, batches, group)


def _network_input(discriminator: Discriminator, images_uint8: Images) -> Tensor:
    device = next(discriminator.parameters()).device
    return to_input(images_uint8, discriminator.architecture.pixel_range, device)


class FeatureTable:
    """A feature table opened for reading; rows are read from the file when asked for.

    Raises InputError where the file is missing, cut off, or no feature table.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        try:
            self._file = h5py.File(self.path, "r")
            self._features = self._file["features"]
            self.layers: list[int] = [int(columns) for columns in self._features.attrs["layers"]]
            self.labels: Labels | None = self._file["labels"][:] if "labels" in self._file else None
            self.classes: list[str] = [str(name) for name in self._file.attrs.get("classes", [])]
        except (OSError, KeyError) as error:
            raise InputError(f"{self.path}: not a readable feature table ({error})") from error
        self.shape: tuple[int, int] = self._features.shape

    def __len__(self) -> int:
        return self.shape[0]

    def row_bytes(self, columns: slice = slice(None)) -> int:
        """The size of one row, seen through some columns."""
        return len(range(*columns.indices(self.shape[1]))) * int(self._features.dtype.itemsize)

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
    """Reads block by block what lies between the rows too, where most of it is wanted, else run by run of neighbours.

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


def extract_features(
    maker: FeatureMaker, store: ImageStore, path: Path, work: Path, batch_size: int, dtype: FeatureType
) -> None:
    """Writes the feature table of a store to `path`; rows that a killed run left under `work` are not computed again.

    work: a folder of its own for this maker, this store and these options.
    """
    fill_table(maker, store, work, batch_size, dtype)
    move_tables({work: path})


def fill_table(
    maker: FeatureMaker, store: ImageStore, work: Path, batch_size: int, dtype: FeatureType, group: Group = ALONE
) -> None:
    """Computes the rows that are missing under `work`, none where a run has been through it before.

    The processes of a group share the store's batches, so that no row is computed among others than in one process.
    """
    part = _part_folder(work, group)
    partial, position = part / "features.h5", part / "position.json"
    rows = _part_rows(len(store), batch_size, group)
    if not rows:
        return
    with report_storage_errors(partial):
        if not (position.exists() and partial.exists()):
            part.mkdir(parents=True, exist_ok=True)
            labels = None if store.labels is None else store.labels[rows.start : rows.stop]
            classes = list(store.attributes.get("classes", []))
            _create_table(partial, maker.layers, np.dtype(dtype), store.keys[rows.start : rows.stop], labels, classes)
            flush_to_disk(partial)
            write_json(position, {"rows": 0})
        _fill_rows(maker, store, rows, partial, position, batch_size)


def _part_folder(work: Path, group: Group) -> Path:
    return work if group.size == 1 else work / f"{group.rank}_of_{group.size}"


def _part_rows(n: int, batch_size: int, group: Group) -> range:
    """This process's rows of n: whole batches, neighbours of each other."""
    batches = -(-n // batch_size)
    start, stop = (batches * number // group.size * batch_size for number in (group.rank, group.rank + 1))
    return range(min(start, n), min(stop, n))


def move_tables(tables: Mapping[Path, Path], group: Group = ALONE) -> None:
    """Moves filled tables from their work folders (keys) to their paths and removes the folders.

    To be called once all tables of a run are filled: the engines delete the outputs of a run that was killed.
    """
    group.wait()
    if not group.is_first:
        return
    for work, path in tables.items():
        with replace_when_done(path) as finished:
            if group.size == 1:
                shutil.move(work / "features.h5", finished)
            else:
                parts = [_part_folder(work, Group(rank, group.size)) / "features.h5" for rank in range(group.size)]
                _join_tables([part for part in parts if part.exists()], finished)
        shutil.rmtree(work)


def _join_tables(parts: Sequence[Path], path: Path) -> None:
    """Writes the rows of all parts into one table, a megabyte at a time."""
    with ExitStack() as files:
        opened = [files.enter_context(h5py.File(part, "r")) for part in parts]
        first = opened[0]["features"]
        labels = np.concatenate([part["labels"][:] for part in opened]) if "labels" in opened[0] else None
        classes = list(opened[0].attrs.get("classes", []))
        keys = np.concatenate([part["keys"].asstr()[:] for part in opened])
        _create_table(path, list(first.attrs["layers"]), first.dtype, keys, labels, classes)
        joined, at = files.enter_context(h5py.File(path, "r+"))["features"], 0
        for part in opened:
            features, step = part["features"], first.chunks[0]
            for start in range(0, len(features), step):
                rows = features[start : start + step]
                joined[at : at + len(rows)] = rows
                at += len(rows)
    flush_to_disk(path)


def _create_table(
    path: Path,
    layers: Sequence[int],
    dtype: np.dtype[Any],
    keys: npt.NDArray[np.object_],
    labels: Labels | None,
    classes: Sequence[str],
) -> None:
    """Lays out the whole file before the first row: later writes touch no metadata, so a kill cannot damage it.

    Raises OSError where the disk has no room for all rows; without this it would be full after hours.
    """
    width = int(sum(layers))
    if shutil.disk_usage(path.parent).free < len(keys) * width * dtype.itemsize:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    rows = max(1, min(len(keys), CHUNK_BYTES // (width * dtype.itemsize)))
    with h5py.File(path, "w") as file:
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
        file.create_dataset("keys", data=list(keys), dtype=h5py.string_dtype())
        if labels is not None:
            file.create_dataset("labels", data=labels)
            file.attrs["classes"] = list(classes)


def _fill_rows(
    maker: FeatureMaker, store: ImageStore, part: range, table: Path, position: Path, batch_size: int
) -> None:
    """Computes and writes what is missing of a part; a batch is written while the next one is computed."""
    done = int(read_json(position)["rows"])
    label = f"features of {store.path}"
    with (
        h5py.File(table, "r+") as file,
        Progress(len(part) - done, label, "images", shown=part.start == 0) as progress,
        ThreadPoolExecutor(1) as writer,
    ):
        rows_file = _RowsFile(file, table, position, done)
        written: Future[None] | None = None
        for start in range(part.start + done, part.stop, batch_size):
            rows = _stored(maker(store.images[start : min(start + batch_size, part.stop)]), rows_file.features.dtype)
            if written is not None:
                written.result()
            written = writer.submit(rows_file.append, rows)
            progress.update(len(rows))
        if written is not None:
            written.result()
        rows_file.keep()


class _RowsFile:
    """The rows of a table that is being filled; from time to time it says on the disk how far they are safe."""

    def __init__(self, file: h5py.File, table: Path, position: Path, done: int) -> None:
        self.file, self.table, self.position = file, table, position
        self.features = file["features"]
        self.done = self.safe = done

    def append(self, rows: npt.NDArray[np.generic]) -> None:
        self.features[self.done : self.done + len(rows)] = rows
        self.done += len(rows)
        if self.done - self.safe >= ROWS_BETWEEN_FLUSHES:
            self.keep()

    def keep(self) -> None:
        """Brings all rows so far safely to the disk, and their number after them."""
        self.file.flush()
        flush_to_disk(self.table)
        write_json(self.position, {"rows": self.done})
        self.safe = self.done


def _stored(features: Tensor, dtype: np.dtype[np.generic]) -> npt.NDArray[np.generic]:
    """Rows as they are stored; raises InputError where a value does not fit, as it happens to a diverged network."""
    # Narrowed and checked where they were computed: fewer bytes travel from a GPU.
    rows = features.to(torch.float16 if dtype == np.float16 else torch.float32)
    if not rows.isfinite().all():
        raise InputError(f"the network's features are not finite as {dtype}; float32 holds more than float16")
    stored: npt.NDArray[np.generic] = rows.cpu().numpy()
    return stored
