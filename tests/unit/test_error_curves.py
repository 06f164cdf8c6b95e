"""Points of the curves by hand: what is learned from, at which costs, and what is printed for it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from dcgan.core.distributed import ALONE, Group
from dcgan.core.seeding import torch_generator
from dcgan.models.architectures import ARCHITECTURES
from dcgan.models.networks import Generator
from dcgan.representation import error_curves
from dcgan.representation.error_curves import Curves, cost_rows, label_rows, layer_rows
from dcgan.representation.linear_classifier import Solver, whole
from dcgan.representation.neighbour_curves import sample_batches
from dcgan.representation.protocol import Evaluation, Protocol, Splits, end_of_grid
from stages.evaluate_svm import ends_of_grids, summary
from tests.feature_tables import table_of

SOLVER = Solver(tolerance=1e-4, memory_bytes=1 << 28, device=torch.device("cpu"))
PROTOCOL = Protocol(labels_per_class=5, costs=[1.0, 2.0], search_draws=2, draws=4, learn_validation=False, seed=1)
CURVES = Curves(labels=[3, 4], layer_labels=2, draws=7)


@pytest.fixture
def splits(tmp_path: Path) -> Splits:
    """Twelve columns: a layer of two, one of four, one of six."""
    split = whole(table_of(tmp_path / "t.h5", np.zeros((6, 12), np.float32), np.arange(6) % 3))
    split.table.layers = [2, 4, 6]
    return Splits(split, split, split)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[slice, Protocol]]:
    """The columns and the protocol of every point, whose error is 0.25 at the protocol's last cost."""
    found: list[tuple[slice, Protocol]] = []

    def curve_point(splits: Splits, protocol: Protocol, _: Solver) -> Any:
        found.append((splits.train.columns, protocol))
        return protocol.costs[-1], np.array([0.2, 0.3])

    monkeypatch.setattr(error_curves, "curve_point", curve_point)
    return found


def test_layers_are_tried_at_costs_in_proportion_to_their_columns(
    splits: Splits, asked: list[tuple[slice, Protocol]]
) -> None:
    rows = list(layer_rows("trained", splits, PROTOCOL, CURVES, SOLVER))
    # The first layer alone is all layers up to it, and is fitted once.
    assert [(columns.start, columns.stop) for columns, _ in asked] == [(0, 2), (2, 6), (0, 6), (6, 12), (0, 12)]
    assert [protocol.costs for _, protocol in asked] == [[6, 12], [3, 6], [2, 4], [2, 4], [1, 2]]
    assert {(protocol.labels_per_class, protocol.search_draws) for _, protocol in asked} == {(2, 7)}
    assert [(row["curve"], row["x"], row["cost"]) for row in rows] == [
        *(("alone", 1, 12), ("cumulative", 1, 12), ("alone", 2, 6)),
        *(("cumulative", 2, 4), ("alone", 3, 4), ("cumulative", 3, 2)),
    ]
    assert {row["accuracy"] for row in rows} == {0.75} and {row["at_edge"] for row in rows} == {True}


def test_labels_per_class_are_those_of_the_curve(splits: Splits, asked: list[tuple[slice, Protocol]]) -> None:
    rows = list(label_rows("random", splits, PROTOCOL, CURVES, SOLVER))
    assert [(p.labels_per_class, p.search_draws, p.costs) for _, p in asked] == [(3, 7, [1, 2]), (4, 7, [1, 2])]
    assert [(row["weights"], row["x"], row["cost"]) for row in rows] == [("random", 3, 2.0), ("random", 4, 2.0)]


def evaluation(validation: list[list[float]], test: list[float]) -> Evaluation:
    """Its test errors, in tenths, are shares of ten rows."""
    right = np.arange(10) >= 10 * np.array(test)[:, None]
    return Evaluation(np.array(validation), 2.0, right, np.zeros((3, 3), np.int64), 3e-5)


def test_the_curve_over_c_is_of_validation_errors() -> None:
    rows = list(cost_rows("trained", [1.0, 2.0], evaluation([[0.1, 0.4], [0.3, 0.4]], [0.9])))
    assert [(row["x"], row["accuracy"]) for row in rows] == [(1.0, pytest.approx(0.8)), (2.0, pytest.approx(0.6))]


def test_the_summary_tells_trained_from_random_weights(splits: Splits) -> None:
    trained, random = evaluation([[0.1, 0.4], [0.3, 0.4]], [0.5, 0.7]), evaluation([[0.8, 0.9]], [0.9, 0.9])
    section: Any = SimpleNamespace(published_error=0.2248, costs=[1.0, 2.0, 4.0])
    splits.train.table.columns_per_map = 3
    found = summary(section, splits, {"trained": trained, "random": random})
    assert found == {
        "error": pytest.approx(0.6),
        "interval": pytest.approx(1.96 * 0.1),
        "published": 0.2248,
        "accuracy": pytest.approx(0.4),
        "random_weights_error": pytest.approx(0.9),
        "random_weights_cost_at_edge": False,
        "random_weights_interval": pytest.approx(0.0),
        "validation_error": pytest.approx(0.2),
        "cost": 2.0,
        "cost_at_edge": False,
        "certified_gap": 3e-5,
        "n_draws": 2,
        "n_test": 6,
        "n_features": 12,
        "n_maps": 2,
    }


def test_a_choice_at_an_end_of_its_grid_is_told(splits: Splits) -> None:
    found = {kind: evaluation([[0.1]], [0.5]) for kind in ("trained", "random")}  # each at 2
    section: Any = SimpleNamespace(published_error=None, costs=[1.0, 2.0])
    told = summary(section, splits, found)
    assert told["cost_at_edge"] and told["random_weights_cost_at_edge"]
    curves = pd.DataFrame({"at_edge": [True, False, True]})
    assert list(ends_of_grids("a", [2.0, 3.0], found, curves)) == [
        "trained weights: the best C is the smallest that was tried, 2 of 2 to 3: widen svm.a.costs",
        "random weights: the best C is the smallest that was tried, 2 of 2 to 3: widen svm.a.costs",
        "the best C of 2 points of the curves is at an end of their grid: widen svm.a.costs",
    ]
    assert "the largest that was tried" in next(ends_of_grids("a", [1.0, 2.0], found, curves))
    assert list(ends_of_grids("a", [1.0, 2.0, 3.0], found, curves[1:2])) == []


def test_one_cost_alone_was_not_chosen() -> None:
    assert end_of_grid(1.0, [1.0]) is None


def test_samples_have_the_classes_in_turn_over_batches_and_processes() -> None:
    generator = Generator(ARCHITECTURES["demo_mnist28"]).initialize(torch_generator(1, "g"))
    batches = list(sample_batches(generator, 25, 7, 1, ALONE))
    assert [batch.first for batch in batches] == [0, 7, 14, 21]
    assert np.concatenate([batch.labels for batch in batches]).tolist() == [number % 10 for number in range(25)]
    shared = [batch for rank in (0, 1) for batch in sample_batches(generator, 25, 7, 1, Group(rank, 2))]
    for one, two in zip(batches, sorted(shared, key=lambda batch: batch.first), strict=True):
        assert one.first == two.first
        assert np.array_equal(one.images, two.images) and np.array_equal(one.labels, two.labels)
