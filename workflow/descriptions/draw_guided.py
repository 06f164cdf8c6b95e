"""What the discriminator's features answer to."""

from workflow.workload import GIGA, KINDS, Scale, Work


def work(s: Scale, item: str) -> Work:
    """Images are searched for the strongest responses, whose gradients are computed."""
    section, size = s.params.figures.guided[item], s.discriminator(s.params.train[item].network)
    n = min(section.searched, s.store(section.images).rows)
    passes = n + 128 * section.statistics_batches + 3 * max(section.features, section.measured) * section.strongest
    return Work(n, matrix_gflop=KINDS * passes * size.flop / GIGA)
