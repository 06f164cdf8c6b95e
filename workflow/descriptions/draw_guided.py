"""What the discriminator's features answer to."""

from workflow.description import Description
from workflow.workload import GIGA, KINDS, Scale, Work


def work(s: Scale, item: str) -> Work:
    """Images are searched for the strongest responses."""
    section, size = s.params.figures.guided[item], s.discriminator(s.params.train[item].network)
    n = min(section.searched, s.store(section.images).rows)
    return Work(n, matrix_gflop=KINDS * (n + 128 * section.statistics_batches) * size.flop / GIGA)


DESCRIPTION = Description(
    "Looking inside",
    title="What features answer to",
    caption="As Figure 5 ({item}): guided backpropagation of the strongest responses of the first features of the "
    "discriminator's last convolution layer, a pair of rows a feature: what in the image it answers to, and the image. "
    "Left: trained; edges of windows and beds stand out. Right: random weights; there is hardly a shape.",
    sentence="guided gradients correlate with the picture's detail by {likeness:.2f}, with random weights by "
    "{likeness_random:.2f}",
    in_summary=True,
    makes={"Figure 5: guided backpropagation": "bedrooms"},
    modules=("internals/guided_backprop",),
)
