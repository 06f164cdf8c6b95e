"""Draws samples of a generator, with the statistics of the sampled batch (Figures 2 and 3 of the paper).

Inputs:  a generator; the image store it was trained on, for comparison; `figures.samples.<name>` of params.yaml.
Outputs: a PNG, samples over as many real images; a JSON of sample diversity: the mean distance between two
         of them beside that between two real images, RMS of pixels, 0 to 255. A collapsed generator has a low ratio.
Published: pictures only.
"""

import numpy as np

from dcgan.core.files import write_json
from dcgan.core.pixels import enlarge, tile, write_png
from dcgan.core.seeding import derived_seed, numpy_generator
from dcgan.data.image_store import ImageStore
from dcgan.internals.figure_layout import above, title
from dcgan.internals.nearest_images import mean_distance
from dcgan.models.networks import Generator
from workflow.engines.options import figure_parser, section_named
from workflow.engines.stage import load_params, prepare, run_stage


def main(arguments: list[str] | None = None) -> None:
    args = figure_parser(__doc__, "generator", "images", "figure", "metrics").parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.figures.samples, args.name, "figures.samples")
    seed = params.run.seed

    generator = Generator.from_file(args.generator, prepare(params.run))
    samples = generator.sample(section.count, derived_seed(seed, "samples", args.name), statistics="batch")
    store = ImageStore(args.images)
    chosen = numpy_generator(seed, "samples", args.name).permutation(len(store))[: section.count]
    real = store.images[np.sort(chosen)]

    grids = [
        title(text, enlarge(tile(images, section.columns), section.enlargement))
        for text, images in (("samples", samples), ("real images", real))
    ]
    write_png(args.figure, above(grids, 8))
    diversity, real_diversity = mean_distance(samples), mean_distance(real)
    write_json(
        args.metrics,
        {
            "samples": section.count,
            "mean_distance": diversity,
            "mean_distance_real": real_diversity,
            "variety": diversity / real_diversity if real_diversity else None,
        },
    )


if __name__ == "__main__":
    run_stage(main)
