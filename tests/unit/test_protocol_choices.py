"""What the protocol chooses on which split: fits are replaced by their cost, whose error is known on each split."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from dcgan.representation import protocol
from dcgan.representation.linear_classifier import Fit, Solver, Split, confusion, whole
from dcgan.representation.protocol import Protocol, Splits, best_cost, curve_point, draws_of, evaluate
from tests.feature_tables import table_of

SOLVER = Solver(tolerance=1e-4, memory_bytes=1 << 28, device=torch.device("cpu"))
PROTOCOL = Protocol(labels_per_class=5, costs=[1.0, 2.0, 3.0], search_draws=2, draws=4, learn_validation=False, seed=1)
VALIDATION_ERRORS, TEST_ERRORS = {1.0: 0.5, 2.0: 0.2, 3.0: 0.4}, {1.0: 0.9, 2.0: 0.6, 3.0: 0.1}


@dataclass
class Fits:
    """The splits of an experiment, and the rows and costs of every fit so far."""

    splits: Splits
    learned: list[tuple[list[list[int]], list[float]]] = field(default_factory=list)

    def fit_draws(
        self, split: Split, draws: Sequence[npt.NDArray[np.int64]], costs: Sequence[float], _: Solver
    ) -> Iterator[Fit]:
        self.learned.append(([split.rows[places].tolist() for places in draws], list(costs)))
        for number in range(len(draws)):
            yield Fit(torch.tensor(costs).view(-1, 1, 1), 1e-5 * len(self.learned) / (number + 1))

    def error_rates(self, split: Split, weights: Tensor, _: object) -> npt.NDArray[np.float64]:
        errors = VALIDATION_ERRORS if split is self.splits.validation else TEST_ERRORS
        assert split is self.splits.validation or split is self.splits.test
        return np.array([errors[cost] for cost in weights.flatten().tolist()])

    def right_answers(self, split: Split, weights: Tensor, _: object) -> npt.NDArray[np.bool_]:
        """The last rows of ten: as many as the cost's error on the test split leaves."""
        assert split is self.splits.test
        return np.arange(10) >= 10 * self.error_rates(split, weights, _)[:, None]


@pytest.fixture
def fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fits:
    """60 rows of three classes, 15 of which are held out of them."""
    x, y = np.zeros((60, 4), np.float32), np.arange(60) % 3
    train, test = (whole(table_of(tmp_path / f"{name}.h5", x, y)) for name in ("train", "test"))
    found = Fits(Splits(train.part(np.arange(45)), train.part(np.arange(45, 60)), test))
    monkeypatch.setattr(protocol, "fit_draws", found.fit_draws)
    monkeypatch.setattr(protocol, "error_rates", found.error_rates)
    monkeypatch.setattr(protocol, "right_answers", found.right_answers)
    monkeypatch.setattr(protocol, "confusion", lambda split, weights, classes: np.zeros((3, 3), np.int64))
    return found


def drawn(split: Split, purpose: str, count: int) -> list[list[int]]:
    return [split.rows[places].tolist() for places in draws_of(split, PROTOCOL, purpose, count)]


def test_c_is_chosen_on_validation_rows_and_the_error_is_that_on_test_rows_of_fresh_draws(fits: Fits) -> None:
    verdict = evaluate(fits.splits, PROTOCOL, SOLVER)
    assert verdict.cost == 2.0 and verdict.gap == 2e-5  # of the fits on fresh draws, not of those that C is chosen by
    assert verdict.validation_errors.tolist() == [[0.5, 0.2, 0.4]] * 2 and verdict.test_errors.tolist() == [0.6] * 4
    train = fits.splits.train
    assert fits.learned == [(drawn(train, "search", 2), [1.0, 2.0, 3.0]), (drawn(train, "test", 4), [2.0])]
    assert not {tuple(rows) for rows in fits.learned[0][0]} & {tuple(rows) for rows in fits.learned[1][0]}


def test_c_is_the_best_of_the_mean_not_of_the_luckiest_draw() -> None:
    assert best_cost(np.array([[0.1, 0.3], [0.9, 0.3]])) == 1


@pytest.mark.parametrize(("learned", "rows"), [(False, 45), (True, 60)])
def test_validation_rows_are_learned_from_at_the_end_only_and_only_where_they_shall(
    fits: Fits, learned: bool, rows: int
) -> None:
    evaluate(fits.splits, replace(PROTOCOL, labels_per_class=None, learn_validation=learned), SOLVER)
    (search, _), (final, _) = fits.learned
    assert search == [list(range(45))] * 2 and final == [list(range(rows))] * 4


def test_a_point_of_a_curve_is_the_test_error_at_the_c_that_is_best_on_validation_rows(fits: Fits) -> None:
    cost, errors = curve_point(fits.splits, PROTOCOL, SOLVER)
    assert cost == 2.0 and errors.tolist() == [0.6, 0.6]


def test_counts_have_a_row_for_what_is_true_and_a_column_for_what_is_predicted(tmp_path: Path) -> None:
    """Every row is taken for class 1 by weights that see the intercept alone."""
    split = whole(table_of(tmp_path / "t.h5", np.zeros((4, 2), np.float32), np.array([0, 0, 1, 2])))
    weights = torch.tensor([[[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]])
    assert confusion(split, weights, np.arange(3)).tolist() == [[0, 2, 0], [0, 1, 0], [0, 1, 0]]
