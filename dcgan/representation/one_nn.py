"""1-nearest-neighbour classification by brute force, with references that stream by (section 8.1, Table 3, Figure 9).

The paper fits a 1-nearest-neighbour classifier (Euclidean, raw pixels) on class-conditional samples and tests it on
MNIST's test digits: error at 50,000 / 10 million samples: real data 3.1 % / -, GAN 6.28 / 5.65, DCGAN 2.98 / 1.48.
Inputs: queries and references (N, H, W, C) uint8 with labels. Outputs: the label of each query's nearest reference.
Operations: 2 Q N D for Q queries, N references, D pixels; memory does not grow with N. With references in batches of
200 it is 1.8 times as fast as scikit-learn's brute force (docs/performance.md).

Exact: pixels less 128 are integers of at most 128, so a float32 product of up to 1,024 of them is exact whatever the
order of summation; distances are then compared as integers. So the result depends neither on the size of blocks nor on
the device nor on how many processes share the references. Of equally near references the first one counts.
"""

from copy import copy

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dcgan.core.distributed import ALONE, Group
from dcgan.core.pixels import Images
from dcgan.data.image_store import Labels

MAX_PIXELS = 1024  # 128^2 * 1,024 = 2^24, the last integer up to which float32 holds every one
REFERENCES_A_BLOCK, QUERIES_A_BLOCK = 4096, 2048
PLACES = 2**32  # references there can be
FAR = -(2**62)


def centered(images_uint8: Images, device: torch.device) -> Tensor:
    """images_uint8: (N, ...) -> (N, D) float32 integers in [-128, 127]."""
    pixels = torch.from_numpy(np.array(images_uint8)).to(device)
    return pixels.flatten(1).float() - 128


class NearestNeighbour:
    """Remembers, for each query, the nearest of all references added so far.

    Raises ValueError for images of more than 1,024 pixels, whose distances would be rounded.
    """

    def __init__(self, queries_uint8: Images, device: torch.device) -> None:
        self.device = device
        self.queries = centered(queries_uint8, device)
        if self.queries.shape[1] > MAX_PIXELS:
            raise ValueError(f"{self.queries.shape[1]} pixels: float32 products are exact up to {MAX_PIXELS}")
        # 2 q.r - |r|^2, which is largest where the distance is smallest and at most 2^26 in absolute value, and, less a
        # whole number of it, the reference's place among all: the largest is the nearest, and of equals the first.
        self._nearness = torch.full((len(self.queries),), FAR, dtype=torch.int64, device=device)
        self._labels = torch.full((len(self.queries),), -1, dtype=torch.int64, device=device)

    def add(self, references_uint8: Images, labels: Labels, first: int) -> None:
        """References (n, H, W, C) uint8 and labels (n,), any number at a time; `first` is the first one's place."""
        for start in range(0, len(references_uint8), REFERENCES_A_BLOCK):
            block = slice(start, start + REFERENCES_A_BLOCK)
            references = centered(references_uint8[block], self.device)
            self._add_block(references, torch.as_tensor(labels[block], device=self.device), first + start)

    def _add_block(self, references: Tensor, labels: Tensor, first: int) -> None:
        norms = references.square().sum(1).int()
        for start in range(0, len(self.queries), QUERIES_A_BLOCK):
            rows = slice(start, start + QUERIES_A_BLOCK)
            products = (self.queries[rows] @ references.T).int()
            nearest, places = (2 * products - norms).max(1)  # of equals, the first
            nearness = nearest.long() * PLACES - (first + places)
            nearer = nearness > self._nearness[rows]
            self._nearness[rows] = torch.where(nearer, nearness, self._nearness[rows])
            self._labels[rows] = torch.where(nearer, labels[places], self._labels[rows])

    @property
    def labels(self) -> Labels:
        """The label of each query's nearest reference, -1 before any was added: (Q,)."""
        found: Labels = self._labels.cpu().numpy()
        return found

    @property
    def distances(self) -> npt.NDArray[np.float64]:
        """Euclidean distance of each query to its nearest reference, in grey levels: (Q,)."""
        nearness = -torch.div(-self._nearness, PLACES, rounding_mode="floor")
        squares = self.queries.square().sum(1).double() - nearness.double()
        found: npt.NDArray[np.float64] = squares.sqrt().cpu().numpy()
        return found

    def shared(self, group: Group) -> "NearestNeighbour":
        """The nearest of the references of all processes of a group, in each of them; this object stays as it is."""
        nearness, labels = group.gather(self._nearness), group.gather(self._labels)
        best = nearness.argmax(0, keepdim=True)
        found = copy(self)
        found._nearness, found._labels = nearness.gather(0, best)[0], labels.gather(0, best)[0]
        return found

    def right(self, labels: Labels, group: Group = ALONE) -> npt.NDArray[np.bool_]:
        """Which queries have a nearest reference of their own label: (Q,)."""
        right: npt.NDArray[np.bool_] = self.shared(group).labels == labels
        return right

    def error(self, labels: Labels, group: Group = ALONE) -> float:
        """The share of queries whose nearest reference has another label."""
        return float((~self.right(labels, group)).mean())
