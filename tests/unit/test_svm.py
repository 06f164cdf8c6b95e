"""The L2-SVM finds the optimum of scikit-learn's LinearSVC, on both sides, with more rows or more columns."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.optimize import nnls
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.svm import LinearSVC
from torch import Tensor

from dcgan.core.files import InputError
from dcgan.representation.linear_classifier import Solver, columns_of, fit_draws, fit_rows, predict, whole
from dcgan.representation.protocol import draw_rows
from dcgan.representation.svm import direct
from dcgan.representation.svm.formulations import (
    MAX_BLOCK_ROWS,
    Blocks,
    KernelFormulation,
    PrimalFormulation,
    gram_matrix,
    kernel_pays,
    table_blocks,
    tensor_blocks,
)
from dcgan.representation.svm.solver import minimize
from tests.feature_tables import objective, table_of

SOLVER = Solver(tolerance=1e-5, memory_bytes=1 << 28, device=torch.device("cpu"))
COSTS, PRODUCTS = [1e-4, 1e-3, 1e-2], 1000
Set = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]


def digits_raw() -> Set:
    x, y = load_digits(return_X_y=True)
    return x.astype(np.float32), y


def digits_products() -> Set:
    """Pairs of pixels: 2,080 features for 600 rows, more columns than rows, as with discriminator features."""
    x, y = load_digits(return_X_y=True)
    return PolynomialFeatures(2, include_bias=False).fit_transform(x[:600] / 16).astype(np.float32), y[:600]


def cancer() -> Set:
    x, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(x).astype(np.float32), y


def wine_products() -> Set:
    x, y = load_wine(return_X_y=True)
    return PolynomialFeatures(2).fit_transform(StandardScaler().fit_transform(x)).astype(np.float32), y


@pytest.mark.parametrize("make", [digits_raw, digits_products, cancer, wine_products])
def test_optimum_is_that_of_linear_svc(tmp_path: Path, make: object) -> None:
    x, y = make()  # type: ignore[operator]
    split = whole(table_of(tmp_path / "t.h5", x, y))
    ours = fit_rows(split, COSTS, SOLVER).weights.double().numpy()
    predictions = predict(split, torch.from_numpy(ours).float())
    for place, cost in enumerate(COSTS):
        model = LinearSVC(C=cost, dual=True, tol=1e-6, max_iter=200_000, random_state=0).fit(x, y)
        theirs = np.hstack([model.coef_, model.intercept_[:, None]]).astype(np.float64)
        mine = ours[place][-len(theirs) :]  # two classes: LinearSVC fits the second one only
        assert objective(x, y, mine, cost) == pytest.approx(objective(x, y, theirs, cost), rel=1e-3)
        assert (np.unique(y)[predictions[place]] == model.predict(x)).mean() >= 0.995


@pytest.mark.parametrize("make", [digits_raw, digits_products])
def test_both_sides_meet(tmp_path: Path, make: object) -> None:
    x, y = make()  # type: ignore[operator]
    table = table_of(tmp_path / "t.h5", x, y)
    like = torch.empty(0, dtype=torch.float64)
    blocks = table_blocks(table, np.arange(len(x)), slice(None), 1 << 28, torch.device("cpu"))
    columns = columns_of(y, COSTS, like)
    gram = minimize(KernelFormulation(gram_matrix(blocks, len(x), like)), columns, 1e-6, PRODUCTS)
    rows = minimize(PrimalFormulation(blocks, len(x), x.shape[1], like), columns, 1e-6, PRODUCTS)
    assert torch.allclose(gram.objective, rows.objective, rtol=2e-6)
    assert gram.gap.max() <= 1e-6 and rows.gap.max() <= 1e-6


def test_gap_bounds_the_distance_to_the_optimum(tmp_path: Path) -> None:
    x, y = digits_products()
    table = table_of(tmp_path / "t.h5", x, y)
    like = torch.empty(0, dtype=torch.float64)
    blocks = table_blocks(table, np.arange(len(x)), slice(None), 1 << 28, torch.device("cpu"))
    formulation, columns = KernelFormulation(gram_matrix(blocks, len(x), like)), columns_of(y, COSTS, like)
    rough, fine = (minimize(formulation, columns, t, PRODUCTS) for t in (1e-1, 1e-9))
    assert (rough.objective - fine.objective <= rough.gap * rough.objective).all()
    assert (rough.objective >= fine.objective * (1 - 1e-9)).all()


@pytest.mark.parametrize("kind", [KernelFormulation, PrimalFormulation])
def test_leading_directions_save_products_on_features_that_are_not_centred(
    kind: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = digits_products()
    x += 1
    like = torch.empty(0)
    blocks = table_blocks(table_of(tmp_path / "t.h5", x, y), np.arange(600), slice(None), 1 << 28, torch.device("cpu"))
    found = []
    for directions in (64, 1):
        monkeypatch.setattr("dcgan.representation.svm.formulations.rank_of", lambda weights, rank=directions: rank)
        formulation = (
            KernelFormulation(gram_matrix(blocks, 600, like))
            if kind is KernelFormulation
            else PrimalFormulation(blocks, *x.shape, like)
        )
        formulation.max_products = PRODUCTS
        found.append(minimize(formulation, columns_of(y, COSTS, like), 1e-4, PRODUCTS))
    assert max(float(optimum.gap.max()) for optimum in found) <= 1e-4
    assert torch.allclose(found[0].objective, found[1].objective, rtol=1e-4)
    assert found[0].products < found[1].products / 4


def test_float64_is_taken_where_float32_rounds_too_much(tmp_path: Path) -> None:
    """A large C on unscaled features is beyond float32."""
    x, y = digits_raw()
    x, y = x[:600], y[:600]
    ours = fit_rows(whole(table_of(tmp_path / "t.h5", x, y)), [10.0], SOLVER).weights.double().numpy()
    theirs = LinearSVC(C=10.0, dual=False, tol=1e-8, max_iter=100_000).fit(x, y)
    best = objective(x, y, np.hstack([theirs.coef_, theirs.intercept_[:, None]]).astype(np.float64), 10.0)
    assert objective(x, y, ours[0], 10.0) == pytest.approx(best, rel=1e-3)


def test_float32_goes_on_in_float64_where_it_stalls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forced to begin in float32, it ends within what the rounding of the Gram matrix leaves."""
    x, y = digits_products()
    split = whole(table_of(tmp_path / "t.h5", x, y))
    exact = fit_rows(split, [100.0], SOLVER).weights.double().numpy()
    monkeypatch.setattr("dcgan.representation.linear_classifier.FLOAT32_ROUNDING", 0.0)
    forced = fit_rows(split, [100.0], SOLVER).weights.double().numpy()
    assert objective(x, y, forced[0], 100.0) == pytest.approx(objective(x, y, exact[0], 100.0), rel=1e-2)


