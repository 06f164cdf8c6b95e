"""Draws what the discriminator's features answer to, by guided backpropagation, beside random features (Figure 5).

Inputs:  a discriminator; the image store whose images are searched; `figures.guided.<name>` of params.yaml.
Outputs: a PNG, on the left the trained network, on the right one with random weights; for each of the first 6 features
         of the last convolution layer a row of the 10 strongest responses, guided gradients over the images that gave
         them; a JSON with how much guided gradients look like the images they belong to (see
         dcgan/internals/guided_backprop.py).
Published: the picture only; "features activate on typical parts of a bedroom, like beds and windows".
"""

import numpy as np

from dcgan.core.files import write_json
from dcgan.core.pixels import write_png
from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.data.image_store import ImageStore
from dcgan.internals.figure_layout import beside, title
from dcgan.internals.guided_backprop import Settings, answers
from dcgan.models.networks import Discriminator
from workflow.engines.options import figure_parser, section_named
from workflow.engines.stage import load_params, prepare, run_stage


def main(arguments: list[str] | None = None) -> None:
    args = figure_parser(__doc__, "discriminator", "images", "figure", "metrics").parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.figures.guided, args.name, "figures.guided")
    seed = params.run.seed

    device = prepare(params.run)
    store = ImageStore(args.images)
    chosen = numpy_generator(seed, "guided", args.name).permutation(len(store))[: section.searched]
    images = store.images[np.sort(chosen)]
    trained = Discriminator.from_file(args.discriminator, device)
    random = Discriminator(trained.architecture).initialize(torch_generator(seed, "guided", "random")).to(device)
    settings = Settings(
        layer=section.layer,
        features=section.features,
        strongest=section.strongest,
        rectifier=section.rectifier,
        statistics_batches=section.statistics_batches,
    )
    found = {"trained": answers(trained, images, settings), "random weights": answers(random, images, settings)}
    pictures = [title(text, one.picture(section.enlargement)) for text, one in found.items()]
    likenesses = [one.likeness(trained.architecture.pixel_range) for one in found.values()]
    write_png(args.figure, beside(pictures, 16))
    write_json(
        args.metrics,
        {
            "images_searched": len(images),
            "features": section.features,
            "likeness": likenesses[0],
            "likeness_random": likenesses[1],
        },
    )


if __name__ == "__main__":
    run_stage(main)
