"""Every column of the L2-SVM brought to its certified optimum, or refused.

Input: rows in one of the formulations, and their columns. Output: weights (k, d + 1) and certified relative gaps (k,).
Conjugate gradients advance all columns at once (`dcgan/representation/svm/solver.py`), in float64 where rounding
stopped float32. What they give up is solved by factorisation, column by column
(`dcgan/representation/svm/direct.py`), if m x m numbers fit into memory, m = min(n, d + 1).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dcgan.core.files import InputError
from dcgan.representation.svm import direct
from dcgan.representation.svm.formulations import (
    PRODUCTS_EXPECTED,
    Blocks,
    KernelFormulation,
    PrimalFormulation,
    gram_matrix,
    weights_of_rows,
)
from dcgan.representation.svm.problem import Columns
from dcgan.representation.svm.solver import Optimum, minimize

FLOAT32_ROUNDING = 2.0**-24
# A direct solution may always take this: it is small beside the program itself.
LEAST_DIRECT_BYTES = 1 << 25
DOUBLE_BYTES = 8
MAX_PRODUCTS = 10_000
FAR_ABOVE = 4.0  # times what rounding may do at the optimum


@dataclass(frozen=True)
class Problem:
    """Rows (n, d) in blocks and in a formulation, columns in float64, what is asked of them and the memory for it."""

    formulation: KernelFormulation | PrimalFormulation
    blocks: Blocks
    columns: Columns
    d: int
    tolerance: float
    memory_bytes: int

    @property
    def n(self) -> int:
        """The number of rows."""
        return self.columns.signs.shape[1]

    @property
    def in_kernel(self) -> bool:
        """Whether weights are coefficients of the rows."""
        return isinstance(self.formulation, KernelFormulation)

    @property
    def direct_bytes(self) -> int:
        """The memory that the matrix of a direct solution takes."""
        return DOUBLE_BYTES * min(self.n, self.d + 1) ** 2

    @property
    def has_direct(self) -> bool:
        """Whether a direct solution fits into memory."""
        return self.direct_bytes <= max(self.memory_bytes, LEAST_DIRECT_BYTES)

    @property
    def max_products(self) -> int:
        """After how many products conjugate gradients give up: so many more than expected as a direct solution costs.

        In the kernel formulation each system has its own limit.
        """
        if self.in_kernel or not self.has_direct:
            return MAX_PRODUCTS
        # One factorisation of all rows and some of fewer; or ten products U_S^T U_S of a third of the rows.
        multiply_adds = self.n**3 / 3 if self.n <= self.d + 1 else 3 * self.n * self.d**2
        return PRODUCTS_EXPECTED + int(multiply_adds / (2 * self.n * self.d))


def certified_optimum(problem: Problem) -> tuple[Tensor, Tensor]:
    """Weights (k, d + 1), the intercept last, and gaps (k,), none above the tolerance.

    Raises InputError that names C if a gap stays above it.
    """
    weights, gaps = by_conjugate_gradients(problem)
    left = (~(gaps <= problem.tolerance)).nonzero().squeeze(1)
    if len(left) and problem.has_direct:
        weights = weights.double()
        weights[left], gaps[left] = directly(problem, left, weights[left])
    if not (gaps <= problem.tolerance).all():
        raise InputError(refusal(problem, gaps))
    return (weights_of_rows(problem.blocks, weights) if problem.in_kernel else weights), gaps


def by_conjugate_gradients(problem: Problem) -> tuple[Tensor, Tensor]:
    """Weights (k, m) as the formulation holds them and gaps (k,), above the tolerance for what was given up."""
    like, most = problem.formulation.zeros(0), problem.max_products
    found = minimize(problem.formulation, problem.columns.to(like), problem.tolerance, most)
    weights, gaps = trusted(problem, found)
    # float64 goes on if rounding stopped float32, as it does at large costs on unscaled features.
    stopped = ((gaps > problem.tolerance) & ~found.given_up).nonzero().squeeze(1)
    if len(stopped) and like.dtype == torch.float32:
        weights, formulation = weights.double(), problem.formulation.in_double()
        found = minimize(formulation, problem.columns[stopped], problem.tolerance, most, weights[stopped])
        weights[stopped], gaps[stopped] = trusted(problem, found)
    return weights, gaps


def trusted(problem: Problem, found: Optimum) -> tuple[Tensor, Tensor]:
    """Weights and gaps; zero and infinite where the Gram matrix's rounding hides what the coefficients b are worth.

    Where rows depend on each other, rounding makes it a little indefinite, and b may grow without bound along such a
    direction. It moves |w|^2 by up to eps (sum |b| |u|)^2. At the optimum, b = 2 C y h, that is at most 2 n tolerance P
    for the number type that was chosen (`Solver.number_type`), so what is far above is none.
    """
    weights, gaps = found.weights.clone(), found.gap.double()
    if isinstance(problem.formulation, KernelFormulation):
        gram = problem.formulation.gram
        lengths = gram.diagonal().double().sqrt()
        rounding = torch.finfo(gram.dtype).eps * (weights.double().abs() @ lengths).square()
        lost = ~(rounding <= FAR_ABOVE * 2 * problem.n * problem.tolerance * found.objective.double())
        weights[lost], gaps[lost] = 0.0, torch.inf
    return weights, gaps


def directly(problem: Problem, left: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """The same of the columns that are left, from what conjugate gradients found for them."""
    system, solutions = direct_system(problem), []
    changes = isinstance(system, direct.KernelSystem) and not problem.in_kernel
    for column, start in zip(left.tolist(), weights, strict=True):
        signs, cost = problem.columns.signs[column], float(problem.columns.costs[column])
        solutions.append(direct.solve(system, signs, cost, problem.tolerance, None if changes else start))
    found = torch.stack([solution.vector for solution in solutions])
    gaps = found.new_tensor([solution.gap for solution in solutions])
    return weights_of_rows(problem.blocks, found) if changes else found, gaps


def direct_system(problem: Problem) -> direct.System:
    """The rows for direct solutions: as a Gram matrix, unless they are more than the weights."""
    formulation, like = problem.formulation, problem.columns.signs.new_empty(0)
    if isinstance(formulation, KernelFormulation):
        # Where the products are float32, their rounding is negligible; a system's is not.
        return direct.KernelSystem(formulation.gram.double())
    if problem.n > problem.d + 1:
        return direct.PrimalSystem(problem.blocks, problem.d, like)
    return direct.KernelSystem(gram_matrix(problem.blocks, problem.n, like))


def refusal(problem: Problem, gaps: Tensor) -> str:
    """What could not be solved, and what can be done."""
    worst = int(gaps.nan_to_num(nan=torch.inf).argmax())
    text = f"L2-SVM at C = {float(problem.columns.costs[worst]):g}: the objective is certified to "
    text += (
        f"{float(gaps[worst]):.1g} of itself, {problem.tolerance:g} is asked. Take a smaller C or a larger tolerance"
    )
    needed = f", or {problem.direct_bytes / 2**30:.1f} GB of memory for an exact solution"
    return text + ("" if problem.has_direct else needed)


def delivered(weights: Tensor, gaps: Tensor, costs: Tensor, squares: Tensor, tolerance: float) -> tuple[Tensor, float]:
    """Weights as float32 if that keeps the tolerance, else as float64; and the largest gap with this rounding in it.

    A weight is rounded by at most eps of itself. That moves w by |v| <= eps |w| and P by at most C sum (v.u)^2, so by
    2 C eps^2 sum |u|^2 of P, which is at least |w|^2 / 2. squares: |u|^2 of every row.
    """
    rounded = gaps + 2 * costs * FLOAT32_ROUNDING**2 * squares.sum()
    if (rounded <= tolerance).all():
        return weights.float(), float(rounded.max())
    return weights.double(), float(gaps.max())
