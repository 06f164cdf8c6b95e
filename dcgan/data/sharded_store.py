"""Image stores in other forms: several, one per shard, read as one, in which image number i is the i-th of the shards
laid end to end; one whose images are read at a smaller size.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcgan.core.files import InputError
from dcgan.core.pixels import Images, resized
from dcgan.data.image_store import ImageStore

Indices = npt.NDArray[np.int64]
BLOCK_IMAGES = 4096


class Shards:
    """The stores `folder/<shard>/<name>` in the order of the shards.

    Raises InputError if one cannot be read, if their images have different shapes, or if there are no images at all.
    """

    def __init__(self, folder: Path, shards: Sequence[int], name: str) -> None:
        self.stores = [ImageStore(Path(folder) / str(shard) / name) for shard in shards]
        shapes = {store.shape[1:] for store in self.stores}
        if len(shapes) != 1:
            raise InputError(f"{folder}: shards of different image shapes: {sorted(shapes)}")
        self.image_shape: tuple[int, ...] = shapes.pop()
        self.starts = np.cumsum([0, *map(len, self.stores)])
        if len(self) == 0:
            raise InputError(f"{folder}: none of the {len(shards)} stores {name} holds an image")

    def __len__(self) -> int:
        return int(self.starts[-1])

    def gather(self, indices: Indices) -> Images:
        """The images of the given numbers, in their order: (n, H, W, C) uint8, in memory."""
        images = np.empty((len(indices), *self.image_shape), np.uint8)
        for store, start, end in zip(self.stores, self.starts, self.starts[1:], strict=False):
            inside = np.flatnonzero((indices >= start) & (indices < end))
            images[inside] = store.images[indices[inside] - start]
        return images

    def keys(self, indices: Indices) -> list[str]:
        """The keys of the images of the given numbers, in their order."""
        keys = np.empty(len(indices), object)
        for store, start, end in zip(self.stores, self.starts, self.starts[1:], strict=False):
            inside = np.flatnonzero((indices >= start) & (indices < end))
            keys[inside] = store.keys[indices[inside] - start]
        return keys.tolist()

    def blocks(self, indices: Indices) -> Iterator[tuple[Images, list[str]]]:
        """Images and keys of the given numbers, in blocks of at most 4,096."""
        for begin in range(0, len(indices), BLOCK_IMAGES):
            block = indices[begin : begin + BLOCK_IMAGES]
            yield self.gather(block), self.keys(block)


class ReducedStore:
    """The images of one store at another size; raises InputError if they are not in colour."""

    def __init__(self, store: ImageStore, side: int) -> None:
        if store.shape[3] != 3:
            raise InputError(f"{store.path}: images {store.shape[1:]}, colour images are needed")
        self.store, self.side = store, side

    def __len__(self) -> int:
        return len(self.store)

    def gather(self, indices: Indices) -> Images:
        """The images of the given numbers, in their order: (n, side, side, 3) uint8, in memory."""
        return resized(self.store.images[indices], self.side)
