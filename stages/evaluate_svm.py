"""Linear L2-SVM on discriminator features: Table 1 (CIFAR-10) and Table 2 (SVHN) of the paper.

Inputs:  a folder of feature tables, trained/ and random/, each with train.h5, test.h5 and, if there is one,
         validation.h5; `svm.<name>` of params.yaml.
Outputs: a JSON: mean test error over the draws, its interval (1.96 standard deviations), the largest certified gap of
         its fits, the cost chosen on the validation rows and whether it is at an end of its grid, the published error,
         and the error of the same network with random weights; a CSV of accuracies (curve, weights, x, cost, accuracy,
         interval, at_edge) against C, labels per class and layers, each layer alone and all up to it; a PNG of these
         with the confusion matrix; outcomes: `trained` and `random` weights,
         1 where a draw's fit gets a test image right, else 0 (draws, test images), of the fits whose mean error is in
         the JSON.
Published: 17.2 % error (CIFAR-10, all labels), 26.2 % (400 per class), 22.48 % (SVHN, 1,000 labels).
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from dcgan.core.files import write_csv, write_json
from dcgan.core.outcomes import write_outcomes
from dcgan.representation.error_curves import Curves, cost_rows, label_rows, layer_rows
from dcgan.representation.feature_tables import FeatureTable
from dcgan.representation.linear_classifier import Solver, whole
from dcgan.representation.plots import draw_errors
from dcgan.representation.protocol import (
    Evaluation,
    Protocol,
    Splits,
    end_of_grid,
    evaluate,
    hold_out_validation,
    interval,
)
from dcgan.representation.svm.formulations import memory_on
from workflow.engines.options import section_named, settings_from
from workflow.engines.stage import load_params, prepare, run_stage, stage_parser
from workflow.params.sections import SvmSection


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--name", required=True, help="which section of `svm` to run, e.g. svhn")
    parser.add_argument("--features", type=Path, required=True, help="folder of feature tables")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON of errors")
    parser.add_argument("--curve", type=Path, required=True, help="CSV of accuracies")
    parser.add_argument("--figure", type=Path, required=True, help="PNG of accuracies and the confusion matrix")
    parser.add_argument("--outcomes", type=Path, required=True, help="HDF5 of which test images each draw gets right")
    args = parser.parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.svm, args.name, "svm")

    device = prepare(params.run)
    memory = memory_on(device, int(section.memory_gb * 2**30))
    solver = Solver(tolerance=section.tolerance, memory_bytes=memory, device=device)
    protocol = settings_from(section, Protocol, seed=params.run.seed)
    splits = {kind: open_splits(args.features / kind, section, params.run.seed) for kind in ("trained", "random")}
    found = {kind: evaluate(splits[kind], protocol, solver) for kind in splits}
    curves = curves_of(section, splits, found, protocol, solver)
    for line in ends_of_grids(args.name, section.costs, found, curves):
        print(line, file=sys.stderr)
    write_json(args.metrics, summary(section, splits["trained"], found))
    write_csv(args.curve, curves)
    write_outcomes(args.outcomes, {kind: found[kind].right for kind in found})
    names = splits["trained"].train.class_names
    draw_errors(args.figure, curves, found["trained"].counts, names, f"Linear L2-SVM, {args.name}")


def open_splits(folder: Path, section: SvmSection, seed: int) -> Splits:
    """The splits of one network's features; without a validation table its rows are held out of train."""
    train, test = (whole(FeatureTable(folder / f"{name}.h5")) for name in ("train", "test"))
    if (folder / "validation.h5").exists():
        return Splits(train, whole(FeatureTable(folder / "validation.h5")), test)
    return Splits(*hold_out_validation(train, section.validation, seed), test)


def curves_of(
    section: SvmSection,
    splits: dict[str, Splits],
    found: dict[str, Evaluation],
    protocol: Protocol,
    solver: Solver,
) -> pd.DataFrame:
    """Accuracies against C and labels, of trained and of random weights, and against layers, of the trained ones."""
    curves = Curves(labels=section.curve_labels, layer_labels=section.layer_labels, draws=section.curve_draws)
    rows = [row for kind in splits for row in cost_rows(kind, section.costs, found[kind])]
    rows += [row for kind in splits for row in label_rows(kind, splits[kind], protocol, curves, solver)]
    return pd.DataFrame([*rows, *layer_rows("trained", splits["trained"], protocol, curves, solver)])


def ends_of_grids(name: str, costs: list[float], found: dict[str, Evaluation], curves: pd.DataFrame) -> Iterator[str]:
    """A line for each choice of C that a wider grid might change."""
    for kind, evaluation in found.items():
        if end := end_of_grid(evaluation.cost, costs):
            grid = f"{evaluation.cost:g} of {min(costs):g} to {max(costs):g}"
            yield f"{kind} weights: the best C is the {end} that was tried, {grid}: widen svm.{name}.costs"
    if n := int(curves.at_edge.sum()):
        yield f"the best C of {n} points of the curves is at an end of their grid: widen svm.{name}.costs"


def summary(section: SvmSection, splits: Splits, found: dict[str, Evaluation]) -> dict[str, Any]:
    """The figures that are compared with the paper's and between experiments."""
    trained, random = found["trained"], found["random"]
    return {
        "error": float(trained.test_errors.mean()),
        "interval": interval(trained.test_errors),
        "published": section.published_error,
        "accuracy": 1 - float(trained.test_errors.mean()),
        "random_weights_error": float(random.test_errors.mean()),
        "random_weights_cost_at_edge": end_of_grid(random.cost, section.costs) is not None,
        "random_weights_interval": interval(random.test_errors),
        "validation_error": float(trained.validation_errors.mean(axis=0).min()),
        "cost": trained.cost,
        "cost_at_edge": end_of_grid(trained.cost, section.costs) is not None,
        "certified_gap": trained.gap,
        "n_draws": len(trained.test_errors),
        "n_test": len(splits.test.rows),
        "n_features": splits.train.width,
        **({"n_maps": maps} if (maps := splits.train.table.highest_maps) else {}),
    }


if __name__ == "__main__":
    run_stage(main)
