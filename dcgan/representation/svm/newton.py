"""The Newton systems of the L2-SVM of `dcgan/representation/svm/solver.py`, all columns at once, by preconditioned
conjugate gradients.

Input: the negative gradient of every column. Output: a step with its margins. The Hessian of a column is
I + 2 C sum_S u_i u_i^T over the rows S inside its margin; the preconditioner is its inverse on the basis of
`dcgan/representation/svm/preconditioner.py` and 1 on the rest. Each iteration is one product with all rows; finished
columns leave.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dcgan.representation.svm.preconditioner import Preconditioner
from dcgan.representation.svm.problem import Direction, Formulation, Point

# A Newton system is solved until its residual is this share of the gradient, less from step to step: few products as
# long as the rows inside the margin still change, few steps where a large C makes the problem ill-conditioned. Nor is
# it solved beyond SPARE of what the tolerance allows, which falls likewise.
FORCING, FORCING_DECAY, SPARE = 0.2, 0.8, 0.5


@dataclass
class Residual:
    """Of Newton systems: vector (k, m), squared norm (k,), margins as `Formulation.squared_norm` gives them."""

    vector: Tensor
    square: Tensor
    margins: Tensor

    def __getitem__(self, chosen: Tensor) -> "Residual":
        return Residual(self.vector[chosen], self.square[chosen], self.margins[chosen])


@dataclass(frozen=True)
class Goals:
    """A system is solved once its residual outside the basis is `forcing` of the first or its square `allowed` (k,)."""

    forcing: float
    allowed: Tensor


@dataclass
class Preconditioned:
    """A residual behind the preconditioner: vector and margins, and its product with the residual, `power`.

    `outside` is the squared norm of the residual without its part in the basis, which steps in the basis put right.
    """

    vector: Tensor
    margins: Tensor
    power: Tensor
    outside: Tensor


def precondition(
    formulation: Formulation, residual: Residual, preconditioner: Preconditioner, live: Tensor
) -> Preconditioned:
    """The inverse Hessian on the span of the basis, 1 on the rest."""
    part = formulation.project(residual.vector)
    added = preconditioner.solve(part, live) - part
    margins = residual.margins
    if margins.shape[1]:
        margins = torch.addmm(margins, added, formulation.basis.margins)
    return Preconditioned(
        torch.addmm(residual.vector, added, formulation.basis.vectors),
        margins,
        residual.square + (part * added).sum(1),
        residual.square - part.square().sum(1),
    )


def newton_step(
    formulation: Formulation,
    residual: Residual,
    curvature: Tensor,
    preconditioner: Preconditioner,
    goals: Goals,
    max_products: int,
) -> tuple[Point, Tensor, int]:
    """Solves Hessian x step = -gradient by preconditioned conjugate gradients.

    Returns the step, the columns that had not met a goal after so many products, and how many these were.
    """
    step, products = Point(torch.zeros_like(residual.vector), torch.zeros_like(curvature)), 0
    live = torch.arange(len(curvature), device=curvature.device)
    fresh = precondition(formulation, residual, preconditioner, live)
    goal = torch.maximum(goals.forcing**2 * fresh.outside, goals.allowed)
    direction = Direction(
        fresh.vector, fresh.margins, torch.zeros_like(fresh.outside)[:, None], torch.zeros_like(curvature)
    )
    while len(live) and products < max_products:
        product = formulation.hessian_product(direction, curvature)
        products += 1
        vector, margins, before = direction.vector, direction.margins, fresh.power
        length = (before / (formulation.inner(vector, vector, margins) + (curvature * margins.square()).sum(1)))[
            :, None
        ]
        step.weights.index_add_(0, live, length * vector)
        step.margins.index_add_(0, live, length * margins)
        remaining = torch.addcmul(residual.vector, length, product, value=-1)
        residual = Residual(remaining, *formulation.squared_norm(remaining))
        fresh = precondition(formulation, residual, preconditioner, live)
        go = fresh.outside > goal[live]
        share = (fresh.power / before)[:, None]
        direction = Direction(torch.addcmul(fresh.vector, share, vector), fresh.margins, share, margins)
        if not go.all():
            live, curvature, residual, direction = live[go], curvature[go], residual[go], direction[go]
            fresh.power = fresh.power[go]
    return step, live, products
