"""Splits that a labelled set lacks, drawn out of its images for training (sections 5.1 and 5.2).

Input: how many items there are. Output: their numbers in two parts, those that stay and those that are drawn, (n,)
int64, each ascending. What checks parameters before any work draws the same.
"""

from dcgan.core.seeding import numpy_generator
from dcgan.core.splits import Rows, hold_out


def drawn_rows(n: int, count: int, seed: int, name: str, split: str) -> tuple[Rows, Rows]:
    """Of the items of a set, those that stay for training and those that become its validation or test split."""
    further = () if split == "validation" else (split,)
    return hold_out(n, count, numpy_generator(seed, "pack", name, *further))


def validation_rows(n: int, count: int, seed: int) -> tuple[Rows, Rows]:
    """The rows that a classifier learns from, and those that it is chosen by, of a set without a validation split."""
    return hold_out(n, count, numpy_generator(seed, "validation"))
