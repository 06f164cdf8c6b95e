"""Linear classifiers on feature tables: fitted for many draws and costs at once, evaluated on other rows.

Section 5 of the paper. Inputs: rows of feature tables. Outputs: weights (models, classes, d + 1), predictions, error
rates. Between `dcgan/representation/svm/solver.py`, which knows matrices only, and `dcgan/representation/protocol.py`,
which knows what is drawn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dcgan.core.files import InputError
from dcgan.representation.feature_tables import FeatureTable, Rows
from dcgan.representation.svm.certified import FLOAT32_ROUNDING, Problem, certified_optimum, delivered
from dcgan.representation.svm.formulations import (
    Blocks,
    KernelFormulation,
    PrimalFormulation,
    gram_matrix,
    kernel_pays,
    table_blocks,
    tensor_blocks,
)
from dcgan.representation.svm.problem import Columns

Errors = npt.NDArray[np.float64]
Classes = npt.NDArray[np.int64]
Answers = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Split:
    """Some labelled rows of a feature table, in rising order, seen through some of its columns."""

    table: FeatureTable
    rows: Rows
    columns: slice = field(default_factory=lambda: slice(None))

    @property
    def labels(self) -> Classes:
        """Labels of the rows; raises InputError if the table has none."""
        if self.table.labels is None:
            raise InputError(f"{self.table.path}: the table has no labels")
        return self.table.labels[self.rows]

    @property
    def class_names(self) -> list[str]:
        """The names of the classes that occur, or their numbers if the table has no names."""
        names = self.table.classes
        return [names[label] if names else str(label) for label in np.unique(self.labels)]

    @property
    def width(self) -> int:
        """The number of columns seen."""
        return len(range(*self.columns.indices(self.table.shape[1])))

    def part(self, places: Rows) -> "Split":
        """Some of the rows, by their places in this split."""
        return Split(self.table, self.rows[places], self.columns)

    def through(self, columns: slice) -> "Split":
        """The same rows seen through other columns."""
        return Split(self.table, self.rows, columns)


@dataclass(frozen=True, kw_only=True)
class Solver:
    """Where and how exactly the L2-SVM is solved."""

    tolerance: float  # certified relative gap of every column's objective
    memory_bytes: int  # for rows or Gram matrices held at a time
    device: torch.device

    def number_type(self, squares: Tensor, costs: Sequence[float]) -> Tensor:
        """An empty tensor of the type to solve in: float32 as long as its rounding is negligible.

        squares: |u|^2 of every row. Products of rows are rounded by about eps |u|^2. With w = sum b_i u_i at the
        optimum, b = 2 C y h, that moves |w|^2 / 2 by about eps |u|^2 |b|^2 / 2, which is 2 C eps |u|^2 times the loss
        C sum h^2.
        """
        rounding = 2 * max(costs) * FLOAT32_ROUNDING * float(squares.max())
        kind = torch.float32 if rounding <= self.tolerance else torch.float64
        return torch.empty(0, dtype=kind, device=self.device)


class Fit(NamedTuple):
    """weights: (costs, classes, d + 1), the intercept last; gap: certified, relative to the objective, the largest."""

    weights: Tensor
    gap: float


def whole(table: FeatureTable) -> Split:
    """Every row of a table."""
    return Split(table, np.arange(len(table)))


def fit_draws(split: Split, draws: Sequence[Rows], costs: Sequence[float], solver: Solver) -> Iterator[Fit]:
    """For each draw the optimum of every cost and class.

    draws: places in the split. Draws that overlap enough share one Gram matrix of all rows that any of them takes.
    Raises InputError as `fit_rows` does, and if a draw has no row of a class of the split.
    """
    for places in draws:
        absent = np.setdiff1d(split.labels, split.labels[places])
        if len(absent):
            raise InputError(f"{split.table.path}: class {absent[0]} has no row in one of the draws that are learned")
    union = np.unique(np.concatenate(draws))
    saves = len(draws) > 1 and len(union) ** 2 <= sum(len(places) ** 2 for places in draws)
    if not saves or 8 * len(union) ** 2 + split.table.row_bytes(split.columns) * len(union) > solver.memory_bytes:
        for places in draws:
            yield fit_rows(split.part(places), costs, solver)
        return
    pool = split.part(union)
    x = torch.from_numpy(pool.table.read(pool.rows, pool.columns)).to(solver.device)
    squares = squares_of(tensor_blocks(x), pool)
    gram = gram_matrix(tensor_blocks(x), len(union), solver.number_type(squares, costs))
    for places in draws:
        inside = torch.from_numpy(np.searchsorted(union, places)).to(solver.device)
        formulation = KernelFormulation(gram[inside][:, inside])
        yield _fit(formulation, tensor_blocks(x[inside]), squares[inside], split.part(places), costs, solver)


def fit_rows(split: Split, costs: Sequence[float], solver: Solver) -> Fit:
    """The optimum on all rows of a split for every cost and class.

    Raises InputError if a value is not finite, or if the optimum cannot be certified to the solver's tolerance.
    """
    n, d, columns = len(split.rows), split.width, len(costs) * len(np.unique(split.labels))
    blocks = table_blocks(split.table, split.rows, split.columns, solver.memory_bytes, solver.device)
    squares = squares_of(blocks, split)
    like = solver.number_type(squares, costs)
    formulation: KernelFormulation | PrimalFormulation
    if kernel_pays(n, d, columns, solver.memory_bytes):
        formulation = KernelFormulation(gram_matrix(blocks, n, like))
    else:
        formulation = PrimalFormulation(blocks, n, d, like)
    return _fit(formulation, blocks, squares, split, costs, solver)


def squares_of(blocks: Blocks, split: Split) -> Tensor:
    """|u|^2 of every row with the intercept's 1, (n,) float64; raises InputError if float32 cannot hold one."""
    squares = torch.cat([torch.linalg.vector_norm(x, dim=1, dtype=torch.float32) for _, x in blocks()]).square() + 1
    if not squares.isfinite().all():
        row = int(split.rows[int((~squares.isfinite()).nonzero()[0])])
        raise InputError(f"{split.table.path}: the features of row {row} are not finite numbers, or too large")
    return squares.double()


