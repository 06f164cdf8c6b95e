"""What the L2-SVM of `dcgan/representation/svm/solver.py` is made of: its columns, points, and a `Side`, a way to hold
rows and weights."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from dcgan.representation.svm.preconditioner import Basis


@dataclass(frozen=True)
class Columns:
    """The problems that advance together: signs (k, n) of +-1, costs (k,)."""

    signs: Tensor
    costs: Tensor

    def __getitem__(self, chosen: Tensor) -> "Columns":
        return Columns(self.signs[chosen], self.costs[chosen])

    def slack(self, margins: Tensor, rows: slice = slice(None)) -> Tensor:
        """h: (k, rows), the hinge of each row."""
        return (1 - self.signs[:, rows] * margins).clamp_(min=0)

    def pull(self, margins: Tensor, rows: slice = slice(None)) -> Tensor:
        """2 C y h: (k, rows), each row's share in the weights at the optimum."""
        return self.slack(margins, rows) * self.signs[:, rows] * (2 * self.costs[:, None])

    def curvature(self, margins: Tensor) -> Tensor:
        """2 C on the rows inside the margin, else 0: (k, n)."""
        return (self.signs * margins < 1).to(margins.dtype) * (2 * self.costs[:, None])


@dataclass
class Point:
    """Weights (k, m) and their margins (k, n)."""

    weights: Tensor
    margins: Tensor

    def __getitem__(self, chosen: Tensor) -> "Point":
        return Point(self.weights[chosen], self.margins[chosen])


@dataclass
class Direction:
    """residual + share * the previous direction; `margins` are the previous direction's until `advance` renews them.

    The residual is the preconditioned one.
    """

    vector: Tensor
    residual_margins: Tensor
    share: Tensor  # (k, 1)
    margins: Tensor

    def __getitem__(self, chosen: Tensor) -> "Direction":
        return Direction(self.vector[chosen], self.residual_margins[chosen], self.share[chosen], self.margins[chosen])


class Side(Protocol):
    """Weights as m numbers a column; "margins" of such a vector are its products with every row, (k, n)."""

    basis: Basis
    patience: int  # products a Newton system, then it is left to `finish`

    def zeros(self, k: int) -> Tensor:
        """The start: (k, m)."""

    def evaluate(self, weights: Tensor, columns: Columns) -> tuple[Tensor, Tensor]:
        """Margins (k, n) and gradient (k, m)."""

    def inner(self, a: Tensor, b: Tensor, b_margins: Tensor) -> Tensor:
        """Inner product of two weight vectors, (k,)."""

    def project(self, vector: Tensor) -> Tensor:
        """Inner products with the vectors of the basis: (k, r)."""

    def measure(self, residual: Tensor) -> tuple[Tensor, Tensor]:
        """Squared norm (k,) of a residual, and its margins: (k, n), or (k, 0) where they would cost a product."""

    def advance(self, direction: Direction, curvature: Tensor) -> Tensor:
        """Fills in the direction's margins by one product with all rows, and returns Hessian times direction."""

    def finish(self, step: Point, stuck: Tensor, columns: Columns, point: Point) -> Tensor:
        """Solves the named columns' Newton steps from `point` otherwise, if it can; returns those that it has."""
