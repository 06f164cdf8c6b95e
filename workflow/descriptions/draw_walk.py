"""A walk through the latent space."""

from workflow.description import Description
from workflow.workload import GIGA, Scale, Work


def work(s: Scale, item: str) -> Work:
    """Every image of the walks is compared with every training image."""
    section = s.params.figures.walk[item]
    store, drawn = s.store(section.images), section.walks * (section.points - 1) * section.length
    return Work(drawn, matrix_gflop=2 * drawn * store.rows * store.row_bytes / GIGA)


DESCRIPTION = Description(
    "Looking inside",
    title="Walk through the latent space",
    caption="As Figure 4 ({item}): a walk through the latent space, one strip in reading order through random points. "
    "Each image depends on its own point alone (estimated batch-norm statistics). It should look like a possible one "
    "and change a little from the one before; a generator that has memorized its training images would rest at one and "
    "then jump to the next.",
    sentence="largest step {roughness:.1f} times the mean step; a generator that had memorized its training images: "
    "{roughness_if_memorized:.1f}",
    in_summary=True,
    makes={"Figure 4: latent walk": "bedrooms"},
    modules=("internals/latent_space",),
)
