"""What the error of a classifier depends on: accuracy against C, against labels per class, and against layers.

Section 5 of the paper prints single numbers; these curves show what they depend on. Inputs: splits of feature tables
and an evaluation. Output: rows of curve, weights, x, cost, accuracy, interval, at_edge (whether the cost was chosen at
an end of its grid), which dcgan/representation/plots.py draws.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dcgan.representation.linear_classifier import Errors, Solver
from dcgan.representation.protocol import Evaluation, Protocol, Splits, curve_point, end_of_grid, interval

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Which points are drawn, each over `draws` draws."""

    labels: Sequence[int]  # per class
    layer_labels: int | None  # per class, for the curve over layers; None: no such curve
    draws: int

    def few(self, protocol: Protocol, labels: int, costs: Sequence[float]) -> Protocol:
        """A protocol with so many labels per class, and the draws of a curve."""
        return replace(protocol, labels_per_class=labels, search_draws=self.draws, costs=costs)


def cost_rows(weights: str, costs: Sequence[float], evaluation: Evaluation) -> Iterator[Row]:
    """Validation accuracy against C."""
    for cost, errors in zip(costs, evaluation.validation_errors.T, strict=True):
        yield point("cost", weights, cost, cost, [cost], errors)


def label_rows(weights: str, splits: Splits, protocol: Protocol, curves: Curves, solver: Solver) -> Iterator[Row]:
    """Test accuracy against labels per class, at the best C of each."""
    for labels in curves.labels:
        cost, errors = curve_point(splits, curves.few(protocol, labels, protocol.costs), solver)
        yield point("labels", weights, labels, cost, protocol.costs, errors)


def layer_rows(weights: str, splits: Splits, protocol: Protocol, curves: Curves, solver: Solver) -> Iterator[Row]:
    """Test accuracy of each layer alone and of all layers up to it; nothing for a table of one layer.

    A row of fewer columns is shorter, and so needs a larger C: the grid is that of the protocol, in proportion.
    """
    table, labels = splits.train.table, curves.layer_labels
    if labels is None or len(table.layers) < 2:
        return
    for layer in range(len(table.layers)):
        own = table.columns_of(layer)
        found = {}  # by the first column: the first layer alone is all layers up to it
        for curve, first in (("alone", own.start), ("cumulative", 0)):
            if first not in found:
                part = splits.through(slice(first, own.stop))
                costs = [cost * table.shape[1] / part.train.width for cost in protocol.costs]
                found[first] = costs, curve_point(part, curves.few(protocol, labels, costs), solver)
            costs, (cost, errors) = found[first]
            yield point(curve, weights, layer + 1, cost, costs, errors)


def point(curve: str, weights: str, x: float, cost: float, costs: Sequence[float], errors: Errors) -> Row:
    """One point of a curve over draws, at a cost chosen among some."""
    row: Row = {"curve": curve, "weights": weights, "x": x, "cost": cost}
    row |= {"accuracy": 1 - float(errors.mean()), "interval": interval(errors)}
    return row | {"at_edge": end_of_grid(cost, costs) is not None}
