"""The nearest images of a set, by pixels.

Inputs: images (N, H, W, C) uint8. Outputs: distances (N, K), root mean square differences of pixels from 0 to 255, and
numbers (N, K) of the nearest.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
BLOCK_ROWS = 4096


@dataclass(frozen=True)
class Nearest:
    """The K nearest references of each query, nearest first: (N, K) each."""

    distances: Floats
    numbers: Rows


def pixel_distances(queries: Bytes, references: Bytes) -> Floats:
    """Root mean square difference of pixels, 0 to 255: (N, ...) and (M, ...) uint8 -> (N, M) float32."""
    b = references.reshape(len(references), -1).astype(np.float32)
    # The formula below subtracts large squares of each other. About their mean, they lose fewer digits.
    center = b.mean(axis=0)
    a, b = queries.reshape(len(queries), -1) - center, b - center
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1)[None, :] - 2 * (a @ b.T)
    distances: Floats = np.sqrt(np.maximum(squares, 0) / a.shape[1]).astype(np.float32)
    return distances


def mean_distance(images_uint8: Bytes) -> float:
    """Mean RMS difference between two different images of a set."""
    distances = pixel_distances(images_uint8, images_uint8)
    pairs = distances[np.triu_indices(len(images_uint8), k=1)]
    return float(pairs.mean(dtype=np.float64)) if len(pairs) else 0.0


def nearest(queries: Bytes, references: Bytes, rows: Rows, k: int) -> Nearest:
    """The k nearest of the references with numbers `rows`, block by block, so that memory stays small.

    references: an array or a memory map. Ties go to the row named first. Distances of the k are computed from the
    differences, so an exact copy has 0. Raises ValueError for fewer than k rows.
    """
    if len(rows) < k:
        raise ValueError(f"{k} nearest of {len(rows)} references")
    distances = np.empty((len(queries), 0), np.float32)
    numbers = np.empty((len(queries), 0), np.int64)
    for start in range(0, len(rows), BLOCK_ROWS):
        block_rows = rows[start : start + BLOCK_ROWS]
        block = pixel_distances(queries, references[block_rows])
        distances = np.concatenate([distances, block], axis=1)
        numbers = np.concatenate([numbers, np.broadcast_to(block_rows, block.shape)], axis=1)
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]
        distances, numbers = np.take_along_axis(distances, order, 1), np.take_along_axis(numbers, order, 1)
    return in_order(exact_distances(queries, references, numbers), numbers)


def exact_distances(queries: Bytes, references: Bytes, numbers: Rows) -> Floats:
    """RMS differences of each query from its own references, (N, K) float32 for numbers (N, K)."""
    found = np.empty(numbers.shape, np.float32)
    for query, own, row in zip(queries, numbers, found, strict=True):
        differences = references[own].astype(np.float32) - query
        row[:] = np.sqrt(np.square(differences).reshape(len(own), -1).mean(axis=1))
    return found


def in_order(distances: Floats, numbers: Rows) -> Nearest:
    """Neighbours with the nearest first; ties keep their order."""
    order = np.argsort(distances, axis=1, kind="stable")
    return Nearest(np.take_along_axis(distances, order, 1), np.take_along_axis(numbers, order, 1))
