"""Random search for the supervised CNN of the discriminator's architecture (Table 2), one shard of the trials.

Inputs:  a folder of labelled image stores train.h5, validation.h5, test.h5; `supervised` of params.yaml.
Outputs: a CSV, one row per trial: trial, learning_rate, beta1, weight_decay, dropout, batch_size, epoch (the best on
         the validation images), validation_error, test_error. Shard k of n runs trials k, k + n, k + 2 n, ...; a killed
         shard goes on behind its last finished trial.
Published: 28.87 % validation error, best of 64 trials on 1,000 labels of SVHN.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from dcgan.core.files import InputError, read_json, write_csv, write_json
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
    rows = []
    for number in track(trials, len(trials), f"shard {args.shard}", "trials"):
        finished = folder / f"{number}.json"
        if not finished.exists():
            write_json(finished, outcome_of(number, section, sets, params.run.seed, device))
        rows.append(read_json(finished))
    write_csv(args.out, pd.DataFrame(rows))
    for number in trials:
        (folder / f"{number}.json").unlink()


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


def outcome_of(number: int, section: Supervised, sets: LabelledSets, seed: int, device: torch.device) -> dict[str, Any]:
    """One trial: its hyper-parameters and errors."""
    trial = draw_trial(numpy_generator(seed, "supervised", number))
    random = torch_generator(seed, "supervised", number)
    outcome = run_trial(ARCHITECTURES[section.network], trial, sets, section.epochs, random, device)
    return {"trial": number, **asdict(trial), **asdict(outcome)}


if __name__ == "__main__":
    run_stage(main)
