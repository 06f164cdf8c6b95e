"""Draws a walk through the latent space as one continuous strip, and measures how smooth it is (Figure 4).

Inputs:  a generator; the image store it was trained on; the de-duplication's autoencoder, whose code layer is the space
         that steps are measured in; `figures.walk.<name>` of params.yaml.
Outputs: a PNG of 10 x 10 images, in reading order one strip through 9 random points; a JSON with the roughness, the
         largest step over the mean step, of walks, and of the same walks made of the nearest training images: what a
         generator that has memorized them shows, resting at an image and then jumping to the next; and the largest
         step over the mean way from one random point's image to the next one's. Outcomes `walk`, `memorized` and
         `largest_share`, (1, walks): these of each walk.
Published: the picture only.
Differs: batch-norm statistics are estimated from random z, so an image depends on its own z alone. With those of the
walk's own batch the strip has a little more contrast, but every image changes with every other point of the walk.
"""

import numpy as np

from dcgan.core.files import write_json
from dcgan.core.outcomes import write_outcomes
from dcgan.core.pixels import Images, enlarge, tile, write_png
from dcgan.core.seeding import torch_generator
from dcgan.core.splits import training_rows
from dcgan.data.image_store import ImageStore
from dcgan.dedup.autoencoder import Autoencoder
from dcgan.internals.latent_space import largest_share, roughness, step_lengths, walk
from dcgan.internals.nearest_images import nearest
from dcgan.metrics.sample_quality import code_units
from dcgan.models.networks import Generator
from workflow.engines.options import figure_parser, section_named
from workflow.engines.stage import load_params, prepare, run_stage
from workflow.params.figures import WalkFigure


def main(arguments: list[str] | None = None) -> None:
    options = ("generator", "images", "autoencoder", "figure", "outcomes", "metrics")
    args = figure_parser(__doc__, *options).parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.figures.walk, args.name, "figures.walk")

    generator = Generator.from_file(args.generator, prepare(params.run))
    autoencoder = Autoencoder.from_file(args.autoencoder)
    store = ImageStore(args.images)
    training, _ = training_rows(len(store), section_named(params.train, args.name, "train").held_out, params.run.seed)
    walks, points = draw_walks(generator, section, args.name, params.run.seed)
    memorized = [store.images[nearest(images, store.images, training, 1).numbers[:, 0]] for images in walks]
    write_png(args.figure, enlarge(tile(walks[0], section.columns), section.enlargement))
    features = [[code_units(images, autoencoder).numpy() for images in strips] for strips in (walks, memorized, points)]
    rough, rough_memorized = ([roughness(walked) for walked in strips] for strips in features[:2])
    largest = [largest_share(walked, at_points) for walked, at_points in zip(features[0], features[2], strict=True)]
    write_outcomes(args.outcomes, {"walk": rough, "memorized": rough_memorized, "largest_share": largest})
    write_json(
        args.metrics,
        {
            "walks": section.walks,
            "steps_a_walk": section.length - 1,
            "roughness": float(np.mean(rough)),
            "roughness_if_memorized": float(np.mean(rough_memorized)),
            "largest_share": float(np.mean(largest)),
            "resting_share_if_memorized": float(np.mean([step_lengths(walked) == 0 for walked in features[1]])),
        },
    )


def draw_walks(generator: Generator, section: WalkFigure, name: str, seed: int) -> tuple[list[Images], list[Images]]:
    """Walks through random points, (N, H, W, C) uint8 each, and the images at these points, (P, H, W, C) each."""
    generator.estimate(section.statistics_batches, torch_generator(seed, "walk", name, "statistics"))
    walks, at_points = [], []
    for number in range(section.walks):
        points = generator.draw_latents(section.points, torch_generator(seed, "walk", name, number))
        walks.append(generator.draw(walk(points, section.length, section.path)))
        at_points.append(generator.draw(points))
    return walks, at_points


if __name__ == "__main__":
    run_stage(main)
