"""Random parts of a set that are held out: from training, for validation, for measuring a classifier.

Input: how many items there are. Output: their numbers in two parts, (n,) int64, each ascending.
"""

import numpy as np
import numpy.typing as npt

from dcgan.core.seeding import numpy_generator

Rows = npt.NDArray[np.int64]


def hold_out(n: int, count: int, random: np.random.Generator) -> tuple[Rows, Rows]:
    """Draws `count` of n items without replacement; returns the others and these."""
    order = random.permutation(n)
    return np.sort(order[count:]), np.sort(order[:count])


def training_rows(n: int, held_out: int, seed: int) -> tuple[Rows, Rows]:
    """The rows of a store that a network trains on, and the `held_out` rows that it never sees.

    Quality and memorization are measured against the second. Differs: the paper trains on all images.
    """
    return hold_out(n, held_out, numpy_generator(seed, "held out"))
