"""Draws a walk through the latent space as one continuous strip, and measures how smooth it is (Figure 4).

Inputs:  a generator; the image store it was trained on; the de-duplication's autoencoder, whose code layer is the space
         that steps are measured in; `figures.walk.<name>` of params.yaml.
Outputs: a PNG of 10 x 10 images, in reading order one strip through 9 random points; a JSON with the roughness, the
         largest step over the mean step, of walks, and of the same walks made of the nearest training images: what a
         generator that has memorized them shows, resting at an image and then jumping to the next.
Published: the picture only.
"""

import numpy as np

from dcgan.core.files import write_json
from dcgan.core.pixels import enlarge, tile, write_png
from dcgan.core.seeding import torch_generator
from dcgan.data.image_store import ImageStore
from dcgan.dedup.autoencoder import Autoencoder
from dcgan.internals.figure_layout import draw
from dcgan.internals.latent_space import roughness, step_lengths, walk
from dcgan.internals.nearest_images import nearest
from dcgan.metrics.sample_quality import code_units
from dcgan.models.networks import Generator
from workflow.engines.options import figure_parser, section_named
from workflow.engines.stage import load_params, prepare, run_stage


def main(arguments: list[str] | None = None) -> None:
    args = figure_parser(__doc__, "generator", "images", "autoencoder", "figure", "metrics").parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.figures.walk, args.name, "figures.walk")

    device = prepare(params.run)
    generator = Generator.from_file(args.generator, device)
    autoencoder = Autoencoder.from_file(args.autoencoder)
    store = ImageStore(args.images)
    walks = []
    for number in range(section.walks):
        random = torch_generator(params.run.seed, "walk", args.name, number)
        points = generator.draw_latents(section.points, random)
        walks.append(draw(generator, walk(points, section.length, section.path), "batch"))
    rows = np.arange(len(store))
    found = [nearest(images, store.images, rows, 1).numbers[:, 0] for images in walks]
    memorized = [store.images[numbers] for numbers in found]
    write_png(args.figure, enlarge(tile(walks[0], section.columns), section.enlargement))
    features = [code_units(images, autoencoder).numpy() for images in walks]
    memorized_features = [code_units(images, autoencoder).numpy() for images in memorized]
    rests = [float((step_lengths(walked) == 0).mean()) for walked in memorized_features]
    write_json(
        args.metrics,
        {
            "walks": section.walks,
            "steps_a_walk": section.length - 1,
            "roughness": float(np.mean([roughness(walked) for walked in features])),
            "roughness_if_memorized": float(np.mean([roughness(walked) for walked in memorized_features])),
            "resting_share_if_memorized": float(np.mean(rests)),
        },
    )


if __name__ == "__main__":
    run_stage(main)
