"""Writes feature tables so that a killed run goes on where it was.

Rows are written as they are computed, into a work file that a killed run leaves behind and the next one goes on with;
memory does not grow with N. Several processes have a work file each, of neighbouring rows; joined, they are the same
bytes as one process writes. Input: a `FeatureMaker` and an image store. Output: a table as
dcgan/representation/feature_tables.py reads it.
"""

import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dcgan.core.distributed import ALONE, Group
from dcgan.core.files import InputError, flush_to_disk, read_json, replace_when_done, report_storage_errors, write_json
from dcgan.core.hdf5 import open_hdf5
from dcgan.core.progress import Progress
from dcgan.data.image_store import ImageStore
from dcgan.representation.feature_tables import FeatureType, create_table
from dcgan.representation.features import FeatureMaker

ROWS_BETWEEN_FLUSHES = 2048


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
    """Computes the rows that are missing under `work`: none if a run has completed it before.

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
            classes = store.classes
            keys, form = store.keys[rows.start : rows.stop], (maker.layers, maker.columns_per_map)
            create_table(partial, *form, np.dtype(dtype), keys, labels, classes)
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
        opened = [files.enter_context(open_hdf5(part)) for part in parts]
        first = opened[0]["features"]
        labels = np.concatenate([part["labels"][:] for part in opened]) if "labels" in opened[0] else None
        classes = list(opened[0].attrs.get("classes", []))
        keys = np.concatenate([part["keys"].asstr()[:] for part in opened])
        form = list(first.attrs["layers"]), int(first.attrs["columns_per_map"])
        create_table(path, *form, first.dtype, keys, labels, classes)
        joined, at = files.enter_context(open_hdf5(path, "r+"))["features"], 0
        for part in opened:
            features, step = part["features"], first.chunks[0]
            for start in range(0, len(features), step):
                rows = features[start : start + step]
                joined[at : at + len(rows)] = rows
                at += len(rows)
    flush_to_disk(path)


def _fill_rows(
    maker: FeatureMaker, store: ImageStore, part: range, table: Path, position: Path, batch_size: int
) -> None:
    """Computes and writes what is missing of a part; a batch is written while the next one is computed."""
    done = int(read_json(position)["rows"])
    label = f"features of {store.path}"
    with (
        open_hdf5(table, "r+") as file,
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
        rows_file.record()


class _RowsFile:
    """The rows of a table that is being filled; from time to time it records on the disk how far they are safe."""

    def __init__(self, file: h5py.File, table: Path, position: Path, done: int) -> None:
        self.file, self.table, self.position = file, table, position
        self.features = file["features"]
        self.done = self.safe = done

    def append(self, rows: npt.NDArray[np.generic]) -> None:
        self.features[self.done : self.done + len(rows)] = rows
        self.done += len(rows)
        if self.done - self.safe >= ROWS_BETWEEN_FLUSHES:
            self.record()

    def record(self) -> None:
        """Brings all rows so far safely to the disk, and their number after them."""
        self.file.flush()
        flush_to_disk(self.table)
        write_json(self.position, {"rows": self.done})
        self.safe = self.done


def _stored(features: Tensor, dtype: np.dtype[np.generic]) -> npt.NDArray[np.generic]:
    """Rows as they are stored; raises InputError if a value does not fit, as in a diverged network."""
    # Narrowed and checked where they were computed: fewer bytes travel from a GPU.
    rows = features.to(torch.float16 if dtype == np.float16 else torch.float32)
    if not rows.isfinite().all():
        raise InputError(f"the network's features are not finite as {dtype}; float32 holds more than float16")
    stored: npt.NDArray[np.generic] = rows.cpu().numpy()
    return stored
