"""Grouping of as many codes as LSUN has bedrooms: equal ones, and those within a radius; time and memory of one core.

    python -m benchmarks.codes [--count 3033042] [--radius 12]

The codes are drawn like those of real bedrooms: signs of a Gaussian vector whose correlations have the spectrum
measured on 3,000 photos (a little steeper, so that there are more near misses, not fewer), bits on in 30 to 66 % of the
images. 9 in 100 are copies with 0 to 10 flipped bits (on average 3), of which about a twentieth are equal, and as many
again exact copies. Promises: equal codes within 3 s and 400 MB more than the codes themselves took before; the radius
within 600 s.
"""

import argparse
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from dcgan.dedup.hamming_search import find_duplicates
from dcgan.dedup.hash_codes import Codes, find_equal

BITS, SPECTRUM_DECAY = 128, 8.0
NEAR_SHARE, EQUAL_SHARE, MEAN_FLIPS, MOST_FLIPS = 0.09, 0.09, 3.0, 10
DRAWN_AT_ONCE = 1 << 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=3_033_042)
    parser.add_argument("--radius", type=int, default=12, help="0: equal codes only")
    options = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    codes = draw_codes(options.count, np.random.default_rng(0))
    before = peak_resident_mb()
    started = time.process_time()
    equal = find_equal(codes)
    seconds = time.process_time() - started
    print(f"{len(codes):,} codes: {len(equal.removed):,} equal to an earlier one, found in {seconds:.2f} s of one core")
    print(f"memory: {before} MB with the codes, {peak_resident_mb()} MB at most")
    if options.radius:
        started = time.process_time()
        near = find_duplicates(codes, options.radius)
        seconds = time.process_time() - started
        print(f"radius {options.radius}: {len(near.removed):,} removed, in {seconds:.0f} s of one core")
        print(f"memory: {peak_resident_mb()} MB at most")


def draw_codes(count: int, generator: np.random.Generator) -> Codes:
    """Codes with copies, in random order: (count, 16) uint8."""
    n_near, n_equal = int(count * NEAR_SHARE), int(count * EQUAL_SHARE)
    mixing = correlated(generator)
    thresholds = generator.normal(0, 0.28, BITS)
    originals = np.concatenate(
        [draw_signs(min(DRAWN_AT_ONCE, count - n_near - n_equal - start), mixing, thresholds, generator)
         for start in range(0, count - n_near - n_equal, DRAWN_AT_ONCE)]
    )  # fmt: skip
    near = originals[generator.integers(0, len(originals), n_near)]
    flips = np.minimum(generator.poisson(MEAN_FLIPS, n_near), MOST_FLIPS)
    for number in range(MOST_FLIPS):
        flipped = np.flatnonzero(flips > number)
        bits = generator.integers(0, BITS, len(flipped))
        near[flipped, bits // 8] ^= (1 << (bits % 8)).astype(np.uint8)
    equal = originals[generator.integers(0, len(originals), n_equal)]
    return np.concatenate([originals, near, equal])[generator.permutation(count)]


def correlated(generator: np.random.Generator) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A mixing matrix of correlated unit variables with exponentially falling eigenvalues."""
    basis = np.linalg.qr(generator.standard_normal((BITS, BITS)))[0]
    mixing = basis * np.sqrt(np.exp(-np.arange(BITS) / SPECTRUM_DECAY))
    return np.asarray(mixing / np.linalg.norm(mixing, axis=1, keepdims=True), np.float32)


def draw_signs(count: int, mixing: Any, thresholds: Any, generator: np.random.Generator) -> Codes:
    """Packed signs of correlated Gaussian vectors."""
    values = generator.standard_normal((count, BITS), dtype=np.float32) @ mixing.T
    return np.packbits(values > thresholds, axis=1)


def peak_resident_mb() -> int:
    """The most memory this process has had in RAM at once."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


if __name__ == "__main__":
    main()
