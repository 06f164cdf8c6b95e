"""Trains one generator and its discriminator on one image store (section 4 of the paper).

Inputs:  an image store, uint8 (N, H, W, C), labelled for a conditional network, of which `held_out` random
         rows are not trained on; `train.<name>` of params.yaml.
Outputs: <out>/generator.safetensors, with estimated batch-norm statistics, and discriminator.safetensors;
         <out>/kept/<network>-<images>.safetensors every `keep_images` images, and <out>/kept.csv, how far the samples
         of each are from the held-out images (measured by dcgan/training/snapshots.py); <samples>/epoch-<n>.png, 64
         samples of the same z after chosen epochs, drawn with batch statistics; <frames>/frame-<images>.png, the same
         every `frame_images` images; a CSV of curves (images, epoch, d_loss, g_loss, d_real, d_fake: means over an
         interval; spread: how much the 64 samples differ, in grey levels); a JSON of the last interval's figures.
Stops safely at SIGINT, SIGTERM and SIGUSR1 with exit status 75, and goes on from there when it is started again.
`train.<name>.processes` above 1: as many processes share each batch, started by torchrun.
Published: one epoch (Figure 2) and five epochs (Figure 3) over 3 million bedrooms at 64 x 64.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from dcgan.core.checkpoints import Checkpoints
from dcgan.core.distributed import Group, join_group, leave_group
from dcgan.core.files import InputError, write_csv, write_json
from dcgan.core.seeding import derived_seed
from dcgan.core.signals import StopSignals
from dcgan.core.splits import training_rows
from dcgan.data.image_store import ImageStore
from dcgan.data.minibatches import Batches
from dcgan.models.architectures import ARCHITECTURES, Architecture
from dcgan.models.networks import Generator
from dcgan.training.adversarial import AdversarialTraining, TrainingSettings
from dcgan.training.arithmetic import precision_on
from dcgan.training.collapse import Watch
from dcgan.training.compiled import can_compile
from dcgan.training.loop import Plan, Row, TrainingRun
from dcgan.training.snapshots import COMPARED, Snapshots
from dcgan.training.tensorboard import tensorboard_writer
from workflow.engines.launch import share_work
from workflow.engines.options import naming, section_named, settings_from
from workflow.engines.stage import load_params, prepare, run_stage, stage_parser
from workflow.engines.state import State, state_of
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
    section = section_named(params.train, args.name, "train")
    store = ImageStore(args.images)
    check_fit(store, ARCHITECTURES[section.network], section)

    size, local_rank = share_work("stages.train_dcgan", section.processes, arguments)
    group, device = join_group(size, local_rank, prepare(params.run))
    with StopSignals() as stop_requested:
        run = prepare_run(args.name, store, params, group, device, stop_requested)
        run.complete(f"train {args.name}")
    if group.is_first:
        run.snapshots.deliver("samples", args.samples)
        run.snapshots.deliver("frames", args.frames)
        write_networks(run, args.out, section.deliver)
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
    rows, unseen = training_rows(len(store), section.held_out, run.seed)
    labels = store.labels if architecture.classes else None
    if not group.is_first:
        group.wait()  # the first one reads a large store for all, and keeps its digest
    is_compiled = run.compile and group.size == 1 and can_compile(device)
    state = state_of_run(name, params, architecture, store.path, device, is_compiled)
    if group.is_first:
        group.wait()
        name_other_checkpoints(state.folder, name)
    seed = derived_seed(run.seed, "train", name)  # two networks share neither weights nor z nor an order of images
    metadata = {"train": section.model_dump(), "run": run.model_dump(exclude={"tensorboard"})}
    settings = settings_from(section, TrainingSettings, capture=run.capture, compile=is_compiled, seed=seed)
    training = AdversarialTraining(architecture, settings, device, group)
    batches = Batches(
        store.images,
        labels,
        rows,
        batch_size=section.batch_size,
        seed=seed,
        device=device,
        group=group,
        needs_images=training.needs_images,
    )
    return TrainingRun(
        training,
        batches,
        plan=settings_from(section, Plan, watch=settings_from(section.watch, Watch)),
        checkpoints=Checkpoints(*state),
        snapshots=Snapshots(state.folder, metadata),
        unseen=np.asarray(store.images[unseen[:COMPARED]]),
        stop_requested=stop_requested,
        on_row=row_listener(name, run.tensorboard, group),
    )


def state_of_run(
    name: str, params: Params, architecture: Architecture, images: Path, device: torch.device, is_compiled: bool = False
) -> State:
    """Where the run's checkpoints lie."""
    determining = params.train[name].model_dump(exclude={"images"})
    determining |= {"architecture": architecture.description}
    determining |= {"capture": params.run.capture and device.type == "cuda"}
    determining |= {"precision": precision_on(device, params.train[name].precision)}
    determining |= {"compile": True} if is_compiled else {}
    return state_of(f"train_dcgan-{name}", determining, [images], params.run, device.type)


