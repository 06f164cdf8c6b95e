"""Trains one network with one of section 3's guidelines broken, or none, and measures the result.

Inputs:  an image store, of which `train.<name>.held_out` random rows are not trained on; the de-duplication's
         autoencoder, whose code units are the feature space; `guidelines` of params.yaml, and `train.<name>` for
         everything that it does not set. --variant names what differs, --seed is one repeat.
Outputs: <out>/generator.safetensors; <out>/curves.csv (images, epoch, d_loss, g_loss, d_real, d_fake: means over an
         interval); <out>/figures.json: precision, recall, density, coverage, sliced_wasserstein of samples against the
         held-out images; early_wasserstein, of 64 samples after a quarter of the run; d_loss and g_loss, means of the
         second half, with their oscillation; restlessness of samples; diverged, with nothing else if it is true.
All variants and seeds have the same number of minibatches, the same held-out images and z of the same distribution.
Stops safely at SIGINT, SIGTERM and SIGUSR1 with exit status 75, and goes on from there when it is started again.
Published: no numbers; section 3 says in words what happened.
"""

import argparse
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd

from dcgan.core.checkpoints import Checkpoints
from dcgan.core.files import InputError, write_csv, write_json
from dcgan.core.seeding import derived_seed
from dcgan.core.signals import StopSignals
from dcgan.core.splits import training_rows
from dcgan.data.image_store import ImageStore
from dcgan.data.minibatches import Batches
from dcgan.dedup.autoencoder import Autoencoder
from dcgan.metrics.sample_quality import compare
from dcgan.models.architectures import ARCHITECTURES, Architecture, architecture_from
from dcgan.training.adversarial import AdversarialTraining, TrainingSettings
from dcgan.training.arithmetic import precision_on
from dcgan.training.guidelines import ONLY_FINITE, SampleArrays, figures_of_run, measured_epochs, stays_finite
from dcgan.training.loop import Plan, TrainingRun
from workflow.engines.options import section_named
from workflow.engines.stage import Params, load_params, prepare, run_stage, stage_parser
from workflow.engines.state import State, state_of

LEAST_INTERVALS = 6


def main(arguments: list[str] | None = None) -> None:
    args = parse(arguments)
    params = load_params(args.params)
    values = settings_of(params, args.name, args.variant, args.seed) | {"capture": params.run.capture, "compile": False}
    device = prepare(params.run)
    values |= {"precision": precision_on(device, values["precision"])}
    store, autoencoder = ImageStore(args.images), Autoencoder.from_file(args.autoencoder)
    seen, unseen = training_rows(len(store), values["held_out"], params.run.seed)
    batches = Batches(store.images, None, seen, batch_size=values["batch_size"], seed=values["seed"], device=device)
    label = f"{args.name}-{args.variant}-{args.seed}"
    determining = values | {"capture": params.run.capture and device.type == "cuda"}
    state = state_of(f"train_guideline-{label}", determining, [args.images], params.run, device.type)
    samples = SampleArrays(state.folder, {})
    with StopSignals() as stop_requested:
        run = prepare_run(values, batches, state, samples, stop_requested)
        diverged = not stays_finite(run, label)
    figures: dict[str, float] = {}
    if not diverged:
        real = store.images[unseen]
        drawn = run.training.generator.sample(len(real), derived_seed(params.run.seed, "quality"), statistics="batch")
        figures = compare(real, drawn, autoencoder, params.run.seed)
        figures |= figures_of_run(run, samples, real, params.run.seed)
    run.training.generator.save(args.out / "generator.safetensors", {"guidelines": values})
    write_csv(args.out / "curves.csv", pd.DataFrame(run.curves))
    write_json(args.out / "figures.json", {"diverged": diverged} | figures)
    run.checkpoints.clear()


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
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
    epochs = measured_epochs(guidelines.epochs)
    values = {"seed": derived_seed(params.run.seed, "guidelines", seed), "sample_epochs": epochs}
    return network | trained | shared | changes | values


def prepare_run(
    values: dict[str, Any], batches: Batches, state: State, samples: SampleArrays, stop: StopSignals
) -> TrainingRun:
    """The run that the values describe; raises InputError if its curve would be too short to measure oscillation."""
    if values["epochs"] * batches.per_epoch < LEAST_INTERVALS * values["curve_interval"]:
        raise InputError(f"guidelines.curve_interval: {values['curve_interval']} is more than a sixth of the run")
    architecture = architecture_from(named(Architecture, values))
    training = AdversarialTraining(architecture, TrainingSettings(**named(TrainingSettings, values)), batches.device)
    batches.needs_images = training.needs_images
    plan = Plan(**named(Plan, values) | {"frame_images": None, "keep_images": None, "watch": ONLY_FINITE})
    return TrainingRun(
        training,
        batches,
        plan=plan,
        checkpoints=Checkpoints(*state),
        snapshots=samples,
        unseen=batches.images[:0],
        stop_requested=stop,
        on_row=lambda row: None,
    )


def named(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those values that a dataclass has a field for."""
    return {field.name: values[field.name] for field in fields(kind) if field.name in values}


if __name__ == "__main__":
    run_stage(main)
