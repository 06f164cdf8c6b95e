"""Trains one network with one of section 3's guidelines broken, or none, and measures what becomes of it.

Inputs:  an image store, of which `train.<name>.held_out` random rows are not trained on; the de-duplication's
         autoencoder, whose code units are the feature space; `guidelines` of params.yaml, and `train.<name>` for
         everything that it does not say. --variant names what differs, --seed is one repeat.
Outputs: <out>/generator.safetensors; <out>/curves.csv (images, epoch, d_loss, g_loss, d_real, d_fake: means over an
         interval); <out>/figures.json: precision, recall, density, coverage, sliced_wasserstein of samples against the
         held-out images; early_wasserstein, of 64 samples after a quarter of the run; d_loss and g_loss, means of the
         second half, with their oscillation; restlessness of samples; diverged, with nothing else where it is true.
All variants and seeds have the same number of minibatches, the same held-out images and z of the same distribution.
Stops safely at SIGINT, SIGTERM and SIGUSR1 with exit status 75, and goes on from there when it is started again.
Published: no numbers; section 3 says in words what happened.
"""

import argparse
import io
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from dcgan.core.checkpoints import Checkpoints, digest_of
from dcgan.core.files import InputError, replace_when_done, write_csv, write_json
from dcgan.core.pixels import Images
from dcgan.core.seeding import derived_seed, torch_generator
from dcgan.core.signals import StopSignals
from dcgan.data.image_store import ImageStore
from dcgan.data.minibatches import Batches, split_rows
from dcgan.dedup.autoencoder import Autoencoder
from dcgan.metrics.sample_quality import PROJECTIONS, as_rows, compare, sliced_wasserstein
from dcgan.models.architectures import ARCHITECTURES, Architecture, architecture_from
from dcgan.training.adversarial import AdversarialTraining, Settings
from dcgan.training.collapse import Watch, not_finite
from dcgan.training.loop import Plan, TrainingRun
from dcgan.training.snapshots import Snapshots
from dcgan.training.stability import oscillation, restlessness, second_half
from workflow.engines.figure_options import section_named
from workflow.engines.stage import Params, load_params, prepare, run_stage, stage_parser
from workflow.engines.state import state_folder

LOSSES = ("d_loss", "g_loss")
LEAST_INTERVALS = 6
# A lost game or equal samples are results of the sweep; only numbers that are none end a run.
ONLY_FINITE = Watch("stop", least_d_loss=0.0, intervals=1, least_spread=0.0)


class KeptSamples(Snapshots):
    """Samples that are measured at the end of a run: kept as numbers, not as pictures."""

    def samples(self, epoch: int, images_uint8: Images) -> None:
        """Writes the samples after an epoch, (N, H, W, C) uint8."""
        content = io.BytesIO()  # numpy's own writing to a file does not say that a disk is full
        np.save(content, images_uint8, allow_pickle=False)
        with replace_when_done(self._path(epoch)) as partial:
            partial.write_bytes(content.getvalue())

    def after(self, epoch: int) -> Images:
        """The samples after an epoch."""
        images: Images = np.load(self._path(epoch), allow_pickle=False)
        return images

    def _path(self, epoch: int) -> Path:
        return self.folder / "samples" / f"epoch-{epoch:04d}.npy"


def main(arguments: list[str] | None = None) -> None:
    args = parse(arguments)
    params = load_params(args.params)
    values = settings_of(params, args.name, args.variant, args.seed) | {"capture": params.run.capture}
    device = prepare(params.run)
    store, autoencoder = ImageStore(args.images), Autoencoder.from_file(args.autoencoder)
    seen, unseen = split_rows(len(store), values["held_out"], params.run.seed)
    batches = Batches(store.images, None, seen, values["batch_size"], values["seed"], device)
    label = f"{args.name}-{args.variant}-{args.seed}"
    checkpoints = checkpoints_of(label, values, params, device, args.images)
    samples = KeptSamples(checkpoints.folder, {})
    with StopSignals() as stop_requested:
        run = prepare_run(values, batches, checkpoints, samples, stop_requested)
        diverged = not stays_finite(run, label)
    figures = {} if diverged else measure(run, samples, store.images[unseen], autoencoder, params.run.seed)
    run.training.generator.save(args.out / "generator.safetensors", {"guidelines": values})
    write_csv(args.out / "curves.csv", pd.DataFrame(run.curves))
    write_json(args.out / "figures.json", {"diverged": diverged} | figures)
    run.checkpoints.clear()


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = stage_parser(__doc__)
    parser.add_argument("--name", required=True, help="which section of `train` is varied, e.g. bedrooms")
    parser.add_argument("--variant", required=True, help="which of `guidelines.variants`")
    parser.add_argument("--seed", type=int, required=True, help="of the repeat: one of `guidelines.seeds`")
    parser.add_argument("--images", type=Path, required=True, help="image store to train on")
    parser.add_argument("--autoencoder", type=Path, required=True, help="the de-duplication's autoencoder")
    parser.add_argument("--out", type=Path, required=True, help="folder for the generator, curves and figures")
    return parser.parse_args(arguments)


