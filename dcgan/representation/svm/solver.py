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
    products: int  # matrix products with all rows


def minimize(formulation: Formulation, columns: Columns, tolerance: float, start: Tensor | None = None) -> Optimum:
    """Brings every column to a certified gap of `tolerance` P, or as near as the rounding of its number type allows."""
    weights = start_in_basis(formulation, columns) if start is None else start.clone()
    objective, gap = (torch.full_like(columns.costs, torch.inf) for _ in range(2))
    active = torch.arange(len(columns.costs), device=weights.device)
    factorised = torch.zeros_like(active, dtype=torch.bool)
    products, rounding = 0, ROUNDINGS * torch.finfo(weights.dtype).eps
    for number in range(MAX_NEWTON_STEPS):
        problem = columns[active]
        margins, gradient = formulation.evaluate(weights[active], problem)
        value = formulation.inner(weights[active], weights[active], margins) / 2
        value += problem.costs * problem.slack(margins).square_().sum(1)
        square, residual_margins = formulation.squared_norm(-gradient)
        # A step that no longer lowers the objective has met the rounding of its number type.
        unfinished = (square / 2 > tolerance * value) & (value < objective[active] * (1 - rounding))
        objective[active], gap[active] = value, square / 2 / value
        products += 2
        if not unfinished.any():
            break
        active, problem = active[unfinished], problem[unfinished]
        point = Point(weights[active], margins[unfinished])
        residual = Residual(-gradient[unfinished], square[unfinished], residual_margins[unfinished])
        curvature = problem.curvature(point.margins)
        preconditioner, decay = Preconditioner(formulation.basis, curvature), FORCING_DECAY**number
        goals = Goals(FORCING * decay, SPARE * decay * 2 * tolerance * value[unfinished])
        easy, hard = (~factorised[active]).nonzero().squeeze(1), factorised[active].nonzero().squeeze(1)
        step, unsolved, spent = newton_step(formulation, residual, curvature, preconditioner, easy, goals)
        # A column whose system was too much for conjugate gradients once is not tried again.
        factorised[active[formulation.solve_directly(step, torch.cat([hard, unsolved]), problem, point)]] = True
        point = descend(formulation, problem, point, step)
        for _ in range(STEPS_IN_BASIS):
            point = descend(formulation, problem, point, step_in_basis(formulation, problem, point, preconditioner))
        weights[active] = point.weights
        products += spent
    return Optimum(weights, objective, gap, products)


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
    t = line_search(formulation, columns, point.weights, point.margins, step.weights, step.margins)
    return Point(point.weights + t * step.weights, point.margins + t * step.margins)


def line_search(
    formulation: Formulation, columns: Columns, weights: Tensor, margins: Tensor, step: Tensor, step_margins: Tensor
) -> Tensor:
    """The minimum of P(w + t step) over t, (k, 1), by Newton's method on the piecewise quadratic, within a bracket."""
    linear, square = formulation.inner(weights, step, step_margins), formulation.inner(step, step, step_margins)
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
