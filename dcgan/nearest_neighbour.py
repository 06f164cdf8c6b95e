"""1-nearest-neighbour classification by brute force, with references that stream by (section 8.1, Table 3, Figure 9).

The paper fits a 1-nearest-neighbour classifier (Euclidean, raw pixels) on class-conditional samples and judges it on
MNIST's test digits: error at 50,000 / 10 million samples: real data 3.1 % / -, GAN 6.28 / 5.65, DCGAN 2.98 / 1.48.
Inputs: queries and references (N, H, W, C) uint8 with labels. Outputs: the label of each query's nearest reference.
Operations: 2 Q N D for Q queries, N references, D pixels; memory does not grow with N.

Exact: pixels less 128 are integers of at most 128, so a float32 product of up to 1,024 of them is exact whatever the
order of summation; distances are then compared as integers. So the result depends neither on the size of blocks nor on
the device. Of equally near references the first one counts.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dcgan.pixels import Images
from dcgan.store import Labels

MAX_PIXELS = 1024  # 128^2 * 1,024 = 2^24, the last integer up to which float32 holds every one
REFERENCES_A_BLOCK, QUERIES_A_BLOCK = 4096, 2048
FAR = torch.iinfo(torch.int32).min


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
        # 2 q.r - |r|^2, which is largest where the distance is smallest; at most 2^26 in absolute value.
        self._nearness = torch.full((len(self.queries),), FAR, dtype=torch.int32, device=device)
        self._labels = torch.full((len(self.queries),), -1, dtype=torch.int64, device=device)

    def add(self, references_uint8: Images, labels: Labels) -> None:
        """References (n, H, W, C) uint8 and labels (n,); any number at a time."""
        for start in range(0, len(references_uint8), REFERENCES_A_BLOCK):
            block = slice(start, start + REFERENCES_A_BLOCK)
            references = centered(references_uint8[block], self.device)
            self._add_block(references, torch.as_tensor(labels[block], device=self.device))

    def _add_block(self, references: Tensor, labels: Tensor) -> None:
        norms = references.square().sum(1).int()
        for start in range(0, len(self.queries), QUERIES_A_BLOCK):
            rows = slice(start, start + QUERIES_A_BLOCK)
            products = (self.queries[rows] @ references.T).int()
            nearness, places = (2 * products - norms).max(1)
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
        squares = self.queries.square().sum(1).double() - self._nearness.double()
        found: npt.NDArray[np.float64] = squares.sqrt().cpu().numpy()
        return found

    def error(self, labels: Labels) -> float:
        """The share of queries whose nearest reference has another label."""
        return float((self.labels != labels).mean())
