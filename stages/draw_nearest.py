"""Draws samples beside their nearest training images, and measures whether the generator repeats them (section 4.1).

Inputs:  a generator; the image store it was trained on; the de-duplication's autoencoder; `figures.nearest.<name>` of
         params.yaml.
Outputs: a PNG, a row per sample: the sample, its nearest training images in pixels, then those by binary code; a JSON
         with the distances of samples, and of real images held out of training, to their nearest training image,
         medians, the shares of samples and of real images that are suspiciously near (copied), and so near one
         alone (closer), and the verdict `memorized`: more samples of the latter kind than chance allows, in pixels or
         by code (see dcgan/internals/memorization.py).
Published: none; the paper argues from one epoch of training and from de-duplication.
"""

from collections.abc import Callable

import numpy as np

from dcgan.core.files import InputError, write_json
from dcgan.core.pixels import Images, enlarge, resized, tile, write_png
from dcgan.core.seeding import derived_seed
from dcgan.core.splits import training_rows
from dcgan.data.image_store import ImageStore
from dcgan.dedup.autoencoder import Autoencoder
from dcgan.internals.figure_layout import beside, title
from dcgan.internals.memorization import (
    CHANCE,
    Bytes,
    Nearest,
    code_distances,
    memorized,
    nearest,
    nearness_figures,
    pixel_distances,
)
from dcgan.models.networks import Generator
from workflow.engines.options import figure_parser, section_named
from workflow.engines.stage import load_params, prepare, run_stage
from workflow.params.figures import NearestFigure

ENCODED_AT_ONCE = 8192


def main(arguments: list[str] | None = None) -> None:
    args = figure_parser(__doc__, "generator", "images", "autoencoder", "figure", "metrics").parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.figures.nearest, args.name, "figures.nearest")
    seed = params.run.seed

    device = prepare(params.run)
    store = ImageStore(args.images)
    n_held_out = section_named(params.train, args.name, "train").held_out
    training, held_out = training_rows(len(store), n_held_out, seed)
    if len(held_out) == 0:
        raise InputError(f"train.{args.name}.held_out is 0: nothing to compare the distances of samples with")
    samples = Generator.from_file(args.generator, device).sample(section.samples, derived_seed(seed, "nearest"))
    real = store.images[held_out]
    encode = encoder(Autoencoder.from_file(args.autoencoder))
    codes, k = encode(store.images), section.neighbours
    in_pixels = [nearest(queries, store.images, training, k, pixel_distances) for queries in (samples, real)]
    in_codes = [nearest(encode(queries), codes, training, k, code_distances) for queries in (samples, real)]
    write_png(args.figure, picture(samples, store.images, [in_pixels[0], in_codes[0]], section))
    verdicts: list[bool] = []
    figures: dict[str, float] = {}
    for name, (of_samples, of_real) in (("pixels", in_pixels), ("codes", in_codes)):
        verdicts.append(memorized(of_samples, of_real, section.quantile, CHANCE / 2))
        found = nearness_figures(of_samples, of_real, section.quantile)
        figures |= {f"{name}_{key}": value for key, value in found.items()}
    counts = {"samples": len(samples), "held_out_images": len(real), "training_images": len(training)}
    write_json(args.metrics, {"memorized": any(verdicts)} | counts | figures)


def encoder(autoencoder: Autoencoder) -> Callable[[Images], Bytes]:
    """A function from images of any size to binary codes, block by block."""

    def encode(images_uint8: Images) -> Bytes:
        starts = range(0, len(images_uint8), ENCODED_AT_ONCE)
        size = autoencoder.image_shape[0]
        blocks = [autoencoder.encode(resized(images_uint8[s : s + ENCODED_AT_ONCE], size)) for s in starts]
        return np.concatenate(blocks)

    return encode


def picture(samples: Images, training: Images, found: list[Nearest], section: NearestFigure) -> Images:
    """A row per sample: itself, its nearest in pixels, its nearest by code."""
    columns = [("sample", samples[: section.shown], 1)]
    for name, space in zip(("nearest in pixels", "nearest by code"), found, strict=True):
        rows = space.numbers[: section.shown].reshape(-1)
        columns.append((name, training[rows], space.numbers.shape[1]))
    parts = [title(name, enlarge(tile(images, width), section.enlargement)) for name, images, width in columns]
    return beside(parts, 12)


if __name__ == "__main__":
    run_stage(main)
