"""Draws samples beside their nearest training images, and measures whether the generator repeats them (section 4.1).

Inputs:  a folder of networks, with weights kept during training, if any; the image store they were trained on;
         `figures.nearest.<name>` of params.yaml.
Outputs: a PNG, a row per sample: the sample and its nearest training images, in whatever alignment; a JSON: the verdict
         `memorized` with its p-value, the share of samples, and of real images held out of training, whose ratio of
         distances is as low as that of copies, and median ratios (see dcgan/internals/memorization.py); the share of
         copies among samples of the first generator that was kept. Outcomes `copied` and `copied_first`, (1, samples),
         and `copied_real`, (1, held-out images that did not set the threshold): 1 if it counts as a copy; `close` and
         `close_real`, `distorted` and `distorted_real`, the same at a lower and at a higher threshold.
Published: none; the paper argues from one epoch of training and from de-duplication.
"""

import re
from collections.abc import Mapping

import numpy as np

from dcgan.core.files import InputError, write_json
from dcgan.core.outcomes import write_outcomes
from dcgan.core.pixels import Images, enlarge, tile, write_png
from dcgan.core.seeding import derived_seed
from dcgan.core.splits import training_rows
from dcgan.data.image_store import ImageStore
from dcgan.internals.figure_layout import beside, title
from dcgan.internals.memorization import (
    CHANCE,
    REAL,
    Marks,
    Ratios,
    aligned_neighbours,
    copying_p_value,
    distance_ratios,
    marks_of,
)
from dcgan.internals.nearest_images import Nearest
from dcgan.models.networks import Generator
from dcgan.training.kept_weights import first_kept
from workflow.engines.options import figure_parser, section_named
from workflow.engines.stage import load_params, prepare, run_stage
from workflow.params.figures import NearestFigure


def main(arguments: list[str] | None = None) -> None:
    args = figure_parser(__doc__, "networks", "images", "figure", "outcomes", "metrics").parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.figures.nearest, args.name, "figures.nearest")

    device = prepare(params.run)
    store = ImageStore(args.images)
    n_held_out = section_named(params.train, args.name, "train").held_out
    training, held_out = training_rows(len(store), n_held_out, params.run.seed)
    if len(held_out) < 2:
        raise InputError(f"train.{args.name}.held_out: {n_held_out}: nothing to compare samples with (2 or more)")
    seed = derived_seed(params.run.seed, "nearest")
    generators = {"copied": args.networks / "generator.safetensors"}
    if early := first_kept(args.networks):
        generators["copied_first"] = early
    images = {
        name: Generator.from_file(path, device).sample(section.samples, seed, statistics="batch")
        for name, path in generators.items()
    }
    images[REAL] = store.images[held_out]
    near = {name: aligned_neighbours(one, store.images, training) for name, one in images.items()}
    ratios = {name: distance_ratios(found) for name, found in near.items()}
    copied = marks_of(ratios, section.quantile)
    write_png(args.figure, picture(images["copied"], store.images, near["copied"], section))
    write_outcomes(args.outcomes, copied)
    counts = {"samples": section.samples, "held_out_images": len(held_out), "training_images": len(training)}
    write_json(args.metrics, figures_of(ratios, copied) | counts)


def figures_of(ratios: Mapping[str, Ratios], copied: Mapping[str, Marks]) -> dict[str, float | bool]:
    """What the JSON tells of samples beside real images."""
    p_value = copying_p_value(ratios["copied"], ratios[REAL])
    shares = {re.sub("(_.*)?$", r"_share\1", name, count=1): float(marks.mean()) for name, marks in copied.items()}
    return {
        "memorized": p_value < CHANCE,
        "p_value": p_value,
        **shares,
        "median_ratio": float(np.median(ratios["copied"])),
        "median_ratio_real": float(np.median(ratios[REAL])),
    }


def picture(samples: Images, training: Images, found: Nearest, section: NearestFigure) -> Images:
    """A row per sample: itself and its nearest training images."""
    numbers = found.numbers[: section.shown, : section.neighbours]
    columns = [("sample", samples[: section.shown], 1)]
    columns.append(("nearest training images", training[numbers.reshape(-1)], numbers.shape[1]))
    parts = [title(name, enlarge(tile(images, width), section.enlargement)) for name, images, width in columns]
    return beside(parts, 12)


if __name__ == "__main__":
    run_stage(main)
