"""The protocols: what is drawn, how C is chosen, and errors counted by class."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dcgan.core.files import InputError
from dcgan.representation.linear_classifier import Solver, Split, whole
from dcgan.representation.protocol import (
    Protocol,
    Splits,
    best_cost,
    draw_rows,
    draws_of,
    evaluate,
    hold_out_validation,
    interval,
)
from tests.feature_tables import table_of

SOLVER = Solver(tolerance=1e-4, memory_bytes=1 << 28, device=torch.device("cpu"))
PROTOCOL = Protocol(labels_per_class=None, costs=[1.0], search_draws=1, draws=1, learn_validation=False, seed=1)


def corners(folder: Path, name: str, labels: list[int]) -> Split:
    """Rows in corners of their own, one corner a label below 4, with a little noise: no row can be mistaken."""
    y = np.array(labels, np.int64)
    x = 3 * np.eye(4, dtype=np.float32)[y % 4] + np.random.default_rng(len(y)).normal(0, 0.05, (len(y), 4))
    return whole(table_of(folder / f"{name}.h5", x.astype(np.float32), y))


def three(folder: Path, train: list[int], validation: list[int], test: list[int]) -> Splits:
    return Splits(*(corners(folder, n, y) for n, y in (("train", train), ("validation", validation), ("test", test))))


def test_a_test_split_without_some_classes_is_evaluated_by_the_classes_learned(tmp_path: Path) -> None:
    """Their places among the classes of the test split would be others."""
    found = evaluate(three(tmp_path, [0, 1, 2, 3] * 8, [1, 2] * 4, [2, 3, 3]), PROTOCOL, SOLVER)
    assert found.validation_errors.tolist() == [[0.0]] and found.test_errors.tolist() == [0.0]
    assert found.counts.tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 2]]


def test_answers_are_right_or_wrong_row_by_row_in_the_order_of_the_test_split(tmp_path: Path) -> None:
    """The fourth and the sixth row lie in the corner of another class than their label says."""
    splits = three(tmp_path, [0, 1, 2, 3] * 8, [1, 2] * 4, [2, 3, 0, 1, 1, 2])
    assert splits.test.table.labels is not None
    splits.test.table.labels[[3, 5]] = 3
    found = evaluate(splits, PROTOCOL, SOLVER)
    assert found.right.tolist() == [[True, True, True, False, True, False]]
    assert found.test_errors.tolist() == [pytest.approx(1 / 3)]


def test_labels_need_not_be_neighbours(tmp_path: Path) -> None:
    found = evaluate(three(tmp_path, [0, 5, 7, 10] * 8, [5, 10] * 4, [0, 7, 7]), PROTOCOL, SOLVER)
    assert found.test_errors.tolist() == [0.0] and found.counts.diagonal().tolist() == [1, 0, 2, 0]


def test_a_class_that_is_not_learned_cannot_be_recognised(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"test\.h5: class 3 is to be recognised"):
        three(tmp_path, [0, 1, 2] * 8, [1, 2] * 4, [2, 3])


def test_one_class_is_nothing_to_learn(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"train\.h5: all rows are of one class, 1"):
        three(tmp_path, [1, 1] * 8, [1] * 4, [1])


def test_draw_takes_so_many_of_each_class() -> None:
    labels = np.repeat(np.arange(3), 50)
    rows = draw_rows(labels, 7, np.random.default_rng(0))
    assert np.bincount(labels[rows]).tolist() == [7, 7, 7] and (np.diff(rows) > 0).all()
    assert draw_rows(labels, None, np.random.default_rng(0)).tolist() == list(range(150))
    with pytest.raises(InputError, match="class 0 has 50 labelled rows, the protocol draws 51"):
        draw_rows(labels, 51, np.random.default_rng(0))


def test_more_draws_begin_with_the_same_ones(tmp_path: Path) -> None:
    split = corners(tmp_path, "train", [0, 1, 2] * 20)
    few = Protocol(labels_per_class=5, costs=[1.0], search_draws=1, draws=1, learn_validation=False, seed=1)
    ten, three_draws = draws_of(split, few, "test", 10), draws_of(split, few, "test", 3)
    assert all(np.array_equal(one, other) for one, other in zip(three_draws, ten, strict=False))
    assert len({one.tobytes() for one in ten}) == 10


def test_held_out_rows_are_the_others(tmp_path: Path) -> None:
    split = corners(tmp_path, "train", [0, 1] * 10)
    left, held = hold_out_validation(split, 6, seed=3)
    assert len(held.rows) == 6 and np.array_equal(np.sort(np.concatenate([left.rows, held.rows])), split.rows)
    for count in (0, 20):
        with pytest.raises(InputError, match="cannot be held out of 20"):
            hold_out_validation(split, count, seed=3)


def test_the_smaller_cost_wins_a_tie() -> None:
    assert best_cost(np.array([[0.5, 0.2, 0.2, 0.4], [0.5, 0.4, 0.4, 0.2]])) == 1


def test_interval_is_of_the_draws_spread() -> None:
    assert interval(np.array([0.10, 0.14])) == pytest.approx(1.96 * 0.02)
