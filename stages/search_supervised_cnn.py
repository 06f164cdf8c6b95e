"""Random search for the supervised CNN of the discriminator's architecture (Table 2), one shard of the trials.

Inputs:  a folder of labelled image stores train.h5, validation.h5, test.h5; `supervised` of params.yaml.
Outputs: a CSV, one row a trial: trial, learning_rate, beta1, weight_decay, dropout, batch_size, epoch (the best on the
         validation images), validation_error, test_error. Shard k of n runs trials k, k + n, k + 2 n, ...; a killed
         shard goes on behind its last finished trial.
Published: 28.87 % validation error, best of 64 trials on 1,000 labels of SVHN.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from dcgan.core.checkpoints import digest_of
from dcgan.core.files import InputError, read_json, write_csv, write_json
from dcgan.core.progress import track
from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.data.image_store import ImageStore
from dcgan.models.architectures import ARCHITECTURES
from dcgan.representation.protocol import draw_rows
from dcgan.representation.supervised_cnn import LabelledImages, LabelledSets, draw_trial, run_trial
from workflow.engines.stage import load_params, prepare, run_stage, stage_parser
from workflow.engines.state import state_folder
from workflow.params.sections import Supervised

SPLITS = ("train", "validation", "test")


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
    shared = section.model_dump(exclude={"shards", "trials"})
    row = ARCHITECTURES[section.network].description
    digest = digest_of(shared, row, params.run.model_dump(), device.type, torch.__version__, *stores)
    folder = state_folder("search_supervised_cnn", digest)
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


def labelled_sets(folder: Path, section: Supervised, seed: int) -> LabelledSets:
    """The labels that may be used, and all validation and test images."""
    stores = [ImageStore(folder / f"{name}.h5") for name in SPLITS]
    for store in stores:
        if store.labels is None:
            raise InputError(f"{store.path}: the images have no labels")
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
