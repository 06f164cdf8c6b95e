"""Trains one generator and its discriminator on one image store (section 4 of the paper).

Inputs:  an image store, uint8 (N, H, W, C), labelled for a conditional network, of which `held_out` random
         rows are not trained on; `train.<name>` of params.yaml.
Outputs: <out>/generator.safetensors and discriminator.safetensors; <samples>/epoch-<n>.png, 64 samples of the same z
         after chosen epochs, drawn with batch statistics; a CSV of curves (images, epoch, d_loss, g_loss, d_real,
         d_fake: means over an interval); a JSON of the last interval's figures.
Stops safely at SIGINT, SIGTERM and SIGUSR1 with exit status 75, and goes on from there when it is started again.
Published: one epoch (Figure 2) and five epochs (Figure 3) over 3 million bedrooms at 64 x 64.
"""

from pathlib import Path

import pandas as pd
import torch

from dcgan.architectures import ARCHITECTURES, Architecture
from dcgan.checkpoints import Checkpoints, digest_of
from dcgan.files import InputError, write_csv, write_json
from dcgan.pixels import enlarge, tile, write_png
from dcgan.run import Plan, TrainingRun
from dcgan.stopping import StopSignals
from dcgan.store import ImageStore
from dcgan.training import AdversarialTraining, Batches, Settings, split_rows
from workflow.params import Run, TrainedNetwork
from workflow.stage import load_params, prepare, run_stage, stage_parser
from workflow.state import state_folder

GRID_COLUMNS, GRID_ENLARGEMENT = 8, 2


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--name", required=True, help="which section of `train` to run, e.g. bedrooms")
    parser.add_argument("--images", type=Path, required=True, help="image store to train on")
    parser.add_argument("--out", type=Path, required=True, help="folder for the two networks")
    parser.add_argument("--samples", type=Path, required=True, help="folder for grids of samples")
    parser.add_argument("--curves", type=Path, required=True, help="CSV of losses over the run")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON of the last interval's figures")
    args = parser.parse_args(arguments)
    params = load_params(args.params)
    section = params.train.get(args.name)
    if section is None:
        raise InputError(f"train.{args.name}: no such section; there are {', '.join(params.train)}")

    device = prepare(params.run)
    with StopSignals() as stop_requested:
        run = prepare_run(args.name, args.images, section, params.run, device, stop_requested)
        run.complete(f"train {args.name}")
    metadata = {"train": section.model_dump(), "run": params.run.model_dump()}
    run.training.generator.save(args.out / "generator.safetensors", metadata)
    run.training.discriminator.save(args.out / "discriminator.safetensors", metadata)
    for epoch, images in run.samples.items():
        grid = enlarge(tile(images, GRID_COLUMNS), GRID_ENLARGEMENT)
        write_png(args.samples / f"epoch-{epoch:04d}.png", grid)
    write_csv(args.curves, pd.DataFrame(run.curves))
    write_json(args.metrics, run.summary())
    run.checkpoints.clear()


def prepare_run(
    name: str, images: Path, section: TrainedNetwork, run: Run, device: torch.device, stop_requested: StopSignals
) -> TrainingRun:
    """The run that the parameters describe, over the store at `images`."""
    store, architecture = ImageStore(images), ARCHITECTURES[section.network]
    check_fit(store, architecture, section)
    settings = Settings(
        section.batch_size,
        section.learning_rate,
        section.beta1,
        section.weight_decay,
        section.schedule,
        section.precision,
        run.seed,
    )
    rows, _ = split_rows(len(store), section.held_out, run.seed)
    labels = store.labels if architecture.classes else None
    batches = Batches(store.images, labels, rows, section.batch_size, run.seed, device)
    plan = Plan(section.epochs, section.sample_epochs, section.curve_interval, section.checkpoint_seconds)
    determining = section.model_dump(exclude={"images", "checkpoint_seconds"})
    digest = digest_of(name, determining, run.model_dump(), device.type, torch.__version__, images)
    checkpoints = Checkpoints(state_folder(f"train_dcgan-{name}", digest), digest)
    return TrainingRun(AdversarialTraining(architecture, settings, device), batches, plan, checkpoints, stop_requested)


def check_fit(store: ImageStore, architecture: Architecture, section: TrainedNetwork) -> None:
    """Raises InputError where store and network cannot work together."""
    expected = (architecture.image_size, architecture.image_size, architecture.channels)
    if store.shape[1:] != expected:
        raise InputError(f"{store.path}: images are {store.shape[1:]}, network {architecture.name} needs {expected}")
    if architecture.classes and store.labels is None:
        raise InputError(f"{store.path}: network {architecture.name} is conditional, but the store has no labels")
    if len(store) < section.batch_size + section.held_out:
        wanted = f"a batch of {section.batch_size} and {section.held_out} held out"
        raise InputError(f"{store.path}: {len(store)} images are fewer than {wanted}")


if __name__ == "__main__":
    run_stage(main)
