"""The kernel and the primal formulation of the L2-SVM of `dcgan/representation/svm/solver.py`, what each costs, and
the choice between them.

K columns (classes x costs) need 30 to 150 products till the end, more for larger C, of fewer columns each time.
u = (x, 1).

    KernelFormulation  w = sum_i b_i u_i. The n x n Gram matrix U U^T once, n^2 d multiply-adds (it is symmetric), then
                       2 n^2 K operations per product; memory 4 n^2 bytes. One matrix serves every cost and every class,
                       and every draw if draws overlap enough (`linear_classifier.fit_draws`).
                       A column with a system that is not solved after n / 100 products, as at large C, is left to
                       `dcgan/representation/svm/direct.py`, which is slower if C is small.
    PrimalFormulation  w itself; rows come block by block from the file: 4 n d K operations per product; memory one
                       block and O((n + d) K). Nothing has to be computed beforehand.

`kernel_pays` counts both. At 50,000 x 28,672 the Gram matrix would be 10 GB, 7e13 operations before the first product,
and then save almost nothing (2 n^2 against 4 n d), so the rows are streamed from the file in a few hundred MB.
"""

import sys
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from dcgan.representation.feature_tables import FeatureTable, Rows
from dcgan.representation.svm.preconditioner import Basis, leading_directions, rank_of, sample_rows
from dcgan.representation.svm.problem import Columns, Direction

PRODUCTS_EXPECTED = 100
# A factorisation of a Gram matrix costs some products more, the more rows it has.
LEAST_PRODUCTS, ROWS_PER_PRODUCT = 10, 100
# Reading and widening the rows takes as long as products for so many columns.
COLUMNS_OF_READING = 10
# A block of float32 rows stays near a CPU while it is multiplied twice, and holds enough rows to be worth it. A GPU is
# idle in small products.
BLOCK_BYTES = {"cpu": 1 << 23, "cuda": 1 << 28}
MAX_BLOCK_ROWS = {"cpu": 1024, "cuda": 4096}
# Rows that are held while all rows before them are read once more: larger strips read a file fewer times.
STRIP_BYTES = 1 << 28
Blocks = Callable[[], Iterator[tuple[slice, Tensor]]]