def test_gram_matrix_of_rows_that_come_from_the_file_reads_it_once_a_strip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = digits_products()
    table, read = table_of(tmp_path / "t.h5", x, y), []
    monkeypatch.setitem(MAX_BLOCK_ROWS, "cpu", 50)
    monkeypatch.setattr("dcgan.representation.svm.formulations.STRIP_BYTES", 200 * 4 * x.shape[1])
    original = table.read
    monkeypatch.setattr(table, "read", lambda rows, columns: read.append(len(rows)) or original(rows, columns))
    blocks = table_blocks(table, np.arange(600), slice(None), 0, torch.device("cpu"))
    gram = gram_matrix(blocks, 600, torch.empty(0, dtype=torch.float32))
    assert torch.allclose(gram, torch.from_numpy(x @ x.T + 1), rtol=1e-5)
    # Three strips of 200 rows: all rows once to hold them, and the first 200, 400 and 600 to multiply them with.
    assert 600 + 1200 <= sum(read) <= 600 + 1200 + 2 * 50


def test_draws_that_share_a_gram_matrix_give_the_same(tmp_path: Path) -> None:
    x, y = digits_products()
    split = whole(table_of(tmp_path / "t.h5", x, y))
    draws = [draw_rows(y, 20, np.random.default_rng(seed)) for seed in range(12)]
    shared = list(fit_draws(split, draws, [1e-2], SOLVER))[3].weights
    alone = fit_rows(split.part(draws[3]), [1e-2], SOLVER).weights
    assert torch.allclose(shared, alone, atol=1e-3 * float(alone.abs().max()))


