"""Linear L2-SVM on discriminator features: Table 1 (CIFAR-10) and Table 2 (SVHN) of the paper.

Inputs:  a folder of feature tables, trained/ and random/, each with train.h5, test.h5 and, where there is one,
         validation.h5; `svm.<name>` of params.yaml.
Outputs: a JSON: mean test error over the draws, its interval (1.96 standard deviations), the cost chosen on the
         validation rows, the published error, and the error of the same network with random weights; a CSV of
         accuracies (curve, weights, x, cost, accuracy, interval) against C, labels a class and layers, each layer alone
         and all up to it; a PNG of these with the confusion matrix.
Published: 17.2 % error (CIFAR-10, all labels), 26.2 % (400 a class), 22.48 % (SVHN, 1,000 labels).
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dcgan.core.files import InputError, write_csv, write_json
from dcgan.representation.features import FeatureTable
from dcgan.representation.linear_classifier import Solver, Split, whole
from dcgan.representation.plots import draw_errors
from dcgan.representation.protocol import Protocol, Splits, Verdict, curve_point, hold_out, interval, judge
from workflow.engines.stage import load_params, prepare, run_stage, stage_parser
from workflow.params.sections import SvmSection

Row = dict[str, Any]


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--name", required=True, help="which section of `svm` to run, e.g. svhn")
    parser.add_argument("--features", type=Path, required=True, help="folder of feature tables")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON of errors")
    parser.add_argument("--curve", type=Path, required=True, help="CSV of accuracies")
    parser.add_argument("--figure", type=Path, required=True, help="PNG of accuracies and the confusion matrix")
    args = parser.parse_args(arguments)
    params = load_params(args.params)
    section = params.svm.get(args.name)
    if section is None:
        raise InputError(f"svm.{args.name}: no such section; there are {', '.join(params.svm)}")

    solver = Solver(section.tolerance, int(section.memory_gb * 2**30), prepare(params.run))
    protocol = protocol_of(section, params.run.seed)
    splits = {kind: open_splits(args.features / kind, section, params.run.seed) for kind in ("trained", "random")}
    verdicts = {kind: judge(splits[kind], protocol, solver) for kind in splits}
    curves = pd.DataFrame(
        [row for kind in splits for row in cost_rows(kind, section, verdicts[kind])]
        + [row for kind in splits for row in label_rows(kind, splits[kind], section, protocol, solver)]
        + list(layer_rows(splits["trained"], section, protocol, solver))
    )
    write_json(args.metrics, summary(section, splits["trained"], verdicts))
    write_csv(args.curve, curves)
    names = class_names(splits["trained"].train)
    draw_errors(args.figure, curves, verdicts["trained"].counts, names, f"Linear L2-SVM, {args.name}")


def protocol_of(section: SvmSection, seed: int) -> Protocol:
    """The published protocol with the section's numbers."""
    return Protocol(
        section.labels_per_class, section.costs, section.search_draws, section.draws, section.learn_validation, seed
    )


def open_splits(folder: Path, section: SvmSection, seed: int) -> Splits:
    """The splits of one network's features; without a validation table its rows are held out of train."""
    train, test = (whole(FeatureTable(folder / f"{name}.h5")) for name in ("train", "test"))
    if (folder / "validation.h5").exists():
        return Splits(train, whole(FeatureTable(folder / "validation.h5")), test)
    return Splits(*hold_out(train, section.validation, seed), test)


def cost_rows(kind: str, section: SvmSection, verdict: Verdict) -> Iterator[Row]:
    """Validation accuracy against C."""
    for cost, errors in zip(section.costs, verdict.validation_errors.T, strict=True):
        yield point("cost", kind, cost, cost, errors)


def label_rows(kind: str, splits: Splits, section: SvmSection, protocol: Protocol, solver: Solver) -> Iterator[Row]:
    """Test accuracy against labels a class, at the best C of each."""
    for labels in section.curve_labels:
        few = replace(protocol, labels_per_class=labels, search_draws=section.curve_draws)
        cost, errors = curve_point(splits, few, solver)
        yield point("labels", kind, labels, cost, errors)


def layer_rows(splits: Splits, section: SvmSection, protocol: Protocol, solver: Solver) -> Iterator[Row]:
    """Test accuracy of each layer alone and of all layers up to it, where that was asked for.

    A row of fewer columns is shorter, and so wants a larger C: the grid is that of the section, in proportion.
    """
    table, labels = splits.train.table, section.layer_labels
    for layer in range(len(table.layers) if labels is not None and len(table.layers) > 1 else 0):
        own = table.columns_of(layer)
        for curve, columns in (("alone", own), ("cumulative", slice(0, own.stop))):
            part = splits.through(columns)
            costs = [cost * table.shape[1] / part.train.width for cost in section.costs]
            few = replace(protocol, labels_per_class=labels, search_draws=section.curve_draws, costs=costs)
            cost, errors = curve_point(part, few, solver)
            yield point(curve, "trained", layer + 1, cost, errors)


def point(curve: str, weights: str, x: float, cost: float, errors: Any) -> Row:
    """One point of a curve over draws."""
    accuracy = 1 - float(errors.mean())
    return {
        "curve": curve,
        "weights": weights,
        "x": x,
        "cost": cost,
        "accuracy": accuracy,
        "interval": interval(errors),
    }


def class_names(split: Split) -> list[str]:
    """The names of the classes in a split, or their numbers where the table names none."""
    names = split.table.classes
    return [names[label] if names else str(label) for label in np.unique(split.labels)]


def summary(section: SvmSection, splits: Splits, verdicts: dict[str, Verdict]) -> dict[str, Any]:
    """The figures that are compared with the paper's and between experiments."""
    trained, random = verdicts["trained"], verdicts["random"]
    return {
        "error": float(trained.test_errors.mean()),
        "interval": interval(trained.test_errors),
        "published": section.published_error,
        "accuracy": 1 - float(trained.test_errors.mean()),
        "random_weights_error": float(random.test_errors.mean()),
        "random_weights_interval": interval(random.test_errors),
        "validation_error": float(trained.validation_errors.mean(axis=0).min()),
        "cost": trained.cost,
        "n_draws": len(trained.test_errors),
        "n_test": len(splits.test.rows),
        "n_features": splits.train.width,
    }


if __name__ == "__main__":
    run_stage(main)
