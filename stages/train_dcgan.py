"""Trains one generator and its discriminator on one image store (section 4 of the paper).

Inputs:  an image store, uint8 (N, H, W, C), labelled for a conditional network, of which `held_out` random
         rows are not trained on; `train.<name>` of params.yaml.
Outputs: <out>/generator.safetensors and discriminator.safetensors; <out>/kept/<network>-<images>.safetensors every
         `keep_images` images, and <out>/best_generator.safetensors, the kept one whose samples are nearest to the
         held-out images (dcgan/training/snapshots.py says how that is measured); <samples>/epoch-<n>.png, 64 samples of
         the same z after chosen epochs, drawn with batch statistics; <frames>/frame-<images>.png, the same every
         `frame_images` images; a CSV of curves (images, epoch, d_loss, g_loss, d_real, d_fake: means over an interval;
         spread: how much the 64 samples differ, in grey levels); a JSON of the last interval's figures.
Stops safely at SIGINT, SIGTERM and SIGUSR1 with exit status 75, and goes on from there when it is started again.
`train.<name>.processes` above 1: as many processes share each batch, started by torchrun.
Published: one epoch (Figure 2) and five epochs (Figure 3) over 3 million bedrooms at 64 x 64.
"""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from dcgan.core.checkpoints import Checkpoints, digest_of
from dcgan.core.distributed import Group, join_group, leave_group
from dcgan.core.files import InputError, replace_when_done, write_csv, write_json
from dcgan.core.signals import StopSignals
from dcgan.data.image_store import ImageStore
from dcgan.data.minibatches import Batches, split_rows
from dcgan.models.architectures import ARCHITECTURES, Architecture
from dcgan.training.adversarial import AdversarialTraining, Settings
from dcgan.training.collapse import Watch
from dcgan.training.loop import Plan, Row, TrainingRun
from dcgan.training.snapshots import COMPARED, Snapshots
from dcgan.training.tensorboard import tensorboard_writer
from workflow.engines.launch import start_processes
from workflow.engines.stage import load_params, prepare, run_stage, stage_parser
from workflow.engines.state import state_folder
from workflow.params.sections import Params, TrainedNetwork


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--name", required=True, help="which section of `train` to run, e.g. bedrooms")
    parser.add_argument("--images", type=Path, required=True, help="image store to train on")
    parser.add_argument("--out", type=Path, required=True, help="folder for the networks")
    parser.add_argument("--samples", type=Path, required=True, help="folder for grids of samples after epochs")
    parser.add_argument("--frames", type=Path, required=True, help="folder for grids of samples every so many images")
    parser.add_argument("--curves", type=Path, required=True, help="CSV of losses over the run")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON of the last interval's figures")
    args = parser.parse_args(arguments)
    params = load_params(args.params)
    section = params.train.get(args.name)
    if section is None:
        raise InputError(f"train.{args.name}: no such section; there are {', '.join(params.train)}")
    store = ImageStore(args.images)
    check_fit(store, ARCHITECTURES[section.network], section)
    if section.processes > 1 and "WORLD_SIZE" not in os.environ:
        start_processes("stages.train_dcgan", section.processes, arguments)

    group, device = join_group(section.processes, prepare(params.run))
    with StopSignals() as stop_requested:
        run = prepare_run(args.name, store, params, group, device, stop_requested)
        run.complete(f"train {args.name}")
    if group.is_first:
        run.snapshots.deliver("samples", args.samples)
        run.snapshots.deliver("frames", args.frames)
        write_networks(run, args.out)
        write_csv(args.curves, pd.DataFrame(run.curves))
        write_json(args.metrics, run.summary())
        run.checkpoints.clear()
    leave_group(group)


def prepare_run(
    name: str, store: ImageStore, params: Params, group: Group, device: torch.device, stop_requested: StopSignals
) -> TrainingRun:
    """The run that the parameters describe, over the images of the store."""
    section, run = params.train[name], params.run
    architecture = replace(ARCHITECTURES[section.network], latent=section.latent)
    settings = settings_of(section, run.seed, run.capture)
    rows, unseen = split_rows(len(store), section.held_out, run.seed)
    labels = store.labels if architecture.classes else None
    batches = Batches(store.images, labels, rows, section.batch_size, run.seed, device, group)
    machine = run.model_dump(exclude={"tensorboard"})
    determining = section.model_dump(exclude={"images", "checkpoint_seconds"})
    digest = digest_of(name, determining, architecture.description, machine, device.type, torch.__version__, store.path)
    folder = state_folder(f"train_dcgan-{name}", digest)
    if group.is_first:
        say_which_are_not_used(folder, name)
    return TrainingRun(
        AdversarialTraining(architecture, settings, device, group),
        batches,
        plan_of(section),
        Checkpoints(folder, digest),
        Snapshots(folder, {"train": section.model_dump(), "run": machine}),
        np.asarray(store.images[unseen[:COMPARED]]),
        stop_requested,
        row_listener(name, run.tensorboard, group),
    )


def say_which_are_not_used(folder: Path, name: str) -> None:
    """Names the checkpoints of a network whose parameters, data, device or PyTorch are others by now."""
    for other in sorted(folder.parent.glob(f"train_dcgan-{name}-*/checkpoint.safetensors")):
        if other.parent != folder:
            print(f"{other} not used: it belongs to other parameters, data or another machine", file=sys.stderr)


def settings_of(section: TrainedNetwork, seed: int, capture: bool) -> Settings:
    """How to train."""
    return Settings(
        section.batch_size,
        section.learning_rate,
        section.beta1,
        section.beta2,
        section.weight_decay,
        section.schedule,
        section.precision,
        section.synchronised_norm,
        capture,
        seed,
    )


def plan_of(section: TrainedNetwork) -> Plan:
    """How long, and what is kept."""
    watch = section.watch
    return Plan(
        section.epochs,
        section.decay_epochs,
        section.sample_epochs,
        section.frame_images,
        section.keep_images,
        section.curve_interval,
        section.checkpoint_seconds,
        Watch(watch.action, watch.least_d_loss, watch.intervals, watch.least_spread),
    )


def row_listener(name: str, folder: str | None, group: Group) -> Callable[[Row], None]:
    """What happens to a new row of the curves: TensorBoard's files where they are wanted."""
    if folder is None or not group.is_first:
        return lambda row: None
    return tensorboard_writer(Path(folder) / name)


def write_networks(run: TrainingRun, out: Path) -> None:
    """The last networks, those that were kept on the way, and a copy of the best of these."""
    for network in (run.training.generator, run.training.discriminator):
        network.save(out / f"{type(network).__name__.lower()}.safetensors", run.snapshots.metadata)
    run.snapshots.deliver("kept", out / "kept")
    if run.best is not None:
        kept = run.snapshots.kept(run.training.generator, int(run.best["images"]))
        with replace_when_done(out / "best_generator.safetensors") as partial:
            shutil.copyfile(kept, partial)
        write_csv(out / "kept.csv", pd.DataFrame(run.scores))


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
