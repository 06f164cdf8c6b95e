"""Minibatches of an image store: which rows, in which order, and how they get to the training device.

Inputs: images (N, H, W, C) uint8, a memory map of a store; labels (N,) int64 if the network is conditional.
Outputs: minibatches (B, H, W, C) uint8 and (B,) int64 on the device. Their rows follow from the seed and their number.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dcgan.core.distributed import ALONE, Group
from dcgan.core.seeding import numpy_generator
from dcgan.core.transfer import pinned, to_device
from dcgan.data.prefetch import Prefetcher

Rows = npt.NDArray[np.int64]
WORKING_BYTES = 6_000_000_000  # of a GPU, for what else a training has there: networks, activations, cuDNN's workspaces
IMAGES_A_BLOCK = 1 << 13  # that are copied to a GPU at a time: 100 MB at 64 x 64


class Batches:
    """Minibatches of the given rows, in a new, seeded order every epoch; a last one that is not full is left out.

    images_uint8: (N, H, W, C) uint8, a memory map or an array. It is copied to a CUDA device once if it fits there;
    otherwise a thread prefetches minibatches during training. A process of a group gets its part of each minibatch.
    needs_images: whether the minibatch of a number is trained on images; if not, it comes without. Raises ValueError if
    there are fewer rows than one minibatch, or if a group cannot share it evenly.
    """

    def __init__(
        self,
        images_uint8: npt.NDArray[np.uint8],
        labels: npt.NDArray[np.int64] | None,
        rows: Rows,
        batch_size: int,
        seed: int,
        device: torch.device,
        group: Group = ALONE,
        needs_images: Callable[[int], bool] = lambda number: True,
    ) -> None:
        if len(rows) < batch_size:
            raise ValueError(f"{len(rows)} images are fewer than one batch of {batch_size}")
        self.images, self.labels, self.rows = images_uint8, labels, rows
        self.batch_size, self.seed, self.device = batch_size, seed, device
        self.part, self.needs_images = group.part(batch_size), needs_images
        self.per_epoch = len(rows) // batch_size
        self._order: tuple[int, Rows] | None = None
        self._on_device = self._copy_to_device()
        # A prefetcher and its batches know each other: pixels on the device would wait for the garbage collector.
        self._gathered = Prefetcher(self._gather) if self._on_device is None else None

    def _copy_to_device(self) -> Tensor | None:
        """All pixels on the GPU if it has so much free and `WORKING_BYTES` beside; minibatches are then gathered there.

        None if not, or if somebody else takes the memory meanwhile. Block by block: PyTorch warns about memory that is
        only for reading, and a copy of it all may not fit.
        """
        if self.device.type != "cuda":
            return None
        if self.images.nbytes + WORKING_BYTES > torch.cuda.mem_get_info(self.device)[0]:
            return None
        try:
            pixels = torch.empty(self.images.shape, dtype=torch.uint8, device=self.device)
        except torch.OutOfMemoryError:
            return None
        for start in range(0, len(pixels), IMAGES_A_BLOCK):
            rows = slice(start, start + IMAGES_A_BLOCK)
            pixels[rows] = torch.from_numpy(np.array(self.images[rows]))
        return pixels

    def batch(self, number: int) -> tuple[Tensor | None, Tensor | None]:
        """The number-th minibatch of the run: (B, H, W, C) uint8, if needed, and labels (B,) int64, if any."""
        if self._gathered is not None:
            images, labels = self._gathered(number)
            return self._sent(images), self._sent(labels)
        assert self._on_device is not None
        rows = self._sent(torch.from_numpy(self._rows(number))) if self.needs_images(number) else None
        return None if rows is None else self._on_device[rows], self._sent(self._labels(number))

    def _gather(self, number: int) -> tuple[Tensor | None, Tensor | None]:
        if not self.needs_images(number):
            return None, self._labels(number)
        return pinned(torch.from_numpy(self.images[self._rows(number)]), self.device), self._labels(number)

    def _labels(self, number: int) -> Tensor | None:
        return None if self.labels is None else torch.from_numpy(self.labels[self._rows(number)])

    def _sent(self, tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else to_device(tensor, self.device)

    def _rows(self, number: int) -> Rows:
        epoch, index = divmod(number, self.per_epoch)
        if self._order is None or self._order[0] != epoch:
            self._order = (epoch, numpy_generator(self.seed, "order", epoch).permutation(self.rows))
        return self._order[1][index * self.batch_size : (index + 1) * self.batch_size][self.part]
