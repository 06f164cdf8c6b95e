"""The image store: one HDF5 file per set or shard, the only form of images that later stages read.

`images` (N, H, W, C) uint8, contiguous: the pixels lie in the file as one run of bytes, so that any number of
processes can memory-map them at their offset, and a training run can copy them whole to a GPU.
`keys`   (N,) UTF-8 strings, the images' names in their source. `labels` (N,) int64, if any, count the classes from 0.
Attributes say where the images came from; `classes` names the classes, if any, in the order of their labels. Images are
in the order of the source's keys.
"""

import json
import tempfile
from array import array
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import h5py
import numpy as np
import numpy.typing as npt

from dcgan.core.files import InputError, replace_when_done
from dcgan.core.hdf5 import check_texts, dataset_of, labels_of, open_hdf5, texts_of
from dcgan.core.pixels import Images

# Where the pixels begin: HDF5's first bytes take less than a page.
PIXELS_OFFSET = 4096
COPY_BLOCK_BYTES = 1 << 20
KEYS_AT_ONCE = 1 << 16
Labels = npt.NDArray[np.int64]


class StoreWriter:
    """Appends images of one shape; the store appears under its name only when the `with` block ends without error.

    HDF5 must know the size of a contiguous dataset before the first byte, and nobody knows how many images of a source
    can be decoded. So pixels are written at once to their final place in the file. At the end, HDF5's own bytes are
    copied before and behind them from a second file, which has a hole in their place. Memory does not grow with the
    number of images.
    """

    def __init__(self, path: Path, image_shape: tuple[int, int, int], attributes: Mapping[str, Any]) -> None:
        self.path, self.image_shape, self.attributes = Path(path), tuple(image_shape), dict(attributes)
        self.count = 0
        self.labels = array("q")
        self._files: ExitStack | None = None

    def __enter__(self) -> "StoreWriter":
        with ExitStack() as files:
            partial = files.enter_context(replace_when_done(self.path))
            self._pixels = files.enter_context(partial.open("w+b"))
            self._pixels.seek(PIXELS_OFFSET)
            self._keys = files.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", dir=partial.parent))
            self._files = files.pop_all()
        return self

    def append(self, images_uint8: Images, keys: Sequence[str], labels: Sequence[int] | Labels | None = None) -> None:
        """Adds images: (n, H, W, C) uint8 with n keys and, if the store has labels, n labels.

        Raises ValueError for another shape or type, a label that is none of the classes, or outside the `with` block.
        """
        if images_uint8.dtype != np.uint8 or images_uint8.shape != (len(keys), *self.image_shape):
            raise ValueError(f"expected uint8 {(len(keys), *self.image_shape)}, got {images_uint8.shape}")
        if self._files is None:
            raise ValueError("append() outside the with block")
        if any("\0" in key for key in keys):
            raise ValueError("a key holds the character NUL, which HDF5 takes for the end")
        self._pixels.write(np.ascontiguousarray(images_uint8).data)
        self._keys.write(f"{json.dumps(list(keys))}\n")
        self.count += len(keys)
        if labels is not None:
            self.labels.extend(self._checked(labels))

    def _checked(self, labels: Sequence[int] | Labels) -> list[int]:
        numbers, classes = np.asarray(labels), len(self.attributes.get("classes", []))
        if numbers.size == 0:
            return []
        if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
            raise ValueError(f"labels must be whole numbers (n,), are {numbers.dtype} {numbers.shape}")
        if numbers.min() < 0 or (classes and numbers.max() >= classes):
            raise ValueError(f"labels are {numbers.min()} to {numbers.max()}, there are {classes} classes")
        checked: list[int] = numbers.tolist()
        return checked

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._files is not None
        if kind is not None:
            self._files.__exit__(kind, error, at)
        else:
            with self._files:
                self._finish()

    def _finish(self) -> None:
        """Puts HDF5's bytes around the pixels."""
        if self.labels and len(self.labels) != self.count:
            raise ValueError(f"{len(self.labels)} labels for {self.count} images")
        size = self.count * int(np.prod(self.image_shape))
        with tempfile.NamedTemporaryFile(dir=self.path.parent) as frame:
            offset = self._write_frame(Path(frame.name), size)
            if offset != PIXELS_OFFSET:
                # HDF5 places less than a page of pixels elsewhere.
                self._pixels.seek(PIXELS_OFFSET)
                pixels = self._pixels.read(size)
                self._pixels.seek(offset)
                self._pixels.write(pixels)
            copy_range(frame, self._pixels, 0, offset)
            copy_range(frame, self._pixels, offset + size, Path(frame.name).stat().st_size)
        self._pixels.flush()

    def _write_frame(self, path: Path, size: int) -> int:
        """Writes a store with a hole in place of the pixels; returns their byte offset."""
        alignment = {"alignment_threshold": min(max(size, 1), PIXELS_OFFSET), "alignment_interval": PIXELS_OFFSET}
        with open_hdf5(path, "w", libver="v110", **alignment) as file:
            layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            layout.set_layout(h5py.h5d.CONTIGUOUS)
            layout.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
            layout.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
            layout.set_obj_track_times(False)  # no time of day: the same images make the same bytes
            space = h5py.h5s.create_simple((self.count, *self.image_shape))
            images = h5py.h5d.create(file.id, b"images", h5py.h5t.NATIVE_UINT8, space, dcpl=layout)
            offset = int(images.get_offset() or PIXELS_OFFSET)
            file.attrs.update(self.attributes)
            if self.labels:
                file.create_dataset("labels", data=np.array(self.labels, np.int64))
            self._write_keys(file.create_dataset("keys", (self.count,), h5py.string_dtype()))
        return offset

    def _write_keys(self, dataset: h5py.Dataset) -> None:
        """Copies the keys into the store, KEYS_AT_ONCE at a time."""
        self._keys.seek(0)
        at, block = 0, []
        for line in self._keys:
            block += json.loads(line)
            if len(block) >= KEYS_AT_ONCE or at + len(block) == self.count:
                dataset[at : at + len(block)] = block
                at, block = at + len(block), []


