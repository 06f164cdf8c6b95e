"""The linear L2-SVM of Tables 1 and 2: one-vs-rest, squared hinge, L2 penalty, penalised intercept.

Section 5 of the paper: "a regularized linear L2-SVM" on discriminator features. Inputs: rows x (n, d), a sign y = +-1 a
row and class, a cost C. Outputs: weights of every column; a column is one class at one cost. The optimum is that of
scikit-learn's `LinearSVC(loss="squared_hinge", intercept_scaling=1)`: with u = (x, 1),

    P(w) = 1/2 |w|^2 + C sum_i h_i^2,   h_i = max(0, 1 - y_i w.u_i),   gradient g = w - 2 C sum_i y_i h_i u_i.

Method: truncated Newton with exact line search. P is piecewise quadratic; its Hessian is I + 2 C sum_S u_i u_i^T over
the rows S inside the margin, and conjugate gradients solve it. With 2 C h as the point of the dual problem the duality
gap is exactly |g|^2 / 2, so the gradient certifies the result: P - P* <= |g|^2 / 2 <= tolerance P. All columns (every
class, the whole grid of C) advance in the same matrix products; finished columns leave.
In a few leading directions (`dcgan/representation/svm/preconditioner.py`) the problem is solved without products: they
precondition the Newton systems, are where every column begins, and are put right before a gradient is taken, because
|g|^2 / 2 overrates an error in a direction of large variance so much that float32 could not certify what it has found.

With a large C some columns take too many products: `dcgan/representation/svm/certified.py` has them solved directly.
Weights and rows are held in the kernel or the primal formulation, see `dcgan/representation/svm/formulations.py`.

Why not `LinearSVC`: on one core the grid of 7 costs takes 7 s at 4,000 x 12,288 where `LinearSVC` takes 177 s, SVHN's
protocol 29 s where it takes 669 s, and 50,000 x 28,672 fits into 4 GB where it needs 34 (docs/performance.md).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dcgan.representation.svm.newton import FORCING, FORCING_DECAY, SPARE, Goals, Residual, newton_step
from dcgan.representation.svm.preconditioner import Preconditioner
from dcgan.representation.svm.problem import Columns, Formulation, Point

MAX_NEWTON_STEPS, MAX_SEARCH_STEPS = 100, 30
SEARCH_TOLERANCE = 1e-3
ROUNDINGS = 8  # of the number type, by which a step has to lower the objective
# Steps in the basis at the start, each with a Hessian of its own, and behind each Newton step, with its Hessian.
FIRST_STEPS_IN_BASIS, STEPS_IN_BASIS = 3, 2


@dataclass(frozen=True)
class Optimum:
    """weights: (k, m) as the formulation holds them; objective P and certified relative gap: (k,)."""

    weights: Tensor
    objective: Tensor
    gap: Tensor
    given_up: Tensor  # (k,) bool; other gaps above the tolerance are due to rounding
    products: int  # matrix products with all rows


def minimize(
    formulation: Formulation, columns: Columns, tolerance: float, max_products: int, start: Tensor | None = None
) -> Optimum:
    """Brings every column to a certified gap of `tolerance` P, or as near as the rounding of its number type allows.

    Gives up the columns of a Newton system that takes more products than the formulation allows, and after
    `max_products` in all those that are left.
    """
    weights = start_in_basis(formulation, columns) if start is None else start.clone()
    objective, gap = (torch.full_like(columns.costs, torch.inf) for _ in range(2))
    given_up = torch.ones_like(columns.costs, dtype=torch.bool)
    active = torch.arange(len(columns.costs), device=weights.device)
    products, rounding = 0, ROUNDINGS * torch.finfo(weights.dtype).eps
    for number in range(MAX_NEWTON_STEPS):
        problem = columns[active]
        margins, gradient = formulation.evaluate(weights[active], problem)
        value = formulation.inner(weights[active], weights[active], margins) / 2
        value += problem.costs * problem.slack(margins).square_().sum(1)
        square, residual_margins = formulation.squared_norm(-gradient)
        # A step that no longer lowers the objective has met the rounding of its number type. So has one below zero,
        # where no objective and no squared norm are: a Gram matrix of float32 may be a little indefinite.
        unfinished = (square / 2 > tolerance * value) & (value < objective[active] * (1 - rounding)) & (value > 0)
        objective[active], gap[active] = value, square.abs() / 2 / value.clamp(min=0)
        products += 2
        given_up[active[~unfinished]] = False
        if not unfinished.any() or products >= max_products:
            break
        active, problem = active[unfinished], problem[unfinished]
        point = Point(weights[active], margins[unfinished])
        residual = Residual(-gradient[unfinished], square[unfinished], residual_margins[unfinished])
        curvature = problem.curvature(point.margins)
        preconditioner, decay = Preconditioner(formulation.basis, curvature), FORCING_DECAY**number
        goals = Goals(FORCING * decay, SPARE * decay * 2 * tolerance * value[unfinished])
        most = min(formulation.max_products, max_products - products)
        step, unsolved, spent = newton_step(formulation, residual, curvature, preconditioner, goals, most)
        point = descend(formulation, problem, point, step)
        for _ in range(STEPS_IN_BASIS):
            point = descend(formulation, problem, point, step_in_basis(formulation, problem, point, preconditioner))
        weights[active] = point.weights
        products += spent
        active = active[torch.ones_like(active, dtype=torch.bool).index_fill_(0, unsolved, False)]
        if not len(active):
            break
    return Optimum(weights, objective, gap, given_up, products)


def start_in_basis(formulation: Formulation, columns: Columns) -> Tensor:
    """Weights near the optimum on the span of the basis, without a product: (k, m)."""
    zeros = formulation.zeros(len(columns.costs))
    point = Point(zeros, zeros.new_zeros(columns.signs.shape))
    for _ in range(FIRST_STEPS_IN_BASIS):
        preconditioner = Preconditioner(formulation.basis, columns.curvature(point.margins))
        point = descend(formulation, columns, point, step_in_basis(formulation, columns, point, preconditioner))
    return point.weights


def step_in_basis(formulation: Formulation, columns: Columns, point: Point, preconditioner: Preconditioner) -> Point:
    """The Newton step on the span of the basis."""
    gradient = formulation.project(point.weights) - columns.duals(point.margins) @ formulation.basis.by_row
    change = -preconditioner.solve(gradient)
    return Point(change @ formulation.basis.vectors, change @ formulation.basis.margins)


def descend(formulation: Formulation, columns: Columns, point: Point, step: Point) -> Point:
    """The point of least objective along a step."""
    linear = formulation.inner(point.weights, step.weights, step.margins)
    square = formulation.inner(step.weights, step.weights, step.margins)
    t = line_search(columns, point.margins, step.margins, linear, square)
    return Point(point.weights + t * step.weights, point.margins + t * step.margins)


def line_search(
    columns: Columns,
    margins: Tensor,
    step_margins: Tensor,
    linear: Tensor,
    square: Tensor,
    tolerance: float = SEARCH_TOLERANCE,
    max_steps: int = MAX_SEARCH_STEPS,
) -> Tensor:
    """The minimum of P(w + t step) over t, (k, 1), by Newton's method on the piecewise quadratic, within a bracket.

    linear, square: inner products of w and step, and of step with itself, (k,); tolerance: relative, of t.
    """
    t = torch.ones_like(linear)
    low, high = torch.zeros_like(t), torch.full_like(t, torch.inf)
    for _ in range(max_steps):
        slack = columns.slack(margins + t[:, None] * step_margins)
        first = linear + t * square - 2 * columns.costs * (columns.signs * step_margins * slack).sum(1)
        second = square + 2 * columns.costs * (step_margins.square() * (slack > 0)).sum(1)
        low, high = torch.where(first < 0, t, low), torch.where(first > 0, t, high)
        newton = t - first / second
        middle = torch.where(high.isinf(), 2 * t, (low + high) / 2)
        before, t = t, torch.where((newton > low) & (newton < high), newton, middle)
        if ((t - before).abs() <= tolerance * before).all():
            break
    return t[:, None]
