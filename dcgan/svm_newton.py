"""The Newton systems of the L2-SVM of `dcgan/svm.py`, all columns at once, by preconditioned conjugate gradients.

Input: the negative gradient of every column. Output: a step with its margins. The Hessian of a column is
I + 2 C sum_S u_i u_i^T over the rows S inside its margin; the preconditioner is its inverse on the coarse space of
`dcgan/svm_coarse.py` and 1 on the rest. Each iteration is one product with all rows; finished columns leave.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dcgan.svm_coarse import Coarse
from dcgan.svm_problem import Direction, Point, Side

MAX_PRODUCTS_A_STEP = 400
# A Newton system is solved until its residual is this share of the gradient, less from step to step: few products as
# long as the rows inside the margin still change, few steps where a large C makes the problem ill-conditioned. Nor is
# it solved beyond SPARE of what the tolerance allows, which falls likewise.
FORCING, FORCING_DECAY, SPARE = 0.2, 0.8, 0.5


@dataclass
class Residual:
    """Of Newton systems: vector (k, m), squared norm (k,), margins as `Side.measure` gives them."""

    vector: Tensor
    square: Tensor
    margins: Tensor

    def __getitem__(self, chosen: Tensor) -> "Residual":
        return Residual(self.vector[chosen], self.square[chosen], self.margins[chosen])


@dataclass
class Preconditioned:
    """A residual behind the preconditioner: vector and margins, its product with the residual, and how much is fine.

    `fine` is the squared norm of the residual without its coarse part, which coarse steps put right.
    """

    vector: Tensor
    margins: Tensor
    power: Tensor
    fine: Tensor


def precondition(side: Side, residual: Residual, coarse: Coarse, live: Tensor) -> Preconditioned:
    """The inverse Hessian on the span of the basis, 1 on the rest."""
    part = side.project(residual.vector)
    added = coarse.solve(part, live) - part
    margins = residual.margins
    if margins.shape[1]:
        margins = torch.addmm(margins, added, side.basis.margins)
    return Preconditioned(
        torch.addmm(residual.vector, added, side.basis.vectors),
        margins,
        residual.square + (part * added).sum(1),
        residual.square - part.square().sum(1),
    )


def newton_step(
    side: Side, residual: Residual, curvature: Tensor, coarse: Coarse, forcing: float, allowed: Tensor
) -> tuple[Point, int]:
    """Solves Hessian x step = -gradient by preconditioned conjugate gradients; also the number of products.

    Each column goes on until the fine part of its residual has shrunk to `forcing`, or its square to `allowed` (k,).
    """
    step = Point(torch.zeros_like(residual.vector), torch.zeros_like(curvature))
    live = torch.arange(len(curvature), device=curvature.device)
    fresh = precondition(side, residual, coarse, live)
    goal = torch.maximum(forcing**2 * fresh.fine, allowed)
    direction = Direction(fresh.vector, fresh.margins, torch.zeros_like(goal)[:, None], torch.zeros_like(curvature))
    for products in range(1, MAX_PRODUCTS_A_STEP + 1):  # noqa: B007  (read behind the loop)
        bent = side.advance(direction, curvature)
        vector, margins, before = direction.vector, direction.margins, fresh.power
        length = (before / (side.inner(vector, vector, margins) + (curvature * margins.square()).sum(1)))[:, None]
        step.weights.index_add_(0, live, length * vector)
        step.margins.index_add_(0, live, length * margins)
        remaining = torch.addcmul(residual.vector, length, bent, value=-1)
        residual = Residual(remaining, *side.measure(remaining))
        fresh = precondition(side, residual, coarse, live)
        go = fresh.fine > goal[live]
        if not go.any():
            break
        share = (fresh.power / before)[:, None]
        direction = Direction(torch.addcmul(fresh.vector, share, vector), fresh.margins, share, margins)
        if not go.all():
            live, curvature, residual, direction = live[go], curvature[go], residual[go], direction[go]
            fresh.power = fresh.power[go]
    return step, products
