"""The nearest images of a set, by pixels.

Inputs: images (N, H, W, C) uint8. Outputs: distances (N, K), root mean square differences of pixels from 0 to 255, and
numbers (N, K) of the nearest.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Distances = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
BLOCK_ROWS = 4096
# Without a rounding: products of bytes minus 128 are at most 2**14, and float32 has every whole number up to 2**24.
MIDDLE, EXACT_COLUMNS = np.float32(128), 1024


@dataclass(frozen=True)
class Nearest:
    """The K nearest references of each query, nearest first: (N, K) each."""

    distances: Floats
    numbers: Rows


def pixel_distances(queries: Bytes, references: Bytes) -> Distances:
    """Root mean square difference of pixels, 0 to 255: (N, ...) and (M, ...) uint8 -> (N, M) float64, 0 for equals."""
    a, b = (images.reshape(len(images), -1).astype(np.float32) - MIDDLE for images in (queries, references))
    own, others = ((part * part).sum(1, dtype=np.float64) for part in (a, b))
    products = np.zeros((len(a), len(b)))
    for start in range(0, a.shape[1], EXACT_COLUMNS):
        columns = slice(start, start + EXACT_COLUMNS)
        products += a[:, columns] @ b[:, columns].T
    distances: Distances = np.sqrt((own[:, None] + others - 2 * products) / a.shape[1])
    return distances


def mean_distance(images_uint8: Bytes) -> float:
    """Mean RMS difference between two different images of a set."""
    distances = pixel_distances(images_uint8, images_uint8)
    pairs = distances[np.triu_indices(len(images_uint8), k=1)]
    return float(pairs.mean(dtype=np.float64)) if len(pairs) else 0.0


def nearest(queries: Bytes, references: Bytes, rows: Rows, k: int) -> Nearest:
    """The k nearest of the references with numbers `rows`, block by block, so that memory stays small.

    references: an array or a memory map. Ties go to the row named first; an exact copy has distance 0. Raises
    ValueError for fewer than k rows.
    """
    if len(rows) < k:
        raise ValueError(f"{k} nearest of {len(rows)} references")
    distances = np.empty((len(queries), 0))
    numbers = np.empty((len(queries), 0), np.int64)
    for start in range(0, len(rows), BLOCK_ROWS):
        block_rows = rows[start : start + BLOCK_ROWS]
        block = pixel_distances(queries, references[block_rows])
        distances = np.concatenate([distances, block], axis=1)
        numbers = np.concatenate([numbers, np.broadcast_to(block_rows, block.shape)], axis=1)
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]
        distances, numbers = np.take_along_axis(distances, order, 1), np.take_along_axis(numbers, order, 1)
    return Nearest(distances.astype(np.float32), numbers)


def nearest_first(distances: Floats, numbers: Rows) -> Nearest:
    """Neighbours with the nearest first; ties keep their order."""
    order = np.argsort(distances, axis=1, kind="stable")
    return Nearest(np.take_along_axis(distances, order, 1), np.take_along_axis(numbers, order, 1))
