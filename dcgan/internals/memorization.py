"""Does the generator repeat its training images? Nearest training images, in pixels and in code space.

Paper: section 4.1 speaks against memorization with the early epochs of Figure 2 and with de-duplication; the walk of
Figure 4 is its other argument. Here it is measured: how near samples lie to their nearest training image, against how
near real images do that were held out of training.
Inputs: images (N, H, W, C) uint8, or binary codes (N, bits / 8) uint8 of the de-duplication's autoencoder.
Outputs: distances (N, K) and numbers (N, K) of the nearest; shares and ratios.
Published number: none.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import fisher_exact

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
BlockDistance = Callable[[Bytes, Bytes], Floats]
BLOCK_ROWS = 4096
CHANCE = 0.001  # at most, of the verdict `memorized` for a generator whose samples lie like real images


@dataclass(frozen=True)
class Nearest:
    """The K nearest references of each query by their numbers, nearest first: (N, K) each."""

    distances: Floats
    numbers: Rows


def pixel_distances(queries: Bytes, references: Bytes) -> Floats:
    """Root mean square difference of pixels, 0 to 255: (N, ...) and (M, ...) uint8 -> (N, M) float32."""
    a = queries.reshape(len(queries), -1).astype(np.float32)
    b = references.reshape(len(references), -1).astype(np.float32)
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1)[None, :] - 2 * (a @ b.T)
    distances: Floats = np.sqrt(np.maximum(squares, 0) / a.shape[1])
    return distances


def mean_distance(images_uint8: Bytes) -> float:
    """Mean RMS difference between two different images of a set."""
    distances = pixel_distances(images_uint8, images_uint8)
    pairs = distances[np.triu_indices(len(images_uint8), k=1)]
    return float(pairs.mean(dtype=np.float64)) if len(pairs) else 0.0


def code_distances(queries: Bytes, references: Bytes) -> Floats:
    """Number of bits that differ: (N, B) and (M, B) uint8 codes -> (N, M) float32."""
    bits = np.zeros((len(queries), len(references)), np.int32)
    for column in range(queries.shape[1]):
        bits += np.bitwise_count(queries[:, column, None] ^ references[None, :, column])
    return bits.astype(np.float32)


def nearest(queries: Bytes, references: Bytes, rows: Rows, k: int, distance: BlockDistance) -> Nearest:
    """The k nearest of the references with numbers `rows`, block by block, so that memory stays small.

    references: an array or a memory map. Ties go to the row named first. Raises ValueError for fewer than k rows.
    """
    if len(rows) < k:
        raise ValueError(f"{k} nearest of {len(rows)} references")
    distances = np.full((len(queries), 0), 0, np.float32)
    numbers = np.zeros((len(queries), 0), np.int64)
    for start in range(0, len(rows), BLOCK_ROWS):
        block_rows = rows[start : start + BLOCK_ROWS]
        block = distance(queries, references[block_rows])
        block_numbers = np.broadcast_to(block_rows, block.shape)
        distances = np.concatenate([distances, block], axis=1)
        numbers = np.concatenate([numbers, block_numbers], axis=1)
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]
        distances = np.take_along_axis(distances, order, axis=1)
        numbers = np.take_along_axis(numbers, order, axis=1)
    return Nearest(distances, numbers)


def copied_share(samples: Nearest, reals: Nearest, quantile: float) -> float:
    """Share of samples that are nearer to a training image than nearly all held-out real images are.

    `quantile` of the real images are as near by chance, so a share like it speaks for no copying, and 1 for a copier.
    """
    return float(suspicious(samples.distances[:, 0], reals.distances[:, 0], quantile).mean())


def loneliness(found: Nearest) -> npt.NDArray[np.float64]:
    """Distance to the nearest over distance to the second nearest: near 1 in a crowd, near 0 for a copy.

    Unlike the distance, this does not fall because an image is blurred, and so nearer to everything. An exact copy is
    at 0 even where the training images hold the same one twice.
    """
    first, second = found.distances[:, 0].astype(np.float64), found.distances[:, 1].astype(np.float64)
    return np.divide(first, second, out=np.zeros_like(first), where=first > 0)


def closer_share(samples: Nearest, reals: Nearest, quantile: float) -> float:
    """Like `copied_share`, by `loneliness` in place of the distance."""
    return float(suspicious(loneliness(samples), loneliness(reals), quantile).mean())


def suspicious(values: npt.NDArray[Any], reals: npt.NDArray[Any], quantile: float) -> npt.NDArray[np.bool_]:
    """Which values are below the real images' quantile, or 0, which an exact copy has wherever that lies."""
    found: npt.NDArray[np.bool_] = (values < np.quantile(reals, quantile)) | (values == 0)
    return found


def memorized(samples: Nearest, reals: Nearest, quantile: float, chance: float = CHANCE) -> bool:
    """Whether more samples than chance allows are as lonely beside a training image as copies are: the verdict.

    By Fisher's exact test, one-sided, of how many samples and how many held-out real images are below the real images'
    `quantile` of `loneliness`. That these set the mark themselves does no harm: how many samples lie below a rank of
    theirs has the same hypergeometric law if both were drawn alike. Few copies among few samples are not noticed: of
    500, beside 500 real images of which 5 are below, 22 have to be.
    """
    marks = loneliness(reals)
    found = [suspicious(loneliness(of), marks, quantile) for of in (samples, reals)]
    table = [[int(one.sum()) for one in found], [int((~one).sum()) for one in found]]
    return bool(fisher_exact(table, alternative="greater").pvalue < chance)
