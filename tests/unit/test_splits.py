"""Held-out parts: every item once, ascending, and the same draw as ever for the same seed."""

import numpy as np

from dcgan.core.seeding import numpy_generator
from dcgan.core.splits import hold_out, training_rows


def test_every_item_is_in_one_part_and_both_ascend() -> None:
    rest, drawn = hold_out(50, 10, numpy_generator(1, "split"))
    assert len(drawn) == 10 and sorted([*rest, *drawn]) == list(range(50))
    assert (np.diff(rest) > 0).all() and (np.diff(drawn) > 0).all()


def test_nothing_and_everything_can_be_held_out() -> None:
    assert [len(part) for part in hold_out(5, 0, numpy_generator(1, "a"))] == [5, 0]
    assert [len(part) for part in hold_out(5, 5, numpy_generator(1, "a"))] == [0, 5]


def test_the_first_numbers_of_a_permutation_are_drawn() -> None:
    """Files of earlier runs hold these very rows: another way of drawing would train on what was held out."""
    order = numpy_generator(3, "held out").permutation(41)
    rows, held_out = training_rows(41, 9, seed=3)
    assert held_out.tolist() == sorted(order[:9]) and rows.tolist() == sorted(order[9:])
