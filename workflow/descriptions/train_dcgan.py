"""Adversarial training of one pair of networks."""

from workflow.description import Curves, Description
from workflow.workload import Scale, Work


def work(s: Scale, item: str) -> Work:
    """All epochs of one pair of networks."""
    section = s.params.train[item]
    seen = (s.store(section.images).rows - section.held_out) * section.epochs
    kept = 1 + (seen // section.keep_images + 1 if section.keep_images else 0)
    return s.training(section.network, seen, section.batch_size, section.batch_size / section.processes, section, kept)


DESCRIPTION = Description(
    "Training",
    title="Training",
    caption="As Figures 2 and 3 ({item}): samples of the same z after some of the epochs. They should become clearer "
    "without becoming alike.",
    charts=(
        Curves(
            "Losses",
            "A discriminator whose loss stays near 0 has won: the generator learns no more.",
            "epoch",
            ("d_loss", "g_loss"),
        ),
        Curves(
            "Probability of being real, as the discriminator sees it",
            "The nearer the two curves are, the harder samples are to tell from real images; 0.5 for both would be a "
            "draw.",
            "epoch",
            ("d_real", "d_fake"),
        ),
        Curves(
            "How much samples of the same z differ, in grey levels",
            "A fall towards 0 is a collapse: all samples look alike.",
            "epoch",
            ("spread",),
        ),
    ),
    compared_pictures="Samples after the last epoch",
    makes={"Figure 2: bedrooms after one epoch": "bedrooms"},
    modules=("training/adversarial", "training/loop", "models/architectures"),
)
