"""The L2-SVM of `dcgan/representation/svm/solver.py` by Newton's method whose systems are solved by factorisation.

For the columns that conjugate gradients give up: with a large C on features that separate the classes, P is so steep
beyond the margin that leading directions and truncated steps lead astray. Input: rows, one column's signs and cost.
Output: a vector of weights, its objective and certified gap. One column costs 5 to 20 factorisations, up to 160 for
C = 1e4, of m^3 / 3 operations, m = min(n, d + 1); everything is float64.
Method: the Newton point is the optimum as if the rows inside the margin stayed the same (Chapelle, "Training a support
vector machine in the primal", 2007); from zero, where all rows are inside, exact line searches towards it lower P until
they do.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from dcgan.representation.svm.formulations import Blocks
from dcgan.representation.svm.problem import Columns, Point
from dcgan.representation.svm.solver import line_search

MAX_STEPS = 300
SEARCH_TOLERANCE, MAX_SEARCH_STEPS = 1e-10, 100
# A Newton point is certified once no more than one row in so many has changed sides; before, it would be in vain.
ROWS_PER_CHANGE = 10
# A start that allows less than this share of its first step has the wrong rows inside: zero leads there sooner.
LEAST_FIRST_STEP = 0.2


@dataclass(frozen=True)
class Solution:
    """vector: (m,) as the system holds weights; gap: certified, relative to the objective."""

    vector: Tensor
    objective: float
    gap: float


class System(Protocol):
    """Rows in a way to hold weights, m numbers (m,); margins of such a vector are its products with every row, (n,)."""

    def zeros(self) -> Tensor:
        """The start: (m,)."""

    def margins(self, vector: Tensor) -> Tensor:
        """Of all rows: (n,)."""

    def inner(self, a: Tensor, b: Tensor, b_margins: Tensor) -> Tensor:
        """Inner product of two weight vectors, a number."""

    def newton_vector(self, inside: Tensor, signs: Tensor, cost: float) -> Tensor | None:
        """The optimum (m,) if these rows are inside the margin; None if rounding makes the system indefinite."""

    def certified(self, point: Point, signs: Tensor, cost: float) -> Solution:
        """A point, or the one near it that can be certified."""


class KernelSystem:
    """Weights w = sum b_i u_i as b (n,); gram: (n, n) float64. Newton's system is (G_SS + I / 2 C) b = y_S."""

    def __init__(self, gram: Tensor) -> None:
        self.gram = gram
        self._whole: tuple[float, Tensor] | None = None

    def zeros(self) -> Tensor:
        """The start: (n,)."""
        return self.gram.new_zeros(len(self.gram))

    def margins(self, vector: Tensor) -> Tensor:
        """Of all rows: (n,)."""
        rows = vector.nonzero().squeeze(1)
        # Copying rows out of a matrix takes as long as multiplying twice as many.
        return self.gram @ vector if 3 * len(rows) > len(vector) else vector[rows] @ self.gram[rows]

    def inner(self, a: Tensor, b: Tensor, b_margins: Tensor) -> Tensor:
        """Inner product of two weight vectors, a number."""
        return a @ b_margins

    def newton_vector(self, inside: Tensor, signs: Tensor, cost: float) -> Tensor | None:
        """The optimum (n,) if these rows are inside the margin; None if rounding makes the system indefinite."""
        factor = self._factor(inside, cost)
        if factor is None:
            return None
        vector = self.zeros()
        vector[inside] = torch.cholesky_solve(signs[inside, None], factor).squeeze(1)
        return vector

    def certified(self, point: Point, signs: Tensor, cost: float) -> Solution:
        """b without its wrong signs is a point of the dual problem; with beta = y b >= 0 and s = 1 - y w.u its gap is

            sum_i (beta_i - 2 C max(0, s_i))^2 / 4 C + beta_i max(0, -s_i).

        No term is negative, and rounding is not blown up by 2 C |u|^2 as it is in |g|^2 / 2.
        """
        beta = (signs * point.weights).clamp(min=0)
        slack = 1 - signs * (point.margins + self.margins(signs * beta - point.weights))
        hinge = slack.clamp(min=0)
        objective = beta @ (1 - slack) / 2 + cost * hinge.square().sum()
        gap = (beta - 2 * cost * hinge).square().sum() / (4 * cost) + beta @ (-slack).clamp(min=0)
        return Solution(signs * beta, float(objective), float(gap / objective))

    def _factor(self, inside: Tensor, cost: float) -> Tensor | None:
        """Every class of one cost begins with all rows inside: that factor, the largest, is kept."""
        if not inside.all():
            return factorised(self.gram[inside][:, inside], 1 / (2 * cost))
        if self._whole is None or self._whole[0] != cost:
            factor = factorised(self.gram.clone(), 1 / (2 * cost))
            if factor is None:
                return None
            self._whole = cost, factor
        return self._whole[1]


