"""The image store: one HDF5 file a set or a shard, the only form of images that anything downstream reads.

`images` uint8 (N, H, W, C), contiguous: the pixels lie in the file as one run of bytes, so that any number of
processes can memory-map them at their offset, and a training run can copy them whole to a GPU.
`keys`   (N,) UTF-8 strings that name the image in its source. `labels` (N,) int64, only where there are labels.
Attributes say where the images came from. Order is the source's key order.
"""

import shutil
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import h5py
import numpy as np
import numpy.typing as npt

from dcgan.files import InputError, replace_when_done

COPY_BLOCK_BYTES = 1 << 24
Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


class StoreWriter:
    """Appends images of one shape; the store appears under its name only when the `with` block ends without error.

    HDF5 must know the size of a contiguous dataset before the first byte, and a source does not say how many of its
    values can be decoded. So pixels go to an unnamed spool first and are copied behind the header at the end.
    """

    def __init__(self, path: Path, image_shape: tuple[int, int, int], attributes: Mapping[str, Any]) -> None:
        self.path, self.image_shape, self.attributes = Path(path), tuple(image_shape), dict(attributes)
        self.keys: list[str] = []
        self.labels: list[int] = []
        self._spool_path = self.path.with_name(f".{self.path.name}.spool")
        self._spool: BinaryIO | None = None

    def __enter__(self) -> "StoreWriter":
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._spool = self._spool_path.open("w+b")
        # Unlinked at once: whatever ends this process, the disk gets the space back.
        self._spool_path.unlink()
        return self

    def append(self, images_uint8: Images, keys: Sequence[str], labels: Sequence[int] | Labels | None = None) -> None:
        """Adds images: (n, H, W, C) uint8 with n keys and, if the store has labels, n labels."""
        if images_uint8.dtype != np.uint8 or images_uint8.shape != (len(keys), *self.image_shape):
            raise ValueError(f"expected uint8 {(len(keys), *self.image_shape)}, got {images_uint8.shape}")
        if self._spool is None:
            raise ValueError("append() outside the with block")
        self._spool.write(np.ascontiguousarray(images_uint8).data)
        self.keys.extend(keys)
        if labels is not None:
            self.labels.extend(int(label) for label in labels)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._spool is not None
        with self._spool as spool:
            if kind is None:
                if self.labels and len(self.labels) != len(self.keys):
                    raise ValueError(f"{len(self.labels)} labels for {len(self.keys)} images")
                with replace_when_done(self.path) as partial:
                    offset = self._write_header(partial)
                    self._copy_pixels(spool, partial, offset)

    def _write_header(self, path: Path) -> int:
        """Writes keys, labels, attributes and the empty images; returns the byte offset of the pixels."""
        with h5py.File(path, "w", libver="v110") as file:
            file.attrs.update(self.attributes)
            file.create_dataset("keys", data=self.keys, dtype=h5py.string_dtype(), shape=(len(self.keys),))
            if self.labels:
                file.create_dataset("labels", data=np.array(self.labels, np.int64))
            layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            layout.set_layout(h5py.h5d.CONTIGUOUS)
            layout.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
            layout.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
            space = h5py.h5s.create_simple((len(self.keys), *self.image_shape))
            images = h5py.h5d.create(file.id, b"images", h5py.h5t.NATIVE_UINT8, space, dcpl=layout)
            return int(images.get_offset() or 0)

    def _copy_pixels(self, spool: BinaryIO, path: Path, offset: int) -> None:
        if not self.keys:
            return
        spool.seek(0)
        with path.open("r+b") as file:
            file.seek(offset)
            shutil.copyfileobj(spool, file, COPY_BLOCK_BYTES)


class ImageStore:
    """A store opened for reading. Opening reads the header only; pixels are memory-mapped.

    Raises InputError where the file is missing, cut off, or no image store.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        try:
            with h5py.File(self.path, "r") as file:
                dataset = file["images"]
                self.shape = tuple(int(n) for n in dataset.shape)
                self._offset = dataset.id.get_offset()
                self.attributes: dict[str, Any] = dict(file.attrs)
                self.labels: Labels | None = file["labels"][:] if "labels" in file else None
        except (OSError, KeyError) as error:
            raise InputError(f"{self.path}: not a readable image store ({error})") from error
        if len(self.shape) != 4 or (self._offset is None and self.shape[0] > 0):
            raise InputError(f"{self.path}: not an image store: images must be contiguous uint8 (N, H, W, C)")

    def __len__(self) -> int:
        return self.shape[0]

    @cached_property
    def images(self) -> Images:
        """All images: (N, H, W, C) uint8, read-only, paged in by the system as they are touched."""
        if len(self) == 0:
            return np.empty(self.shape, np.uint8)
        return np.memmap(self.path, np.uint8, mode="r", offset=self._offset, shape=self.shape)

    @cached_property
    def keys(self) -> npt.NDArray[np.object_]:
        """The names of the images in their source: (N,) str."""
        with h5py.File(self.path, "r") as file:
            return np.asarray(file["keys"].asstr()[:], dtype=object)
