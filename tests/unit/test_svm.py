"""The L2-SVM finds the optimum of scikit-learn's LinearSVC, on both sides, with more rows or more columns."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.svm import LinearSVC

from dcgan.representation.linear_classifier import Solver, columns_of, fit_draws, fit_rows, predict, whole
from dcgan.representation.protocol import draw_rows
from dcgan.representation.svm.formulations import (
    KernelFormulation,
    PrimalFormulation,
    gram_matrix,
    kernel_pays,
    table_blocks,
)
from dcgan.representation.svm.solver import minimize
from tests.feature_tables import objective, table_of

SOLVER = Solver(tolerance=1e-5, memory_bytes=1 << 28, device=torch.device("cpu"))
COSTS = [1e-4, 1e-3, 1e-2]
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
    ours = fit_rows(split, COSTS, SOLVER).double().numpy()
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
    gram = minimize(KernelFormulation(gram_matrix(blocks, len(x), like)), columns, 1e-6)
    rows = minimize(PrimalFormulation(blocks, len(x), x.shape[1], like), columns, 1e-6)
    assert torch.allclose(gram.objective, rows.objective, rtol=2e-6)
    assert gram.gap.max() <= 1e-6 and rows.gap.max() <= 1e-6


def test_gap_bounds_the_distance_to_the_optimum(tmp_path: Path) -> None:
    x, y = digits_products()
    table = table_of(tmp_path / "t.h5", x, y)
    like = torch.empty(0, dtype=torch.float64)
    blocks = table_blocks(table, np.arange(len(x)), slice(None), 1 << 28, torch.device("cpu"))
    formulation, columns = KernelFormulation(gram_matrix(blocks, len(x), like)), columns_of(y, COSTS, like)
    rough, fine = minimize(formulation, columns, 1e-1), minimize(formulation, columns, 1e-9)
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
        found.append(minimize(formulation, columns_of(y, COSTS, like), 1e-4))
    assert max(float(optimum.gap.max()) for optimum in found) <= 1e-4
    assert torch.allclose(found[0].objective, found[1].objective, rtol=1e-4)
    assert found[0].products < found[1].products / 4


def test_float64_is_taken_where_float32_rounds_too_much(tmp_path: Path) -> None:
    """A large C on unscaled features is beyond float32."""
    x, y = digits_raw()
    x, y = x[:600], y[:600]
    ours = fit_rows(whole(table_of(tmp_path / "t.h5", x, y)), [10.0], SOLVER).double().numpy()
    theirs = LinearSVC(C=10.0, dual=False, tol=1e-8, max_iter=100_000).fit(x, y)
    best = objective(x, y, np.hstack([theirs.coef_, theirs.intercept_[:, None]]).astype(np.float64), 10.0)
    assert objective(x, y, ours[0], 10.0) == pytest.approx(best, rel=1e-3)


def test_float32_goes_on_in_float64_where_it_stalls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forced to begin in float32, it ends within what the rounding of the Gram matrix leaves."""
    x, y = digits_products()
    split = whole(table_of(tmp_path / "t.h5", x, y))
    exact = fit_rows(split, [100.0], SOLVER).double().numpy()
    monkeypatch.setattr("dcgan.representation.linear_classifier.FLOAT32_ROUNDING", 0.0)
    forced = fit_rows(split, [100.0], SOLVER).double().numpy()
    assert objective(x, y, forced[0], 100.0) == pytest.approx(objective(x, y, exact[0], 100.0), rel=1e-2)


def test_gram_matrix_of_rows_that_come_from_the_file_reads_it_once_a_strip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = digits_products()
    table, read = table_of(tmp_path / "t.h5", x, y), []
    monkeypatch.setattr("dcgan.representation.svm.formulations.MAX_BLOCK_ROWS", 50)
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
    shared = list(fit_draws(split, draws, [1e-2], SOLVER))
    alone = fit_rows(split.part(draws[3]), [1e-2], SOLVER)
    assert torch.allclose(shared[3], alone, atol=1e-3 * float(alone.abs().max()))


def test_rows_read_from_the_file_give_what_rows_in_memory_give(tmp_path: Path) -> None:
    x, y = digits_raw()
    split = whole(table_of(tmp_path / "t.h5", x, y))
    streamed = fit_rows(split, COSTS, Solver(tolerance=1e-5, memory_bytes=0, device=torch.device("cpu")))
    kept = fit_rows(split, COSTS, SOLVER)
    for place, cost in enumerate(COSTS):
        values = [objective(x, y, weights[place].double().numpy(), cost) for weights in (streamed, kept)]
        assert values[0] == pytest.approx(values[1], rel=2e-5)


def test_side_is_chosen_by_operations_and_memory() -> None:
    assert kernel_pays(n=1_000, d=7_168, columns=70, memory_bytes=1 << 32)
    assert not kernel_pays(n=50_000, d=28_672, columns=70, memory_bytes=8 << 30)
    assert not kernel_pays(n=6_000, d=64, columns=70, memory_bytes=1 << 32)