class PrimalSystem:
    """Weights as they are, (d + 1,), the intercept last. Newton's system is (I / 2 C + U_S^T U_S) w = U_S^T y_S."""

    def __init__(self, blocks: Blocks, d: int, like: Tensor) -> None:
        self.blocks, self.d, self.like = blocks, d, like

    def zeros(self) -> Tensor:
        """The start: (d + 1,)."""
        return self.like.new_zeros(self.d + 1)

    def margins(self, vector: Tensor) -> Tensor:
        """Of all rows: (n,)."""
        return torch.cat([self._with_one(x) @ vector for _, x in self.blocks()])

    def inner(self, a: Tensor, b: Tensor, b_margins: Tensor) -> Tensor:
        """Inner product of two weight vectors, a number."""
        return a @ b

    def newton_vector(self, inside: Tensor, signs: Tensor, cost: float) -> Tensor | None:
        """The optimum (d + 1,) if these rows are inside the margin; None if rounding makes the system indefinite."""
        matrix, right = self.like.new_zeros(self.d + 1, self.d + 1), self.zeros()
        for rows, x in self.blocks():
            u = self._with_one(x)[inside[rows]]
            matrix.addmm_(u.T, u)
            right += signs[rows][inside[rows]] @ u
        factor = factorised(matrix, 1 / (2 * cost))
        return None if factor is None else torch.cholesky_solve(right[:, None], factor).squeeze(1)

    def certified(self, point: Point, signs: Tensor, cost: float) -> Solution:
        """The point itself, by its gradient."""
        hinge = (1 - signs * point.margins).clamp(min=0)
        gradient = point.weights.clone()
        for rows, x in self.blocks():
            gradient -= 2 * cost * (signs * hinge)[rows] @ self._with_one(x)
        objective = point.weights.square().sum() / 2 + cost * hinge.square().sum()
        return Solution(point.weights, float(objective), float(gradient.square().sum() / 2 / objective))

    def _with_one(self, x: Tensor) -> Tensor:
        return torch.cat([x.to(self.like), self.like.new_ones(len(x), 1)], dim=1)


def factorised(matrix: Tensor, ridge: float) -> Tensor | None:
    """Cholesky's factor of matrix + ridge I, which overwrites the matrix; None if rounding makes it indefinite."""
    matrix.diagonal().add_(ridge)
    factor, failed = torch.linalg.cholesky_ex(matrix)
    return None if failed else factor


def solve(system: System, signs: Tensor, cost: float, tolerance: float, start: Tensor | None) -> Solution:
    """One column to a certified gap of `tolerance` P; the best that was found if rounding ends it before.

    start: (m,), if a point near the optimum is known.
    """
    nowhere = Point(system.zeros(), torch.zeros_like(signs))
    point = nowhere if start is None else Point(start, system.margins(start))
    best = Solution(nowhere.weights, torch.inf, torch.inf)
    for number in range(MAX_STEPS):
        inside = signs * point.margins < 1
        vector = system.newton_vector(inside, signs, cost)
        if vector is None:
            break
        newton = Point(vector, system.margins(vector))
        if ((signs * newton.margins < 1) != inside).sum() * ROWS_PER_CHANGE <= len(signs):
            best = min(best, system.certified(newton, signs, cost), key=lambda found: found.gap)
        if best.gap <= tolerance:
            break
        point, t = towards(system, point, newton, signs, cost)
        if number == 0 and start is not None and t < LEAST_FIRST_STEP:
            point = nowhere
    return best


def towards(system: System, point: Point, other: Point, signs: Tensor, cost: float) -> tuple[Point, float]:
    """The point of least objective on the way from one to the other and beyond, and its share of the way."""
    step = Point(other.weights - point.weights, other.margins - point.margins)
    linear = system.inner(point.weights, step.weights, step.margins)[None]
    square = system.inner(step.weights, step.weights, step.margins)[None]
    columns = Columns(signs[None], signs.new_tensor([cost]))
    t = line_search(
        columns, point.margins[None], step.margins[None], linear, square, SEARCH_TOLERANCE, MAX_SEARCH_STEPS
    )[0]
    return Point(point.weights + t * step.weights, point.margins + t * step.margins), float(t)
