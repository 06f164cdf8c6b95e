"""Draws samples beside their nearest training images, and measures whether the generator repeats them (section 4.1).

Inputs:  a generator; the image store it was trained on; `figures.nearest.<name>` of params.yaml.
Outputs: a PNG, a row per sample: the sample and its nearest training images, in whatever alignment; a JSON: the verdict
         `memorized` with its p-value, the share of samples, and of real images held out of training, whose ratio of
         distances is as low as that of copies, and median ratios (see dcgan/internals/memorization.py).
Published: none; the paper argues from one epoch of training and from de-duplication.
"""

import numpy as np

from dcgan.core.files import InputError, write_json
from dcgan.core.pixels import Images, enlarge, tile, write_png
from dcgan.core.seeding import derived_seed
from dcgan.core.splits import training_rows
from dcgan.data.image_store import ImageStore
from dcgan.internals.figure_layout import beside, title
from dcgan.internals.memorization import (
    CHANCE,
    aligned_neighbours,
    copied_shares,
    copying_p_value,
    distance_ratios,
)
from dcgan.internals.nearest_images import Nearest
from dcgan.models.networks import Generator
from workflow.engines.options import figure_parser, section_named
from workflow.engines.stage import load_params, prepare, run_stage
from workflow.params.figures import NearestFigure


def main(arguments: list[str] | None = None) -> None:
    args = figure_parser(__doc__, "generator", "images", "figure", "metrics").parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.figures.nearest, args.name, "figures.nearest")

    device = prepare(params.run)
    store = ImageStore(args.images)
    n_held_out = section_named(params.train, args.name, "train").held_out
    training, held_out = training_rows(len(store), n_held_out, params.run.seed)
    if len(held_out) < 2:
        raise InputError(f"train.{args.name}.held_out: {n_held_out}: nothing to compare samples with (2 or more)")
    samples = Generator.from_file(args.generator, device).sample(
        section.samples, derived_seed(params.run.seed, "nearest")
    )
    near_samples = aligned_neighbours(samples, store.images, training)
    near_real = aligned_neighbours(store.images[held_out], store.images, training)
    write_png(args.figure, picture(samples, store.images, near_samples, section))
    counts = {"samples": len(samples), "held_out_images": len(held_out), "training_images": len(training)}
    write_json(args.metrics, figures_of(near_samples, near_real, section.quantile) | counts)


def figures_of(near_samples: Nearest, near_real: Nearest, quantile: float) -> dict[str, float | bool]:
    """What the JSON tells of samples beside real images."""
    of_samples, of_real = distance_ratios(near_samples), distance_ratios(near_real)
    p_value = copying_p_value(of_samples, of_real)
    copied, copied_real = copied_shares(of_samples, of_real, quantile)
    return {
        "memorized": p_value < CHANCE,
        "p_value": p_value,
        "copied_share": copied,
        "copied_share_real": copied_real,
        "median_ratio": float(np.median(of_samples)),
        "median_ratio_real": float(np.median(of_real)),
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
