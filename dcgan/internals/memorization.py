"""Does the generator repeat its training images?

Paper: section 4.1 argues against memorization with early epochs and with de-duplication, without a number. Here it is
measured. A generator that memorizes need not repeat pixels: it may shift, mirror, blur or brighten its training images.
So a sample is compared with every training image in every alignment (shifted by up to two pixels, mirrored or not),
after both were low-passed and brought to the same mean and contrast. A copy is much nearer to its original than to any
other image. The measure is therefore a ratio, of the distance to the nearest training image to the median distance to
the 5th to 20th nearest: 0 for a copy, near 1 for an image that resembles many. It starts at the 5th because
near-duplicates of the original may be left in the set. It does not fall because samples are blurred. Which ratios arise
without copying is seen on real images that were held out of training. tests/unit/test_memorization.py has the power
against each kind of copy, and the rate of false alarms.

Inputs: images (N, S, S, C) uint8, S of 16 or more. Outputs: neighbours, ratios (N,), a p-value.
"""

from collections.abc import Iterator, Mapping
from math import comb

import cv2
import numpy as np
import numpy.typing as npt

from dcgan.internals.nearest_images import BLOCK_ROWS, Bytes, Floats, Nearest, Rows, nearest_first

Ratios = npt.NDArray[np.float64]
Marks = npt.NDArray[np.bool_]
MAX_SHIFT = 2  # pixels, in both directions
CANDIDATES = 64  # training images that each query is compared with in every alignment
NEIGHBOURS = 20
COMPARED_WITH = slice(4, NEIGHBOURS)  # the 5th to 20th nearest
QUERIES_AT_ONCE = 64
# Shares of the held-out images that lie below the thresholds at which samples are counted.
QUANTILES = (0.01, 0.02, 0.05, 0.1, 0.2)
# Further marks, by the share of held-out images below them. Few copies show at the first if they are close ones: only
# near-duplicates that are left in the set lie so near to one image. Blurred or noisy ones show at the second.
MARKS = {"close": 0.01, "distorted": 0.2}
REAL = "copied_real"  # the set of held-out real images
CHANCE = 0.001  # of the verdict "memorized" for a generator whose samples lie like real images


def aligned_neighbours(queries: Bytes, references: Bytes, rows: Rows) -> Nearest:
    """The 20 nearest of the references with numbers `rows`, each in its best alignment; distances 0 to 2.

    A distance is the root mean square difference of two low-passed images of mean 0 and standard deviation 1. The 64
    candidates of a query are the nearest at a coarser scale, mirrored or not. Raises ValueError for fewer than 20 rows.
    """
    if len(rows) < NEIGHBOURS:
        raise ValueError(f"{NEIGHBOURS} nearest of {len(rows)} references")
    candidates = coarse_candidates(queries, references, rows)
    parts = range(0, len(queries), QUERIES_AT_ONCE)
    found = [
        align(queries[start : start + QUERIES_AT_ONCE], references, candidates[start : start + QUERIES_AT_ONCE])
        for start in parts
    ]
    best = nearest_first(np.concatenate(found), candidates)
    return Nearest(best.distances[:, :NEIGHBOURS], best.numbers[:, :NEIGHBOURS])


def coarse_candidates(queries: Bytes, references: Bytes, rows: Rows) -> Rows:
    """Numbers of the references that are nearest at a coarse scale, (N, up to 64)."""
    both = [coarse(queries), coarse(queries[:, :, ::-1])]
    likeness = np.empty((len(queries), 0), np.float32)
    numbers = np.empty((len(queries), 0), np.int64)
    for start in range(0, len(rows), BLOCK_ROWS):
        block_rows = rows[start : start + BLOCK_ROWS]
        block = coarse(references[block_rows])
        likeness = np.concatenate([likeness, np.maximum(*(own @ block.T for own in both))], axis=1)
        numbers = np.concatenate([numbers, np.broadcast_to(block_rows, (len(queries), len(block_rows)))], axis=1)
        order = np.argsort(-likeness, axis=1, kind="stable")[:, :CANDIDATES]
        likeness, numbers = np.take_along_axis(likeness, order, 1), np.take_along_axis(numbers, order, 1)
    return numbers


def align(queries: Bytes, references: Bytes, candidates: Rows) -> Floats:
    """Distance of each query to each of its candidates in the best of all alignments, (n, K) float32."""
    alignments = np.stack(list(fine_alignments(queries)), axis=1)
    found = np.empty(candidates.shape, np.float32)
    for aligned, own, row in zip(alignments, candidates, found, strict=True):
        fixed = fine(references[own])
        best = aligned[(aligned @ fixed.T).argmax(axis=0)]
        # From the differences: a copy is at 0, which the products above would miss by a rounding.
        row[:] = np.sqrt(np.square(best - fixed).mean(axis=1))
    return found


