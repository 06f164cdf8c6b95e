"""What the discriminator's features answer to."""

from workflow.description import Description
from workflow.workload import GIGA, KINDS, Scale, Work


def work(s: Scale, item: str) -> Work:
    """Images are searched for the strongest responses, whose gradients are computed."""
    section, size = s.params.figures.guided[item], s.discriminator(s.params.train[item].network)
    n = min(section.searched, s.store(section.images).rows)
    passes = n + 128 * section.statistics_batches + 3 * max(section.features, section.measured) * section.strongest
    return Work(n, matrix_gflop=KINDS * passes * size.flop / GIGA)


DESCRIPTION = Description(
    "Looking inside",
    title="What features answer to",
    caption="As Figure 5 ({item}): guided backpropagation of the strongest responses of the first features of the "
    "discriminator's last convolution layer, a pair of rows a feature: what in the image it answers to, and the image. "
    "Left: random weights; there is hardly a shape. Right: trained; edges of windows and beds stand out.",
    sentence="guided gradients of {features} features correlate with the picture's detail by {likeness:.2f}, with "
    "random weights by {likeness_random:.2f}",
    in_summary=True,
    makes={"Figure 5: guided backpropagation": "bedrooms"},
    modules=("internals/guided_backprop",),
)