def _fit(
    formulation: KernelFormulation | PrimalFormulation,
    blocks: Blocks,
    squares: Tensor,
    split: Split,
    costs: Sequence[float],
    solver: Solver,
) -> Fit:
    columns = columns_of(split.labels, costs, squares)
    problem = Problem(formulation, blocks, columns, split.width, solver.tolerance, solver.memory_bytes)
    try:
        found = certified_optimum(problem)
    except InputError as error:
        raise InputError(f"{split.table.path}: {error}") from error
    weights, gap = delivered(*found, columns.costs, squares, solver.tolerance)
    return Fit(weights.view(len(costs), -1, weights.shape[1]), gap)


def columns_of(labels: Classes, costs: Sequence[float], like: Tensor) -> Columns:
    """One column for each cost and, within it, each class: +1 for rows of the class, -1 for all others."""
    truth = torch.from_numpy(labels[None] == np.unique(labels)[:, None]).to(like.device)
    signs = torch.where(truth, 1.0, -1.0).to(like).repeat(len(costs), 1)
    return Columns(signs, torch.tensor(costs, dtype=torch.float64).repeat_interleave(len(truth)).to(like))


def predict(split: Split, weights: Tensor) -> Classes:
    """weights: (models, classes, d + 1) -> the place of the highest class score of each row: (models, n)."""
    models, classes, _ = weights.shape
    flat = weights.flatten(0, 1)
    places = []
    for _, x in table_blocks(split.table, split.rows, split.columns, 0, weights.device)():
        scores = torch.addmm(flat[:, -1:], flat[:, :-1], x.to(flat).T)
        places.append(scores.view(models, classes, -1).argmax(1).cpu().numpy())
    return np.concatenate(places, axis=1)


def right_answers(split: Split, weights: Tensor, classes: Classes) -> Answers:
    """Which rows each model gets right: (models, n). classes: the labels that were learned, rising."""
    right: Answers = classes[predict(split, weights)] == split.labels
    return right


def error_rates(split: Split, weights: Tensor, classes: Classes) -> Errors:
    """The share of wrong rows of each model: (models,)."""
    wrong: Errors = (~right_answers(split, weights, classes)).mean(axis=1)
    return wrong


def confusion(split: Split, weights: Tensor, classes: Classes) -> npt.NDArray[np.int64]:
    """Rows: truth, columns: predicted; counts over all models: (classes, classes)."""
    counts = np.zeros((len(classes), len(classes)), np.int64)
    truth = np.searchsorted(classes, split.labels)
    for places in predict(split, weights):
        np.add.at(counts, (truth, places), 1)
    return counts
