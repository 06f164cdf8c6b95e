"""Draws what the discriminator's features answer to, by guided backpropagation, beside random features (Figure 5).

Inputs:  a discriminator; the image store whose images are searched; `figures.guided.<name>` of params.yaml.
Outputs: a PNG, on the left the trained network, on the right one with random weights; for each of the first 6 features
         of the last convolution layer a row of the 10 strongest responses, guided gradients over the images that gave
         them; a JSON with how much guided gradients look like the images they belong to (see
         dcgan/internals/guided_backprop.py).
Published: the picture only; "features activate on typical parts of a bedroom, like beds and windows".
"""

import numpy as np
import torch
from torch import Tensor

from dcgan.core.files import write_json
from dcgan.core.pixels import Images, enlarge, tile, write_png
from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.data.image_store import ImageStore
from dcgan.internals.figure_layout import above, batches, beside, estimate_discriminator, title
from dcgan.internals.guided_backprop import as_pictures, guided_gradients, likeness, strongest_responses
from dcgan.models.networks import Discriminator
from dcgan.models.pixel_range import to_input
from workflow.engines.figure_options import figure_parser, section_named
from workflow.engines.stage import load_params, prepare, run_stage
from workflow.params.figures import GuidedFigure


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
    parts, likenesses = [], []
    for text, network in (("trained", trained), ("random weights", random)):
        found, gradients = look_inside(network, images, section)
        parts.append(title(text, picture(found, gradients, section.enlargement)))
        x = to_input(found.reshape(-1, *found.shape[2:]), trained.architecture.pixel_range)
        likenesses.append(likeness(gradients.flatten(0, 1), x))
    write_png(args.figure, beside(parts, 16))
    write_json(
        args.metrics,
        {
            "images_searched": len(images),
            "features": section.features,
            "likeness": likenesses[0],
            "likeness_random": likenesses[1],
        },
    )


def look_inside(network: Discriminator, images: Images, section: GuidedFigure) -> tuple[Images, Tensor]:
    """For each feature its strongest images, (F, K, H, W, C) uint8, and their guided gradients, (F, K, C, H, W)."""
    estimate_discriminator(network, images, section.statistics_batches)
    found = strongest_responses(network, batches(network, images), section.layer, section.features, section.strongest)
    shape = found.images.shape
    features = np.repeat(np.arange(shape[0]), shape[1])
    units = torch.from_numpy(np.stack([features, found.rows.ravel(), found.columns.ravel()], axis=1))
    strongest = images[found.images.ravel()]
    device = next(network.parameters()).device
    x = to_input(strongest, network.architecture.pixel_range).to(device)
    gradients = guided_gradients(network, x, units.to(device), section.layer, section.rectifier, "estimated")
    return strongest.reshape(*shape, *strongest.shape[1:]), gradients.reshape(*shape, *gradients.shape[1:]).cpu()


def picture(images: Images, gradients: Tensor, enlargement: int) -> Images:
    """A pair of rows a feature: guided gradients, and under them the images they belong to."""
    rows = [
        above([tile(as_pictures(above_row), len(row), 1), tile(row, len(row), 1)], 0)
        for row, above_row in zip(images, gradients, strict=True)
    ]
    return enlarge(above(rows, 4), enlargement)


if __name__ == "__main__":
    run_stage(main)