def name_other_checkpoints(folder: Path, name: str) -> None:
    """Prints the checkpoints of a network that belong to other parameters, data, devices or versions of PyTorch."""
    for other in sorted(folder.parent.glob(f"train_dcgan-{name}-*/checkpoint.safetensors")):
        if other.parent != folder:
            print(f"{other} not used: it belongs to other parameters, data or another machine", file=sys.stderr)


def row_listener(name: str, folder: str | None, group: Group) -> Callable[[Row], None]:
    """What happens to a new row of the curves: TensorBoard's files, if they are asked for."""
    if folder is None or not group.is_first:
        return lambda row: None
    with naming("run.tensorboard", advice="set it to null"):
        return tensorboard_writer(Path(folder) / name)


def write_networks(run: TrainingRun, out: Path, deliver: str) -> None:
    """The networks, and the snapshots of weights; the generator is the best of these if the parameters say so."""
    delivered_generator(run, deliver).save(out / "generator.safetensors", run.snapshots.metadata)
    run.training.discriminator.save(out / "discriminator.safetensors", run.snapshots.metadata)
    run.snapshots.deliver("kept", out / "kept")
    if run.scores:
        write_csv(out / "kept.csv", pd.DataFrame(run.scores))
    else:
        (out / "kept.csv").unlink(missing_ok=True)  # of an earlier run


def delivered_generator(run: TrainingRun, deliver: str) -> Generator:
    """The last or the best generator with estimated statistics; a copy, as the last may share statistics in a group."""
    last = run.training.generator
    if deliver == "best" and run.best is not None:
        copy = Generator.from_file(run.snapshots.weights_file(last, int(run.best["images"])), last.device)
    else:
        copy = Generator(last.architecture).to(last.device)
        copy.load_state_dict(last.state_dict())
    copy.estimate()
    return copy


def check_fit(store: ImageStore, architecture: Architecture, section: TrainedNetwork) -> None:
    """Raises InputError if store and network cannot work together."""
    expected = (architecture.image_size, architecture.image_size, architecture.channels)
    if store.shape[1:] != expected:
        raise InputError(f"{store.path}: images are {store.shape[1:]}, network {architecture.name} needs {expected}")
    if architecture.classes and store.labels is None:
        raise InputError(f"{store.path}: network {architecture.name} is conditional, but the store has no labels")
    if architecture.classes and store.labels is not None:
        most = int(store.labels.max(initial=0))
        if len(np.unique(store.labels)) < 2:
            raise InputError(f"{store.path}: network {architecture.name} is conditional, but all labels are {most}")
        if most >= architecture.classes:
            known = f"network {architecture.name} knows {architecture.classes} classes"
            raise InputError(f"{store.path}: labels are up to {most}, {known}, which count from 0")
    if len(store) < section.batch_size + section.held_out:
        wanted = f"a batch of {section.batch_size} and {section.held_out} held out"
        raise InputError(f"{store.path}: {len(store)} images are fewer than {wanted}")


if __name__ == "__main__":
    run_stage(main)