class KernelFormulation:
    """Weights as coefficients of the rows; gram: (n, n), the intercept's 1 already added to every entry."""

    def __init__(self, gram: Tensor, basis: Basis | None = None) -> None:
        self.gram = gram
        self.max_products = max(LEAST_PRODUCTS, len(gram) // ROWS_PER_PRODUCT)
        self.basis = self._leading() if basis is None else basis

    def _leading(self) -> Basis:
        rank = rank_of(len(self.gram))
        rows = sample_rows(len(self.gram), rank).to(self.gram.device)
        coefficients = leading_directions(self.gram[rows][:, rows], rank)
        vectors = self.gram.new_zeros(len(coefficients), len(self.gram))
        vectors[:, rows] = coefficients
        return Basis(vectors, (coefficients @ self.gram[rows]).T.contiguous())

    def in_double(self) -> "KernelFormulation":
        """The same rows in float64."""
        return KernelFormulation(self.gram.double(), self.basis.double())

    def zeros(self, k: int) -> Tensor:
        """The start: (k, m)."""
        return self.gram.new_zeros(k, len(self.gram))

    def evaluate(self, weights: Tensor, columns: Columns) -> tuple[Tensor, Tensor]:
        """Margins (k, n) and gradient (k, m)."""
        margins = weights @ self.gram
        return margins, weights - columns.duals(margins)

    def inner(self, a: Tensor, b: Tensor, b_margins: Tensor) -> Tensor:
        """Inner products, (k,)."""
        return (a * b_margins).sum(1)

    def project(self, vector: Tensor) -> Tensor:
        """Inner products with the vectors of the basis: (k, r)."""
        return vector @ self.basis.by_row

    def squared_norm(self, residual: Tensor) -> tuple[Tensor, Tensor]:
        """Squared norm (k,) and margins (k, n)."""
        margins = residual @ self.gram
        return (residual * margins).sum(1), margins

    def hessian_product(self, direction: Direction, curvature: Tensor) -> Tensor:
        """Hessian times direction, whose margins are renewed."""
        # The product was made when the residual was measured; margins are linear.
        direction.margins = torch.addcmul(direction.residual_margins, direction.share, direction.margins)
        return torch.addcmul(direction.vector, curvature, direction.margins)


class PrimalFormulation:
    """Weights as they are, the intercept last; `blocks()` yields (rows, x: (b, d)) over all n rows, anew each call."""

    max_products = sys.maxsize

    def __init__(self, blocks: Blocks, n: int, d: int, like: Tensor, basis: Basis | None = None) -> None:
        self.blocks, self.n, self.d, self.like = blocks, n, d, like
        self.basis = self._leading() if basis is None else basis

    def _leading(self) -> Basis:
        rank = rank_of(min(self.n, self.d + 1))
        sample = self._rows(sample_rows(self.n, rank))
        vectors = leading_directions(sample @ sample.T, rank) @ sample
        by_row = self.like.new_empty(self.n, len(vectors))
        for rows, x in self._widened():
            by_row[rows] = torch.addmm(vectors[:, -1], x, vectors[:, :-1].T)
        return Basis(vectors, by_row)

    def _rows(self, chosen: Tensor) -> Tensor:
        """The chosen rows, in rising order, with the intercept's 1: (s, d + 1)."""
        found = self.like.new_ones(len(chosen), self.d + 1)
        for rows, x in self.blocks():
            inside = (chosen >= rows.start) & (chosen < rows.stop)
            found[inside, :-1] = x[(chosen[inside] - rows.start).to(x.device)].to(self.like)
        return found

    def in_double(self) -> "PrimalFormulation":
        """The same rows in float64."""
        return PrimalFormulation(self.blocks, self.n, self.d, self.like.double(), self.basis.double())

    def zeros(self, k: int) -> Tensor:
        """The start: (k, m)."""
        return self.like.new_zeros(k, self.d + 1)

    def evaluate(self, weights: Tensor, columns: Columns) -> tuple[Tensor, Tensor]:
        """Margins (k, n) and gradient (k, m)."""
        margins, total = self._sweep(weights, lambda rows, block: columns.duals(block, rows))
        return margins, weights - total

    def inner(self, a: Tensor, b: Tensor, b_margins: Tensor) -> Tensor:
        """Inner products, (k,)."""
        return (a * b).sum(1)

    def project(self, vector: Tensor) -> Tensor:
        """Inner products with the vectors of the basis: (k, r)."""
        return vector @ self.basis.vectors.T

    def squared_norm(self, residual: Tensor) -> tuple[Tensor, Tensor]:
        """Squared norm (k,), and no margins, (k, 0): they would cost a product."""
        return residual.square().sum(1), residual.new_empty(len(residual), 0)

    def hessian_product(self, direction: Direction, curvature: Tensor) -> Tensor:
        """Hessian times direction, whose margins are renewed."""
        direction.margins, product = self._sweep(direction.vector, lambda rows, block: curvature[:, rows] * block)
        return direction.vector + product

    def _widened(self) -> Iterator[tuple[slice, Tensor]]:
        """All blocks in the number type to solve in, each in the memory of the one before."""
        space = self.like.new_empty(0, self.d)
        for rows, x in self.blocks():
            if x.dtype != space.dtype:
                if len(space) < len(x):
                    space = self.like.new_empty(len(x), self.d)
                x = space[: len(x)].copy_(x)
            yield rows, x

    def _sweep(self, vector: Tensor, factors_of: Callable[[slice, Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """In one pass over the rows: the vector's margins, and the sum of all rows times factors_of(rows, margins)."""
        margins, total = self.like.new_empty(len(vector), self.n), self.zeros(len(vector))
        for rows, x in self._widened():
            margins[:, rows] = torch.addmm(vector[:, -1:], vector[:, :-1], x.T)
            factors = factors_of(rows, margins[:, rows])
            total[:, :-1].addmm_(factors, x)
            total[:, -1] += factors.sum(1)
        return margins, total


def kernel_pays(n: int, d: int, columns: int, memory_bytes: int) -> bool:
    """Whether the kernel formulation takes fewer operations than the primal one and fits into memory."""
    gram = n * n * d + PRODUCTS_EXPECTED * 2 * n * n * columns
    rows = PRODUCTS_EXPECTED * 4 * n * d * (columns + COLUMNS_OF_READING)
    return gram < rows and 4 * n * n * 2 <= memory_bytes


def table_blocks(table: FeatureTable, rows: Rows, columns: slice, memory_bytes: int, device: torch.device) -> Blocks:
    """The named rows of a table in blocks; held in memory if they fit, else read anew at each call.

    Blocks have the type of the table: rows stored as float16 take half the memory, and are widened block by block.
    """
    width = len(range(*columns.indices(table.shape[1])))
    if table.row_bytes(columns) * len(rows) <= memory_bytes:
        return tensor_blocks(torch.from_numpy(table.read(rows, columns)).to(device))

    def read() -> Iterator[tuple[slice, Tensor]]:
        for part in block_slices(len(rows), block_rows(width, device)):
            yield part, torch.from_numpy(table.read(rows[part], columns)).to(device)

    return read


def tensor_blocks(x: Tensor) -> Blocks:
    """Rows in memory, (n, d), in blocks."""
    return lambda: ((part, x[part]) for part in block_slices(len(x), block_rows(x.shape[1], x.device)))


def block_rows(width: int, device: torch.device) -> int:
    """Rows per block; few enough that the Gram matrix computes little of itself twice."""
    return min(MAX_BLOCK_ROWS[device.type], max(1, BLOCK_BYTES[device.type] // (4 * width)))


def memory_on(device: torch.device, allowed: int) -> int:
    """Bytes of rows or Gram matrices to hold at a time: no more than half of a GPU, as work on them takes the rest."""
    return min(allowed, torch.cuda.mem_get_info(device)[1] // 2) if device.type == "cuda" else allowed


def block_slices(n: int, size: int) -> Iterator[slice]:
    """0..n in steps of `size`."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def gram_matrix(blocks: Blocks, n: int, like: Tensor) -> Tensor:
    """U U^T of the rows, (n, n) of the type of `like`, block by block; every pair of blocks is multiplied once."""
    gram = like.new_empty(n, n)
    for strip in _strips(blocks, like):
        for others, other in blocks():
            behind = [(rows, x) for rows, x in strip if rows.start >= others.start]
            if not behind:
                break
            other = other.to(like)
            for rows, x in behind:
                product = x @ other.T + 1
                gram[rows, others], gram[others, rows] = product, product.T
    return gram


def _strips(blocks: Blocks, like: Tensor) -> Iterator[list[tuple[slice, Tensor]]]:
    """Neighbouring blocks of STRIP_BYTES together, in the type of `like`."""
    strip, size = [], 0
    for rows, x in blocks():
        strip.append((rows, x.to(like)))
        size += x.numel() * like.element_size()
        if size >= STRIP_BYTES:
            yield strip
            strip, size = [], 0
    if strip:
        yield strip


def weights_of_rows(blocks: Blocks, coefficients: Tensor) -> Tensor:
    """Coefficients (k, n) of the rows -> weights (k, d + 1), the intercept last."""
    weights = sum(coefficients[:, rows] @ x.to(coefficients) for rows, x in blocks())
    return torch.cat([torch.as_tensor(weights), coefficients.sum(1, keepdim=True)], dim=1)
