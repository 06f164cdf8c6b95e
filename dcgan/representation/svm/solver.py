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

How weights and rows are held is the business of a `Side`, see `dcgan/representation/svm/formulations.py`, with the
operation counts.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dcgan.representation.svm.newton import FORCING, FORCING_DECAY, SPARE, Goals, Residual, newton_step
from dcgan.representation.svm.preconditioner import Coarse
from dcgan.representation.svm.problem import Columns, Point, Side

MAX_NEWTON_STEPS, MAX_SEARCH_STEPS = 100, 30
SEARCH_TOLERANCE = 1e-3
ROUNDINGS = 8  # of the number type, by which a step has to lower the objective
# Coarse steps at the start, each with a Hessian of its own, and behind each Newton step, with its Hessian.
FIRST_COARSE_STEPS, COARSE_STEPS = 3, 2


@dataclass(frozen=True)
class Optimum:
    """weights: (k, m) as the side holds them; objective P and certified relative gap: (k,)."""

    weights: Tensor
    objective: Tensor
    gap: Tensor
    products: int  # matrix products with all rows


def minimize(side: Side, columns: Columns, tolerance: float, start: Tensor | None = None) -> Optimum:
    """Brings every column to a certified gap of `tolerance` P, or as near as the rounding of its number type allows."""
    weights = coarse_start(side, columns) if start is None else start.clone()
    objective, gap = (torch.full_like(columns.costs, torch.inf) for _ in range(2))
    active = torch.arange(len(columns.costs), device=weights.device)
    factorised = torch.zeros_like(active, dtype=torch.bool)
    products, rounding = 0, ROUNDINGS * torch.finfo(weights.dtype).eps
    for number in range(MAX_NEWTON_STEPS):
        problem = columns[active]
        margins, gradient = side.evaluate(weights[active], problem)
        value = side.inner(weights[active], weights[active], margins) / 2
        value += problem.costs * problem.slack(margins).square_().sum(1)
        square, residual_margins = side.measure(-gradient)
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
        coarse, decay = Coarse(side.basis, curvature), FORCING_DECAY**number
        goals = Goals(FORCING * decay, SPARE * decay * 2 * tolerance * value[unfinished])
        easy, hard = (~factorised[active]).nonzero().squeeze(1), factorised[active].nonzero().squeeze(1)
        step, stuck, spent = newton_step(side, residual, curvature, coarse, easy, goals)
        # A column whose system was too much for conjugate gradients once is not tried again.
        factorised[active[side.finish(step, torch.cat([hard, stuck]), problem, point)]] = True
        point = descend(side, problem, point, step)
        for _ in range(COARSE_STEPS):
            point = descend(side, problem, point, coarse_step(side, problem, point, coarse))
        weights[active] = point.weights
        products += spent
    return Optimum(weights, objective, gap, products)


def coarse_start(side: Side, columns: Columns) -> Tensor:
    """Weights near the optimum on the span of the basis, without a product: (k, m)."""
    zeros = side.zeros(len(columns.costs))
    point = Point(zeros, zeros.new_zeros(columns.signs.shape))
    for _ in range(FIRST_COARSE_STEPS):
        coarse = Coarse(side.basis, columns.curvature(point.margins))
        point = descend(side, columns, point, coarse_step(side, columns, point, coarse))
    return point.weights


def coarse_step(side: Side, columns: Columns, point: Point, coarse: Coarse) -> Point:
    """The Newton step on the span of the basis."""
    gradient = side.project(point.weights) - columns.pull(point.margins) @ side.basis.by_row
    change = -coarse.solve(gradient)
    return Point(change @ side.basis.vectors, change @ side.basis.margins)


def descend(side: Side, columns: Columns, point: Point, step: Point) -> Point:
    """The point of least objective along a step."""
    t = line_search(side, columns, point.weights, point.margins, step.weights, step.margins)
    return Point(point.weights + t * step.weights, point.margins + t * step.margins)


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
