"""A walk through the latent space."""

from workflow.workload import GIGA, Scale, Work


def work(s: Scale, item: str) -> Work:
    """Every image of the walks is compared with every training image."""
    section = s.params.figures.walk[item]
    store, drawn = s.store(section.images), section.walks * (section.points - 1) * section.length
    return Work(drawn, matrix_gflop=2 * drawn * store.rows * store.row_bytes / GIGA)
