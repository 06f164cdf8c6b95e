"""The best trial of the supervised CNN's random search (Table 2).

Inputs:  a folder of trials, a CSV and outcomes per shard.
Outputs: a JSON: the least validation error, its test error and hyper-parameters, the median trial, the published error;
         a CSV of all trials (trial, hyper-parameters, epoch, validation_error, test_error), with the best so far;
         outcomes: 1 where the best trial gets a test image (`best`) or a validation image (`validation`) right, else 0,
         (1, images).
Published: 28.87 % validation error, best of 64 trials on 1,000 labels of SVHN.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from dcgan.core.files import InputError, read_csv, write_csv, write_json
from dcgan.core.outcomes import Outcomes, read_outcomes, write_outcomes
from workflow.engines.stage import load_params, run_stage, stage_parser

TYPES = {"trial": int, "batch_size": int, "epoch": int} | dict.fromkeys(
    ("learning_rate", "weight_decay", "dropout", "validation_error", "test_error"), float
)


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--trials", type=Path, required=True, help="folder of trials")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON of the best trial")
    parser.add_argument("--curve", type=Path, required=True, help="CSV of all trials")
    parser.add_argument("--outcomes", type=Path, required=True, help="HDF5 of which images the best trial gets right")
    args = parser.parse_args(arguments)
    section = load_params(args.params).supervised

    trials, right = read_trials([args.trials / f"{shard}.csv" for shard in section.shards], section.trials)
    place = trials.validation_error.idxmin()
    best = trials.loc[place]
    trials["best_so_far"] = trials.validation_error.cummin()
    write_csv(args.curve, trials)
    write_outcomes(args.outcomes, {"best": right["test"][place], "validation": right["validation"][place]})
    write_json(
        args.metrics,
        {
            "error": float(best.validation_error),
            "published": section.published_error,
            "test_error": float(best.test_error),
            "median_error": float(trials.validation_error.median()),
            "n_trials": len(trials),
            "n_labels_per_class": section.labels_per_class,
            "learning_rate": float(best.learning_rate),
            "weight_decay": float(best.weight_decay),
            "dropout": float(best.dropout),
            "batch_size": int(best.batch_size),
            "epoch": int(best.epoch),
        },
    )


def read_trials(shards: list[Path], count: int) -> tuple[pd.DataFrame, dict[str, Outcomes]]:
    """All trials of all shards in their order, and their outcomes; raises InputError if one is missing."""
    missing = [str(path) for path in shards if not path.exists()]
    if missing:
        raise InputError(f"{', '.join(missing)}: no such shard of trials")
    trials = pd.concat([read_csv(path, TYPES) for path in shards], ignore_index=True).sort_values("trial")
    if trials.trial.tolist() != list(range(count)):
        raise InputError(f"{shards[0].parent}: expected the trials 0 to {count - 1}, found {trials.trial.tolist()}")
    found = [read_outcomes(path.with_suffix(".h5")) for path in shards]
    right = {name: np.concatenate([part[name] for part in found])[trials.index] for name in ("validation", "test")}
    return trials.reset_index(drop=True), right


if __name__ == "__main__":
    run_stage(main)