def test_rows_read_from_the_file_give_what_rows_in_memory_give(tmp_path: Path) -> None:
    x, y = digits_raw()
    split = whole(table_of(tmp_path / "t.h5", x, y))
    streamed = fit_rows(split, COSTS, replace(SOLVER, memory_bytes=0)).weights
    kept = fit_rows(split, COSTS, SOLVER).weights
    for place, cost in enumerate(COSTS):
        values = [objective(x, y, weights[place].double().numpy(), cost) for weights in (streamed, kept)]
        assert values[0] == pytest.approx(values[1], rel=2e-5)


def test_side_is_chosen_by_operations_and_memory() -> None:
    assert kernel_pays(n=1_000, d=7_168, columns=70, memory_bytes=1 << 32)
    assert not kernel_pays(n=50_000, d=28_672, columns=70, memory_bytes=8 << 30)
    assert not kernel_pays(n=6_000, d=64, columns=70, memory_bytes=1 << 32)


def gaussian() -> Set:
    """Nothing to learn, and far more columns than rows: at a large C every row stays at its margin."""
    random = np.random.default_rng(0)
    return random.normal(size=(300, 2000)).astype(np.float32), np.arange(300) % 3


def clusters(n: int, d: int, classes: int, distance: float) -> Set:
    random = np.random.default_rng(n + d)
    y = random.permutation(n) % classes
    centres = distance * random.normal(size=(classes, d)) / np.sqrt(d)
    return (random.normal(size=(n, d)) + centres[y]).astype(np.float32), y


def duplicated() -> Set:
    """Every row some three times, some of them with another label each time: no C separates them."""
    x, y = clusters(60, 90, 3, 3)
    rows = np.random.default_rng(1).integers(0, 60, 180)
    return x[rows], np.where(np.arange(180) < 20, np.arange(180) % 3, y[rows])


def badly_scaled() -> Set:
    x, y = clusters(200, 70, 3, 3)
    return x * np.logspace(-3, 3, 70, dtype=np.float32), y


def constant_columns() -> Set:
    x, y = clusters(150, 80, 3, 3)
    x[:, ::4], x[:, 1] = 7, 0
    return x, y


def low_rank() -> Set:
    x, y = clusters(200, 6, 4, 4)
    return x @ np.random.default_rng(2).normal(size=(6, 300)).astype(np.float32), y


def pooled() -> Set:
    """As maxima of leaky activations are: seldom far above zero, all of one sign, few of them large."""
    x, y = clusters(200, 800, 5, 6)
    return np.maximum(x - 1.2, 0), y


PROBLEMS = {
    "gaussian": gaussian,
    "more columns": lambda: clusters(120, 300, 3, 3),
    "more rows": lambda: clusters(400, 40, 3, 2),
    "many more rows": lambda: clusters(300, 90, 2, 2),
    "separable": lambda: clusters(150, 20, 3, 25),
    "duplicated": duplicated,
    "badly scaled": badly_scaled,
    "constant columns": constant_columns,
    "low rank": low_rank,
    "pooled": pooled,
    "labels with a gap": lambda: (clusters(120, 200, 3, 3)[0], np.array([0, 2, 7])[clusters(120, 200, 3, 3)[1]]),
}
EVERY_COST = [1e-8, 1e-5, 1e-2, 0.3, 1.0, 10.0, 100.0, 1e4]
WAYS = {"gram": (True, 1 << 28), "rows": (False, 1 << 28), "streamed": (False, 0)}


def least(x: npt.NDArray[np.float32], signs: npt.NDArray[np.float64], cost: float) -> float:
    """What no P is below: the dual objective, by scipy's active-set method for non-negative least squares."""
    u = np.hstack([x, np.ones((len(x), 1))]).astype(np.float64) * signs[:, None]
    factor = np.linalg.cholesky(u @ u.T + np.eye(len(x)) / (2 * cost)).T
    beta, _ = nnls(factor, np.linalg.solve(factor.T, np.ones(len(x))), maxiter=50 * len(x))
    return float(beta.sum() - np.square(beta @ u).sum() / 2 - np.square(beta).sum() / (4 * cost))


