"""What the L2-SVM of `dcgan/representation/svm/solver.py` is made of: its columns, points, and the
interface of its two formulations."""

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

    def to(self, like: Tensor) -> "Columns":
        """The same in the number type and on the device of a tensor."""
        return Columns(self.signs.to(like), self.costs.to(like))

    def slack(self, margins: Tensor, rows: slice = slice(None)) -> Tensor:
        """h: (k, rows), the hinge of each row."""
        return (1 - self.signs[:, rows] * margins).clamp_(min=0)

    def duals(self, margins: Tensor, rows: slice = slice(None)) -> Tensor:
        """2 C y h: (k, rows), the signed dual variables: each row's share in the weights at the optimum."""
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
    """residual + share * the previous direction; the residual is the preconditioned one.

    `margins` are those of the previous direction until `hessian_product` renews them.
    """

    vector: Tensor
    residual_margins: Tensor
    share: Tensor  # (k, 1)
    margins: Tensor

    def __getitem__(self, chosen: Tensor) -> "Direction":
        return Direction(self.vector[chosen], self.residual_margins[chosen], self.share[chosen], self.margins[chosen])


class Formulation(Protocol):
    """A way to hold rows and weights, m numbers per column.

    "Margins" of such a vector are its products with every row, (k, n).
    """

    basis: Basis
    max_products: int  # per Newton system; what then is not solved, is given up

    def zeros(self, k: int) -> Tensor:
        """The start: (k, m)."""

    def evaluate(self, weights: Tensor, columns: Columns) -> tuple[Tensor, Tensor]:
        """Margins (k, n) and gradient (k, m)."""

    def inner(self, a: Tensor, b: Tensor, b_margins: Tensor) -> Tensor:
        """Inner product of two weight vectors, (k,)."""

    def project(self, vector: Tensor) -> Tensor:
        """Inner products with the vectors of the basis: (k, r)."""

    def squared_norm(self, residual: Tensor) -> tuple[Tensor, Tensor]:
        """Squared norm (k,) of a residual, and its margins: (k, n), or (k, 0) if they would cost a product."""

    def hessian_product(self, direction: Direction, curvature: Tensor) -> Tensor:
        """Fills in the direction's margins by one product with all rows, and returns Hessian times direction."""
