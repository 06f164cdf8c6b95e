"""Random search for the supervised CNN of the discriminator's architecture (Table 2), one shard of the trials.

Inputs:  a folder of labelled image stores train.h5, validation.h5, test.h5; `supervised` of params.yaml.
Outputs: a CSV, one row per trial: trial, learning_rate, beta1, weight_decay, dropout, batch_size, epoch (the best on
         the validation images), validation_error, test_error; outcomes: 1 where a trial gets an image of `validation`
         or `test` right, else 0 (trials, images). Shard k of n runs trials k, k + n, k + 2 n, ...; a killed shard goes
         on behind its last finished trial.
Published: 28.87 % validation error, best of 64 trials on 1,000 labels of SVHN.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from dcgan.core.files import InputError, read_json, write_csv, write_json
from dcgan.core.outcomes import Outcomes, read_outcomes, write_outcomes
from dcgan.core.progress import track
from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.data.packed_sets import SPLITS, labelled_store
from dcgan.models.architectures import ARCHITECTURES
from dcgan.representation.protocol import draw_rows
from dcgan.representation.supervised_cnn import LabelledImages, LabelledSets, draw_trial, run_trial
from workflow.engines.stage import load_params, prepare, run_stage, stage_parser
from workflow.engines.state import state_of
from workflow.params.sections import Supervised


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--images", type=Path, required=True, help="folder of labelled image stores")
    parser.add_argument("--shard", type=int, required=True, help="which of `supervised.shards`")
    parser.add_argument("--out", type=Path, required=True, help="CSV of trials")
    parser.add_argument("--outcomes", type=Path, required=True, help="HDF5 of which images each trial gets right")
    args = parser.parse_args(arguments)
    params = load_params(args.params)
    section = params.supervised
    if args.shard not in section.shards:
        raise InputError(f"--shard {args.shard}: one of supervised.shards, {section.shards}")

    device = prepare(params.run)
    sets = labelled_sets(args.images, section, params.run.seed)
    stores = [args.images / f"{name}.h5" for name in SPLITS]
    folder = state_of("search_supervised_cnn", determining_of(section), stores, params.run, device.type).folder
    trials = range(args.shard, section.trials, len(section.shards))
    for number in track(trials, len(trials), f"shard {args.shard}", "trials"):
        if not all(path.exists() for path in files_of(folder, number)):
            run_and_keep(number, section, sets, params.run.seed, device, folder)
    write_csv(args.out, pd.DataFrame([read_json(files_of(folder, number)[0]) for number in trials]))
    write_outcomes(args.outcomes, joined([read_outcomes(files_of(folder, number)[1]) for number in trials]))
    for path in [path for number in trials for path in files_of(folder, number)]:
        path.unlink()


def files_of(folder: Path, number: int) -> tuple[Path, Path]:
    """Where a finished trial's row and outcomes lie."""
    return folder / f"{number}.json", folder / f"{number}.h5"


def joined(trials: list[dict[str, Outcomes]]) -> dict[str, Outcomes]:
    """Outcomes of trials, one draw each, as the draws of one array."""
    return {name: np.concatenate([trial[name] for trial in trials]) for name in ("validation", "test")}


def determining_of(section: Supervised) -> dict[str, Any]:
    """The parameters that a trial depends on."""
    architecture = ARCHITECTURES[section.network].description
    return {"architecture": architecture, **section.model_dump(include={"labels_per_class", "epochs"})}


def labelled_sets(folder: Path, section: Supervised, seed: int) -> LabelledSets:
    """The labels that may be used, and all validation and test images."""
    stores = [labelled_store(folder / f"{name}.h5") for name in SPLITS]
    train, validation, test = (LabelledImages(store.images, np.asarray(store.labels)) for store in stores)
    rows = draw_rows(train.labels, section.labels_per_class, numpy_generator(seed, "supervised"))
    return LabelledSets(LabelledImages(np.asarray(train.images_uint8[rows]), train.labels[rows]), validation, test)


def run_and_keep(
    number: int, section: Supervised, sets: LabelledSets, seed: int, device: torch.device, folder: Path
) -> None:
    """Runs one trial; keeps its hyper-parameters and errors, and which images it gets right."""
    trial = draw_trial(numpy_generator(seed, "supervised", number))
    random = torch_generator(seed, "supervised", number)
    outcome = run_trial(ARCHITECTURES[section.network], trial, sets, section.epochs, random, device)
    row, outcomes = files_of(folder, number)
    write_json(row, {"trial": number, **asdict(trial), **outcome.row})
    write_outcomes(outcomes, {"validation": outcome.validation, "test": outcome.test})


if __name__ == "__main__":
    run_stage(main)