def settings_of(params: Params, name: str, variant: str, seed: int) -> dict[str, Any]:
    """Everything that determines one run, by name: the network's row and how it is trained."""
    guidelines = params.guidelines
    trained = section_named(params.train, name, "train").model_dump(exclude={"images", "latent"})
    changes = section_named(guidelines.variants, variant, "guidelines.variants").changes()
    shared = guidelines.model_dump(include=set(trained))
    network = ARCHITECTURES[guidelines.network].description
    values = {"seed": derived_seed(params.run.seed, "guidelines", seed), "sample_epochs": kept(guidelines.epochs)}
    return network | trained | shared | changes | values


def kept(epochs: int) -> list[int]:
    """Epochs after which samples are kept: a quarter of the run, and all of its second half."""
    return sorted({quarter(epochs), *range(epochs // 2, epochs + 1)} - {0})


def quarter(epochs: int) -> int:
    """The epoch at which a quarter of a run is over."""
    return -(-epochs // 4)


def checkpoints_of(
    label: str, values: Mapping[str, Any], params: Params, device: torch.device, images: Path
) -> Checkpoints:
    """The checkpoints of one run."""
    determining = {name: value for name, value in values.items() if name != "checkpoint_seconds"}
    machine = params.run.model_dump(exclude={"tensorboard"})
    digest = digest_of(label, determining, machine, device.type, torch.__version__, images)
    return Checkpoints(state_folder(f"train_guideline-{label}", digest), digest)


def prepare_run(
    values: dict[str, Any], batches: Batches, checkpoints: Checkpoints, samples: KeptSamples, stop: StopSignals
) -> TrainingRun:
    """The run that the values describe; raises InputError where its curve would be too short to tell a swing."""
    if values["epochs"] * batches.per_epoch < LEAST_INTERVALS * values["curve_interval"]:
        raise InputError(f"guidelines.curve_interval: {values['curve_interval']} is more than a sixth of the run")
    architecture = architecture_from(named(Architecture, values))
    training = AdversarialTraining(architecture, Settings(**named(Settings, values)), batches.device)
    plan = Plan(**named(Plan, values) | {"frame_images": None, "keep_images": None, "watch": ONLY_FINITE})
    return TrainingRun(training, batches, plan, checkpoints, samples, batches.images[:0], stop, lambda row: None)


def named(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those values that a dataclass has a field for."""
    return {field.name: values[field.name] for field in fields(kind) if field.name in values}


def stays_finite(run: TrainingRun, label: str) -> bool:
    """Trains to the end; a loss that is no longer finite ends a run, but is a result: instability is the question."""
    try:
        run.complete(label)
    except InputError as error:
        if not (run.curves and not_finite(run.curves[-1])):
            raise
        print(f"{label}: {error}", file=sys.stderr)
        return False
    return True


def measure(
    run: TrainingRun, kept_samples: KeptSamples, real: Images, autoencoder: Autoencoder, seed: int
) -> dict[str, float]:
    """Figures of a finished run; real: (N, H, W, C) uint8, never trained on."""
    samples = run.training.generator.sample(len(real), derived_seed(seed, "quality"))
    epochs = run.plan.epochs
    early = kept_samples.after(quarter(epochs))[: len(real)]
    random = torch_generator(seed, "projections")
    figures = compare(real, samples, autoencoder, seed)
    figures["early_wasserstein"] = sliced_wasserstein(as_rows(real[: len(early)]), as_rows(early), PROJECTIONS, random)
    for name in LOSSES:
        losses = [row[name] for row in run.curves if name in row]
        figures |= {name: float(second_half(losses).mean()), f"{name}_oscillation": oscillation(losses)}
    later = [kept_samples.after(epoch) for epoch in run.plan.sample_epochs if epoch >= epochs // 2]
    return figures | {"restlessness": restlessness(later)}


if __name__ == "__main__":
    run_stage(main)
