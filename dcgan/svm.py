"""The linear L2-SVM of Tables 1 and 2: one-vs-rest, squared hinge, L2 penalty, penalised intercept.

Section 5 of the paper: "a regularized linear L2-SVM" on discriminator features. Inputs: rows x (n, d), a sign y = +-1 a
row and class, a cost C. Outputs: weights of every column; a column is one class at one cost. The optimum is that of
scikit-learn's `LinearSVC(loss="squared_hinge", intercept_scaling=1)`: with u = (x, 1),

    P(w) = 1/2 |w|^2 + C sum_i h_i^2,   h_i = max(0, 1 - y_i w.u_i),   gradient g = w - 2 C sum_i y_i h_i u_i.

Method: truncated Newton with exact line search. P is piecewise quadratic; its Hessian is I + 2 C sum_S u_i u_i^T over
the rows S inside the margin, and conjugate gradients solve it. With 2 C h as the point of the dual problem the duality
gap is exactly |g|^2 / 2, so the gradient certifies the result: P - P* <= |g|^2 / 2 <= tolerance P. All columns (every
class, the whole grid of C) advance in the same matrix products; finished columns leave.

How weights and rows are held is the business of a `Side`, see `dcgan/svm_sides.py`, with the operation counts.
A preconditioner shared by all classes (leading eigenvectors, or the whole factor of the Gram matrix) was tried: it
costs products instead of saving them, because each class has its own rows inside the margin.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

MAX_NEWTON_STEPS, MAX_PRODUCTS_A_STEP, MAX_SEARCH_STEPS = 100, 400, 30
SEARCH_TOLERANCE = 1e-3
# A Newton system is solved until its residual is this share of the gradient, less from step to step: few products as
# long as the rows inside the margin still change, few steps where a large C makes the problem ill-conditioned.
FORCING, FORCING_DECAY = 0.2, 0.8


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


class Side(Protocol):
    """Weights as m numbers a column; "margins" of such a vector are its products with every row, (k, n)."""

    def zeros(self, k: int) -> Tensor:
        """The start: (k, m)."""

    def evaluate(self, weights: Tensor, columns: Columns) -> tuple[Tensor, Tensor]:
        """Margins (k, n) and gradient (k, m)."""

    def inner(self, a: Tensor, b: Tensor, b_margins: Tensor) -> Tensor:
        """Inner product of two weight vectors, (k,)."""

    def measure(self, residual: Tensor) -> tuple[Tensor, Tensor]:
        """Squared norm (k,) of a residual, and its margins: (k, n), or (k, 0) where they would cost a product."""

    def advance(self, direction: "Direction", curvature: Tensor) -> Tensor:
        """Fills in the direction's margins by one product with all rows, and returns Hessian times direction."""


@dataclass
class Direction:
    """residual + share * the previous direction; `margins` are the previous direction's until `advance` renews them."""

    vector: Tensor
    residual_margins: Tensor
    share: Tensor  # (k, 1)
    margins: Tensor


@dataclass(frozen=True)
class Optimum:
    """weights: (k, m) as the side holds them; objective P and certified relative gap: (k,)."""

    weights: Tensor
    objective: Tensor
    gap: Tensor
    products: int  # matrix products with all rows


def minimize(side: Side, columns: Columns, tolerance: float, start: Tensor | None = None) -> Optimum:
    """Brings every column to a certified gap of `tolerance` P, or as near as the rounding of its number type allows."""
    weights = side.zeros(len(columns.costs)) if start is None else start.clone()
    objective, gap = (torch.full_like(columns.costs, torch.inf) for _ in range(2))
    active = torch.arange(len(columns.costs), device=weights.device)
    products, rounding = 0, torch.finfo(weights.dtype).eps
    for number in range(MAX_NEWTON_STEPS):
        problem = columns[active]
        margins, gradient = side.evaluate(weights[active], problem)
        value = side.inner(weights[active], weights[active], margins) / 2
        value += problem.costs * problem.slack(margins).square_().sum(1)
        slope, residual_margins = side.measure(-gradient)
        # A step that no longer lowers the objective has met the rounding of its number type.
        unfinished = (slope / 2 > tolerance * value) & (value < objective[active] * (1 - rounding))
        objective[active], gap[active] = value, slope / 2 / value
        products += 2
        if not unfinished.any():
            break
        active, problem, margins = active[unfinished], problem[unfinished], margins[unfinished]
        residual = -gradient[unfinished], slope[unfinished], residual_margins[unfinished]
        step, step_margins, spent = newton_step(
            side, *residual, problem.curvature(margins), FORCING * FORCING_DECAY**number
        )
        weights[active] += line_search(side, problem, weights[active], margins, step, step_margins) * step
        products += spent
    return Optimum(weights, objective, gap, products)


def newton_step(
    side: Side, residual: Tensor, slope: Tensor, residual_margins: Tensor, curvature: Tensor, forcing: float
) -> tuple[Tensor, Tensor, int]:
    """Solves Hessian x step = -gradient by conjugate gradients, each column until its residual has shrunk to `forcing`.

    residual: (k, m), slope: (k,) its squared norm. Returns step (k, m), its margins (k, n) and the number of products.
    """
    step, step_margins = torch.zeros_like(residual), torch.zeros_like(curvature)
    live = torch.arange(len(residual), device=residual.device)
    goal = forcing**2 * slope
    direction = Direction(residual, residual_margins, torch.zeros_like(slope)[:, None], torch.zeros_like(curvature))
    for products in range(1, MAX_PRODUCTS_A_STEP + 1):  # noqa: B007  (read behind the loop)
        bent = side.advance(direction, curvature)
        vector, margins = direction.vector, direction.margins
        length = (slope / (side.inner(vector, vector, margins) + (curvature * margins.square()).sum(1)))[:, None]
        step.index_add_(0, live, length * vector)
        step_margins.index_add_(0, live, length * margins)
        residual = torch.addcmul(residual, length, bent, value=-1)
        before, (slope, residual_margins) = slope, side.measure(residual)
        go = slope > goal[live]
        if not go.any():
            break
        share = (slope / before)[:, None]
        if not go.all():
            live, curvature, slope, residual = live[go], curvature[go], slope[go], residual[go]
            vector, margins, residual_margins, share = vector[go], margins[go], residual_margins[go], share[go]
        direction = Direction(torch.addcmul(residual, share, vector), residual_margins, share, margins)
    return step, step_margins, products


def line_search(
    side: Side, columns: Columns, weights: Tensor, margins: Tensor, step: Tensor, step_margins: Tensor
) -> Tensor:
    """The minimum of P(w + t step) over t, (k, 1), by Newton's method on the piecewise quadratic, kept in a bracket."""
    linear, square = side.inner(weights, step, step_margins), side.inner(step, step, step_margins)
    t = torch.ones_like(linear)
    low, high = torch.zeros_like(t), torch.full_like(t, torch.inf)
    for _ in range(MAX_SEARCH_STEPS):
        slack = columns.slack(margins + t[:, None] * step_margins)
        first = linear + t * square - 2 * columns.costs * (columns.signs * step_margins * slack).sum(1)
        second = square + 2 * columns.costs * (step_margins.square() * (slack > 0)).sum(1)
        low, high = torch.where(first < 0, t, low), torch.where(first > 0, t, high)
        newton = t - first / second
        middle = torch.where(high.isinf(), 2 * t, (low + high) / 2)
        before, t = t, torch.where((newton > low) & (newton < high), newton, middle)
        if ((t - before).abs() <= SEARCH_TOLERANCE * before).all():
            break
    return t[:, None]
