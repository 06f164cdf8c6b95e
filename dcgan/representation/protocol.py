"""How a classifier on features is evaluated: draws of labelled rows, the choice of C, the error with its interval.

Sections 5.1 and 5.2 of the paper and `svhn/svhn_semisup_analysis.py`: the cost C with the least mean validation error
over some draws of labelled rows is taken, then so many fresh draws at that C are evaluated on the test split; mean and
1.96 standard deviations over the draws. "All labels" is the one draw that takes every row.
Inputs: splits of feature tables. Outputs: errors (shares), confusion matrices. Published: 22.48 % error (SVHN, 1,000
labels), 82.8 % and 73.8 +- 0.4 % accuracy (CIFAR-10, all labels and 400 a class).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from dcgan.core.drawn_splits import validation_rows
from dcgan.core.files import InputError
from dcgan.core.seeding import numpy_generator
from dcgan.representation.feature_tables import Rows
from dcgan.representation.linear_classifier import (
    Answers,
    Classes,
    Errors,
    Solver,
    Split,
    confusion,
    error_rates,
    fit_draws,
    right_answers,
)

NORMAL_95 = 1.96


@dataclass(frozen=True)
class Splits:
    """What is learned from, what C is chosen on, what the error is measured on.

    Raises InputError if fewer than two classes are learned, or if rows to be classified are of a class that is not
    learned. The reverse is no mistake: few held-out rows may lack a rare class.
    """

    train: Split
    validation: Split
    test: Split

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise InputError(f"{self.train.table.path}: all rows are of one class, {self.classes[0]}; nothing to learn")
        for split in (self.validation, self.test):
            unknown = np.setdiff1d(split.labels, self.classes)
            if len(unknown):
                raise InputError(
                    f"{split.table.path}: class {unknown[0]} is to be recognised, but none of its rows is learned"
                )

    @property
    def classes(self) -> Classes:
        """The labels that are learned, rising."""
        return np.unique(self.train.labels)

    def through(self, columns: slice) -> "Splits":
        """The same rows seen through some of the columns."""
        return Splits(*(split.through(columns) for split in (self.train, self.validation, self.test)))


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """labels_per_class: None takes every row, and then every draw is the same one."""

    labels_per_class: int | None
    costs: Sequence[float]
    search_draws: int
    draws: int
    learn_validation: bool  # once C is chosen, the validation rows are learned from too
    seed: int


@dataclass(frozen=True)
class Evaluation:
    """validation_errors: (search_draws, costs); right: (draws, test rows); counts: (truth, predicted).

    gap: the largest certified relative gap of the fits whose answers these are.
    """

    validation_errors: Errors
    cost: float
    right: Answers
    counts: npt.NDArray[np.int64]
    gap: float

    @property
    def test_errors(self) -> Errors:
        """The share of test rows that each draw gets wrong: (draws,)."""
        wrong: Errors = (~self.right).mean(axis=1)
        return wrong


def draw_rows(labels: Classes, per_class: int | None, generator: np.random.Generator) -> Rows:
    """Places of `per_class` rows of every class, rising; all places for None.

    Raises InputError if a class has fewer rows.
    """
    if per_class is None:
        return np.arange(len(labels))
    chosen = []
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        if len(places) < per_class:
            raise InputError(f"class {label} has {len(places)} labelled rows, the protocol draws {per_class}")
        chosen.append(generator.permutation(places)[:per_class])
    return np.sort(np.concatenate(chosen))


def draws_of(split: Split, protocol: Protocol, purpose: str, count: int) -> list[Rows]:
    """So many draws, each from a generator of its own: the tenth is the same whether ten or a hundred are drawn."""
    return [
        draw_rows(split.labels, protocol.labels_per_class, numpy_generator(protocol.seed, purpose, number))
        for number in range(count)
    ]


def hold_out_validation(split: Split, count: int, seed: int) -> tuple[Split, Split]:
    """Splits off `count` random rows, for sets that come without a validation split; returns (the others, these)."""
    if not 0 < count < len(split.rows):
        raise InputError(f"{split.table.path}: {count} validation rows cannot be held out of {len(split.rows)}")
    rest, drawn = validation_rows(len(split.rows), count, seed)
    return split.part(rest), split.part(drawn)


def evaluate(splits: Splits, protocol: Protocol, solver: Solver) -> Evaluation:
    """The whole protocol: C by validation, then the error on the test split."""
    search = draws_of(splits.train, protocol, "search", protocol.search_draws)
    validation_errors = grid_errors(splits, [splits.validation], search, protocol.costs, solver)[0]
    cost = protocol.costs[best_cost(validation_errors)]
    learned = joined(splits.train, splits.validation) if protocol.learn_validation else splits.train
    final = draws_of(learned, protocol, "test", protocol.draws)
    fits = list(fit_draws(learned, final, [cost], solver))
    weights, gap = torch.cat([fit.weights for fit in fits]), max(fit.gap for fit in fits)
    right = right_answers(splits.test, weights, splits.classes)
    return Evaluation(validation_errors, cost, right, confusion(splits.test, weights, splits.classes), gap)


def joined(train: Split, validation: Split) -> Split:
    """Both splits as one; raises InputError if they are different tables."""
    if train.table is not validation.table:
        raise InputError(f"{validation.table.path}: to be learned from, validation rows must be held out of train")
    return Split(train.table, np.sort(np.concatenate([train.rows, validation.rows])), train.columns)


def curve_point(splits: Splits, protocol: Protocol, solver: Solver) -> tuple[float, Errors]:
    """The best cost by validation and the test errors of the search draws at that cost; one grid serves both."""
    draws = draws_of(splits.train, protocol, "search", protocol.search_draws)
    both = grid_errors(splits, [splits.validation, splits.test], draws, protocol.costs, solver)
    place = best_cost(both[0])
    return protocol.costs[place], both[1][:, place]


def grid_errors(
    splits: Splits, evaluated: Sequence[Split], draws: Sequence[Rows], costs: Sequence[float], solver: Solver
) -> Errors:
    """The error of every draw of train at every cost on each of the evaluated splits: (splits, draws, costs)."""
    weights = torch.cat([fit.weights for fit in fit_draws(splits.train, draws, costs, solver)])
    rates = [error_rates(split, weights, splits.classes) for split in evaluated]
    return np.stack(rates).reshape(len(evaluated), len(draws), len(costs))


def best_cost(validation_errors: Errors) -> int:
    """The place of the cost with the least mean error over draws (draws, costs); the smaller cost wins a tie."""
    return int(validation_errors.mean(axis=0).argmin())


def end_of_grid(cost: float, costs: Sequence[float]) -> str | None:
    """ "smallest" or "largest" if no cost beyond the chosen one was tried though others were, else None."""
    if min(costs) == max(costs) or min(costs) < cost < max(costs):
        return None
    return "smallest" if cost == min(costs) else "largest"


def interval(errors: Errors) -> float:
    """1.96 standard deviations over the draws, as the published code prints it."""
    return float(NORMAL_95 * errors.std())