@pytest.fixture(scope="module")
def bounds() -> dict[str, list[list[float]]]:
    """For each problem and cost the least P of each class."""
    found = {}
    for name, make in PROBLEMS.items():
        x, y = make()
        signs = [np.where(y == label, 1.0, -1.0) for label in np.unique(y)]
        found[name] = [[least(x, s, cost) for s in signs] for cost in EVERY_COST]
    return found


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", PROBLEMS)
def test_every_cost_is_solved_on_every_problem_in_every_way(
    name: str, way: str, bounds: dict[str, list[list[float]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each cost alone and thus in its own number type, to the tolerance that is certified, of the weights given out."""
    x, y = PROBLEMS[name]()
    in_kernel, memory = WAYS[way]
    monkeypatch.setattr("dcgan.representation.linear_classifier.kernel_pays", lambda *_: in_kernel)
    split = whole(table_of(tmp_path / "t.h5", x, y))
    solver = Solver(tolerance=1e-4, memory_bytes=memory, device=torch.device("cpu"))
    for cost, bound in zip(EVERY_COST, bounds[name], strict=True):
        fit = fit_rows(split, [cost], solver)
        assert fit.gap <= 1e-4
        for label, weights, low in zip(np.unique(y), fit.weights[0].double().numpy(), bound, strict=True):
            found = objective(x, np.int64(y == label), weights[None], cost)
            assert low * (1 - 1e-6) <= found <= low * (1 + 1e-4 + 1e-6)


@pytest.mark.parametrize("name", ["low rank", "duplicated"])
def test_a_gram_matrix_that_rounding_makes_indefinite_is_not_trusted(
    name: str, bounds: dict[str, list[list[float]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Coefficients that grow along a direction without length have objectives of any size, and gaps below zero."""

    def rounded_down(blocks: Blocks, n: int, like: Tensor) -> Tensor:
        gram = gram_matrix(blocks, n, like)
        return gram - torch.finfo(gram.dtype).eps / 4 * gram.diagonal().max() * torch.eye(n, dtype=gram.dtype)

    monkeypatch.setattr("dcgan.representation.linear_classifier.kernel_pays", lambda *_: True)
    monkeypatch.setattr("dcgan.representation.linear_classifier.gram_matrix", rounded_down)
    x, y = PROBLEMS[name]()
    split = whole(table_of(tmp_path / "t.h5", x, y))
    solver = Solver(tolerance=1e-4, memory_bytes=1 << 28, device=torch.device("cpu"))
    for cost, bound in zip(EVERY_COST, bounds[name], strict=True):
        fit = fit_rows(split, [cost], solver)
        assert 0 <= fit.gap <= 1e-4
        for label, weights, low in zip(np.unique(y), fit.weights[0].double().numpy(), bound, strict=True):
            found = objective(x, np.int64(y == label), weights[None], cost)
            assert low * (1 - 1e-6) <= found <= low * (1 + 1e-3), "the matrix is not that of the rows"


@pytest.mark.parametrize("memory", [0, 1 << 28])
def test_published_grid_on_more_columns_than_rows_is_no_worse_than_linear_svc(memory: int, tmp_path: Path) -> None:
    x, y = pooled()
    split, costs = whole(table_of(tmp_path / "t.h5", x, y)), [0.3, 1.0, 10.0]
    ours = fit_rows(split, costs, replace(SOLVER, memory_bytes=memory)).weights.double().numpy()
    for weights, cost in zip(ours, costs, strict=True):
        model = LinearSVC(C=cost, dual=True, tol=1e-6, max_iter=200_000, random_state=0).fit(x, y)
        theirs = np.hstack([model.coef_, model.intercept_[:, None]]).astype(np.float64)
        assert objective(x, y, weights, cost) <= objective(x, y, theirs, cost) * (1 + 1e-5)


@pytest.mark.parametrize("way", WAYS)
def test_what_cannot_be_certified_is_refused_by_its_cost(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without memory for a factorisation, and few products; 1e-4 alone is solved, so 10 is what is named."""
    in_kernel, memory = WAYS[way]
    monkeypatch.setattr("dcgan.representation.linear_classifier.kernel_pays", lambda *_: in_kernel)
    monkeypatch.setattr("dcgan.representation.svm.certified.LEAST_DIRECT_BYTES", 0)
    monkeypatch.setattr("dcgan.representation.svm.certified.MAX_PRODUCTS", 60)
    x, y = clusters(120, 300, 3, 3)
    split, solver = whole(table_of(tmp_path / "t.h5", x, y)), replace(SOLVER, memory_bytes=min(memory, 100_000))
    assert fit_rows(split, [1e-4], solver).gap <= 1e-5
    with pytest.raises(InputError, match=r"t\.h5: L2-SVM at C = 10: .* 1e-05 is asked.* smaller C .* GB of memory"):
        fit_rows(split, [1e-4, 10.0], solver)


def test_a_cost_beyond_the_number_type_is_no_error_of_the_preconditioner() -> None:
    x, y = gaussian()
    like = torch.empty(0, dtype=torch.float32)
    gram = gram_matrix(tensor_blocks(torch.from_numpy(x)), len(x), like)
    found = minimize(KernelFormulation(gram), columns_of(y, [1e4, 1e5, 1e6], like), 1e-4, PRODUCTS)
    assert found.objective.isfinite().all()


def test_tolerance_below_the_rounding_of_float64_is_refused(tmp_path: Path) -> None:
    x, y = badly_scaled()
    with pytest.raises(InputError, match=r"L2-SVM at C = 10000: .* a smaller C or a larger tolerance$"):
        fit_rows(whole(table_of(tmp_path / "t.h5", x, y)), [1e4], replace(SOLVER, tolerance=1e-25))


def test_rounding_that_only_the_last_rows_show_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows far from the origin, where float32 keeps nothing of what tells them apart."""
    monkeypatch.setitem(MAX_BLOCK_ROWS, "cpu", 50)
    x, y = clusters(120, 200, 2, 10)
    x[100:] += 1000
    fit = fit_rows(whole(table_of(tmp_path / "t.h5", x, y)), [0.1], SOLVER)
    low = sum(least(x, np.where(y == label, 1.0, -1.0), 0.1) for label in (0, 1))
    assert objective(x, y, fit.weights[0].double().numpy(), 0.1) == pytest.approx(low, rel=2e-5)


def test_weights_are_given_out_in_float64_if_float32_would_spoil_them(tmp_path: Path) -> None:
    x, y = clusters(120, 200, 2, 10)
    x += 1000
    split = whole(table_of(tmp_path / "t.h5", x, y))
    assert fit_rows(split, [1e-3], SOLVER).weights.dtype == torch.float32
    fit = fit_rows(split, [1e4], SOLVER)
    low = sum(least(x, np.where(y == label, 1.0, -1.0), 1e4) for label in (0, 1))
    found, spoilt = (objective(x, y, w.double().numpy(), 1e4) for w in (fit.weights[0], fit.weights[0].float()))
    assert found == pytest.approx(low, rel=2e-5) and spoilt > low * (1 + 1e-4)


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_features_that_are_no_numbers_are_refused_by_their_row(value: float, tmp_path: Path) -> None:
    x, y = clusters(60, 20, 3, 3)
    x[41, 3] = value
    with pytest.raises(InputError, match=r"t\.h5: the features of row 41 are not finite"):
        fit_rows(whole(table_of(tmp_path / "t.h5", x, y)), [1.0], SOLVER)


def test_a_draw_without_a_class_is_refused(tmp_path: Path) -> None:
    """Its weights would stand in the places of other classes."""
    x, y = clusters(60, 20, 3, 3)
    split = whole(table_of(tmp_path / "t.h5", x, y))
    with pytest.raises(InputError, match="class 1 has no row in one of the draws"):
        list(fit_draws(split, [np.arange(60), np.flatnonzero(y != 1)], [1.0], SOLVER))


@pytest.mark.parametrize("cost", [0.3, 10.0, 1e4])
def test_leading_directions_that_lead_astray_cost_few_factorisations(
    cost: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where every row stays at its margin, Newton's method is through in two steps from zero."""
    sizes: list[int] = []
    original = direct.factorised
    monkeypatch.setattr(
        direct, "factorised", lambda matrix, *rest: sizes.append(len(matrix)) or original(matrix, *rest)
    )
    x, y = gaussian()
    fit_rows(whole(table_of(tmp_path / "t.h5", x, y)), [cost], SOLVER)
    assert 3 <= len(sizes) <= 12  # of three classes, each with the one from where the leading directions end
