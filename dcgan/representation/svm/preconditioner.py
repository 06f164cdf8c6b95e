"""A few leading directions of the rows, in which the L2-SVM of `dcgan/representation/svm/solver.py` is solved exactly
at little cost.

Discriminator features are not centred and their spectrum is long: the mean alone has some fifty times the variance of
the next direction. Conjugate gradients spend most of their products on the first few dozen directions, and the
certified gap |g|^2 / 2 overrates an error in them by 2 C times their eigenvalue. So r directions of a sample of the
rows, the square root of the number of weights, span a coarse space, as in a two-level method. With Z the margins
of its orthonormal basis, the Hessian in it is I + 2 C sum_S z_i z_i^T over the rows S inside the margin of each
column: n r^2 operations, half of one product with all rows, and exact for every class and cost, which a preconditioner
shared by all columns is not.
Source: the additive two-level preconditioner of domain decomposition; the choice of the space is ours.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

SAMPLE_ROWS_PER_DIRECTION = 8
LEAST_RANK = 64  # as far as there are so many weights: cheap at any size, and small problems become exact
SPARE_DIRECTIONS = 16  # that subspace iteration carries along, so that the last of the others is found too
LEAST_EIGENVALUE = 1e-9  # share of the largest; directions below are rounding


@dataclass(frozen=True)
class Basis:
    """Orthonormal weight vectors (r, m); by_row: their products with every row, (n, r)."""

    vectors: Tensor
    by_row: Tensor

    @property
    def margins(self) -> Tensor:
        """The products as the margins of weights are held: (r, n)."""
        return self.by_row.T

    def double(self) -> "Basis":
        """The same in float64."""
        return Basis(self.vectors.double(), self.by_row.double())


class Preconditioner:
    """The Hessian of every column on the span of a basis, inverted; curvature: (k, n), 2 C or 0."""

    def __init__(self, basis: Basis, curvature: Tensor) -> None:
        self.basis = basis
        rank = len(basis.vectors)
        # A direction of large variance makes it ill-conditioned: float64, which is cheap at this size.
        hessians = torch.eye(rank, dtype=torch.float64, device=curvature.device).repeat(len(curvature), 1, 1)
        for hessian, weights in zip(hessians, curvature, strict=True):
            rows = basis.by_row[weights.nonzero().squeeze(1)]
            hessian += rows.T @ rows * weights.max()
        factors, failed = torch.linalg.cholesky_ex(hessians)
        # Where rounding makes a Hessian indefinite, at a C beyond the number type, nothing is preconditioned.
        factors[failed > 0] = torch.eye(rank).to(factors)
        self._inverse = torch.cholesky_inverse(factors).to(curvature)

    def solve(self, vectors: Tensor, columns: Tensor | slice = slice(None)) -> Tensor:
        """Inverse Hessians of the named columns times vectors in the basis: (k, r) -> (k, r)."""
        return torch.bmm(self._inverse[columns], vectors[:, :, None]).squeeze(2)


def sample_rows(n: int, rank: int) -> Tensor:
    """Evenly spaced rows, so that a table in the order of its classes is represented too."""
    return torch.linspace(0, n - 1, min(n, SAMPLE_ROWS_PER_DIRECTION * rank)).long()


def rank_of(weights: int) -> int:
    """How many directions pay for m weights per column."""
    return min(weights, max(LEAST_RANK, math.isqrt(weights)))


def leading_directions(gram: Tensor, rank: int) -> Tensor:
    """Gram matrix (s, s) of sampled rows -> coefficients (r, s) of the rows that make orthonormal weight vectors.

    One step of subspace iteration from evenly spaced rows: as many products follow as with the directions of a whole
    eigendecomposition, which takes longer than any other step of a draw of 1,000 rows.
    """
    gram64 = gram.double()
    started = torch.linspace(0, len(gram) - 1, min(len(gram), rank + SPARE_DIRECTIONS)).long()
    span = torch.linalg.qr(gram64 @ torch.linalg.qr(gram64[:, started]).Q).Q
    values, vectors = torch.linalg.eigh(span.T @ gram64 @ span)
    values, vectors = values[-rank:], span @ vectors[:, -rank:]
    large = values > LEAST_EIGENVALUE * values[-1]
    directions: Tensor = (vectors[:, large] / values[large].sqrt()).T
    return directions.to(gram)
