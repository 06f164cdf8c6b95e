"""Samples against real images that were not trained on."""

from workflow.workload import GIGA, Scale, Work


def work(s: Scale, item: str) -> Work:
    """512 projections of pairs of sets, distances of codes, and samples of the last generator and of the first kept."""
    section = s.params.train[item]
    n, row = section.held_out, s.store(s.params.figures.samples[item].images).row_bytes
    pairs = s.params.quality.draws * (2 if section.keep_images else 1)
    sampled = pairs * n * s.generator(section.network).flop
    flop = (4 + 2 * pairs) * n * row * 512 * 2 + 6 * n * n * 128 * 2 + sampled
    return Work((2 + pairs) * n, n * s.cost["compared"], matrix_gflop=flop / GIGA)
