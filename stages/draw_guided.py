"""Draws what the discriminator's features answer to, by guided backpropagation, beside random features (Figure 5).

Inputs:  a discriminator; the image store whose images are searched; `figures.guided.<name>` of params.yaml.
Outputs: a PNG, as in the paper a network with random weights on the left, the trained one on the right; for each of the
         first 6 features of the last convolution layer a row of the 10 strongest responses, guided gradients over the
         images that gave them; a JSON with how much guided gradients look like the images they belong to, the mean over
         more features (see dcgan/internals/guided_backprop.py); outcomes `trained` and `random`, (1, features): the
         likeness of each feature.
Published: the picture only; "features activate on typical parts of a bedroom, like beds and windows".
"""

import numpy as np

from dcgan.core.files import write_json
from dcgan.core.outcomes import write_outcomes
from dcgan.core.pixels import Images, write_png
from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.data.image_store import ImageStore
from dcgan.internals.figure_layout import beside, title
from dcgan.internals.guided_backprop import GuidedSettings, answers
from dcgan.models.networks import Discriminator
from workflow.engines.options import figure_parser, section_named, settings_from
from workflow.engines.stage import load_params, prepare, run_stage


def main(arguments: list[str] | None = None) -> None:
    args = figure_parser(__doc__, "discriminator", "images", "figure", "outcomes", "metrics").parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.figures.guided, args.name, "figures.guided")
    seed = params.run.seed

    device = prepare(params.run)
    store = ImageStore(args.images)
    chosen = numpy_generator(seed, "guided", args.name).permutation(len(store))[: section.searched]
    images = store.images[np.sort(chosen)]
    trained = Discriminator.from_file(args.discriminator, device)
    random = Discriminator(trained.architecture).initialize(torch_generator(seed, "guided", "random")).to(device)
    settings = settings_from(section, GuidedSettings, shown=section.features)
    found = {"random": answers(random, images, settings), "trained": answers(trained, images, settings)}
    pictures = {name: one.picture(section.features, section.enlargement) for name, one in found.items()}
    write_png(args.figure, figure(pictures["random"], pictures["trained"]))
    pixel_range, measured = trained.architecture.pixel_range, section.measured
    likeness = {name: one.likeness(pixel_range)[:measured] for name, one in found.items()}
    write_outcomes(args.outcomes, likeness)
    write_json(
        args.metrics,
        {
            "images_searched": len(images),
            "features": len(likeness["trained"]),
            "likeness": float(likeness["trained"].mean()),
            "likeness_random": float(likeness["random"].mean()),
        },
    )


def figure(random: Images, trained: Images) -> Images:
    """Both pictures with their names, in the paper's order."""
    return beside([title("random weights", random), title("trained", trained)], 16)


if __name__ == "__main__":
    run_stage(main)