def copy_range(source: IO[bytes], target: IO[bytes], begin: int, end: int) -> None:
    """Copies the bytes from `begin` to `end` of one file to the same place in another."""
    source.seek(begin)
    target.seek(begin)
    while begin < end and (block := source.read(min(COPY_BLOCK_BYTES, end - begin))):
        target.write(block)
        begin += len(block)


class ImageStore:
    """A store opened for reading. Opening reads header, labels and class names only; pixels are memory-mapped.

    Keys are read when they are asked for, as a million of them take seconds; only then InputError tells of keys that
    are no UTF-8.
    Raises InputError if the file is missing, cut off, or not an image store in every point of the module's text.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        try:
            with open_hdf5(self.path) as file:
                images = dataset_of(file, "images")
                self.shape = tuple(int(n) for n in images.shape)
                self._offset = pixels_offset(images)
                check_texts(dataset_of(file, "keys"), "keys", len(self))
                self.attributes: dict[str, Any] = dict(file.attrs)
                self.classes = texts_of(self.attributes.get("classes", []), "the attribute `classes`")
                self.labels = self._read_labels(file) if "labels" in file else None
        except (OSError, KeyError, ValueError, TypeError, InputError) as error:
            raise InputError(f"{self.path}: not a readable image store ({' '.join(str(error).split())})") from error

    def _read_labels(self, file: h5py.File) -> Labels:
        labels = labels_of(dataset_of(file, "labels"), len(self), self.classes)
        if len(labels) and labels.min() > 0 and not self.classes:
            raise InputError(f"labels begin at {labels.min()}; they count from 0, or the attribute `classes` names all")
        return labels

    def __len__(self) -> int:
        return self.shape[0]

    @cached_property
    def images(self) -> Images:
        """All images: (N, H, W, C) uint8, read-only, loaded by the system as they are read."""
        if self._offset is None:
            return np.empty(self.shape, np.uint8)
        return np.memmap(self.path, np.uint8, mode="r", offset=self._offset, shape=self.shape)

    @cached_property
    def keys(self) -> npt.NDArray[np.object_]:
        """The names of the images in their source: (N,) str."""
        try:
            with open_hdf5(self.path) as file:
                return np.asarray(file["keys"].asstr()[:], dtype=object)
        except (OSError, KeyError, ValueError) as error:
            raise InputError(f"{self.path}: the keys cannot be read ({error})") from error


def pixels_offset(images: h5py.Dataset) -> int | None:
    """Where the pixels begin in the file, None if there are none; raises InputError if they are in another form."""
    form = f"{images.dtype} {images.shape}"
    if images.dtype != np.uint8 or images.ndim != 4 or 0 in images.shape[1:]:
        raise InputError(f"images must be uint8 (N, H, W, C), are {form}")
    offset = images.id.get_offset()  # None for pixels that are chunked, in another file or not written
    if offset is None and len(images) > 0:
        raise InputError(f"images must lie in the file as one run of bytes, {form} do not")
    return int(offset) if len(images) else None