def fine_alignments(images_uint8: Bytes) -> Iterator[Floats]:
    """The images in each alignment, as `fine` describes images: (N, D) each, 50 in all."""
    for mirrored in (images_uint8, images_uint8[:, :, ::-1]):
        smooth = low_pass(mirrored, 1.0)
        for down in range(-MAX_SHIFT, MAX_SHIFT + 1):
            for right in range(-MAX_SHIFT, MAX_SHIFT + 1):
                yield standardized(cropped(smooth, down, right), step=2)


def fine(images_uint8: Bytes) -> Floats:
    """(N, S, S, C) -> (N, D): low-passed, without the border that shifts may move out of the image."""
    return standardized(cropped(low_pass(images_uint8, 1.0), 0, 0), step=2)


def coarse(images_uint8: Bytes) -> Floats:
    """(N, S, S, C) -> (N, D): at a scale where a shift by two pixels matters little."""
    return standardized(low_pass(images_uint8, 2.0), step=4)


def low_pass(images_uint8: Bytes, deviation: float) -> Floats:
    """Gaussian blur, of a standard deviation in pixels of an image of 32 x 32: (N, S, S, C) float32."""
    sigma = deviation * images_uint8.shape[1] / 32
    blurred = [
        cv2.GaussianBlur(i.astype(np.float32), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE) for i in images_uint8
    ]
    return np.stack(blurred).reshape(images_uint8.shape)


def cropped(images: Floats, down: int, right: int) -> Floats:
    """The part of the images that no shift moves out of them, seen after a shift: a view."""
    side = images.shape[1] - 2 * MAX_SHIFT
    return images[:, MAX_SHIFT + down :, MAX_SHIFT + right :][:, :side, :side]


def standardized(images: Floats, step: int) -> Floats:
    """Some pixels, brought to mean 0 and standard deviation 1 per image: (N, D).

    Of 32 a side every `step`-th, of others in proportion, rounded down: of 28 a side, all with a step of 2.
    """
    step = max(1, step * images.shape[1] // 32)
    flat = images[:, ::step, ::step].reshape(len(images), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return np.ascontiguousarray(flat / np.maximum(flat.std(axis=1, keepdims=True), 1e-6), dtype=np.float32)


def distance_ratios(found: Nearest) -> Ratios:
    """Distance to the nearest over the median distance to the 5th to 20th nearest: (N,), 0 for a copy."""
    first = found.distances[:, 0].astype(np.float64)
    others = np.median(found.distances[:, COMPARED_WITH].astype(np.float64), axis=1)
    return np.divide(first, others, out=np.zeros_like(first), where=first > 0)


def copying_p_value(samples: Ratios, real: Ratios) -> float:
    """How likely so many low ratios of samples are if samples lie like held-out real images.

    At each of five thresholds, which quantiles of the real ratios set, Fisher's exact test (one-sided) compares how
    many samples and how many real images lie below. That the real ones set the thresholds does no harm: how many
    samples lie below a rank of theirs has the same hypergeometric law if both were drawn alike. The smallest of the
    five p-values is multiplied by five (Bonferroni).
    """
    smallest = min(p_value_below(samples, real, float(np.quantile(real, quantile))) for quantile in QUANTILES)
    return min(1.0, len(QUANTILES) * smallest)


def p_value_below(samples: Ratios, real: Ratios, threshold: float) -> float:
    """One-sided p-value of Fisher's exact test of the shares at or below a threshold."""
    low = [int((ratios <= threshold).sum()) for ratios in (samples, real)]
    return hypergeometric_tail(low[0], sum(low), len(samples), len(samples) + len(real))


def hypergeometric_tail(count: int, marked: int, drawn: int, total: int) -> float:
    """The probability that `count` or more of `drawn` items are marked, drawn from `total` of which `marked` are.

    count: one that is possible. Exact, in whole numbers; SciPy's would take a second to import.
    """
    ways, cases = comb(marked, count) * comb(total - marked, drawn - count), 0
    for n in range(count, min(marked, drawn) + 1):
        cases += ways
        ways = ways * (marked - n) * (drawn - n) // ((n + 1) * (total - marked - drawn + n + 1))
    return cases / comb(total, drawn)


def mark_copies(ratios: Mapping[str, Ratios], real: str, quantile: float) -> dict[str, Marks]:
    """Which images of each set have a ratio below a `quantile` of that of held-out real images, the set named `real`.

    Every second one of these sets the threshold, and only the others are marked, so no share is so by construction.
    """
    threshold = np.quantile(ratios[real][::2], quantile)
    return {name: (values[1::2] if name == real else values) < threshold for name, values in ratios.items()}


def marks_of(ratios: Mapping[str, Ratios], quantile: float) -> dict[str, Marks]:
    """`copied` and whatever else there is, marked at `quantile`; `copied` and `copied_real` at each of MARKS, too."""
    found = mark_copies(ratios, REAL, quantile)
    for name, further in MARKS.items():
        marks = mark_copies(ratios, REAL, further)
        found |= {name: marks["copied"], f"{name}_real": marks[REAL]}
    return found
