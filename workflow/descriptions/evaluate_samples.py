"""Samples against real images that were not trained on."""

from workflow.workload import GIGA, Scale, Work


def work(s: Scale, item: str) -> Work:
    """512 projections of two pairs of sets, and distances of codes."""
    n = s.params.train[item].held_out
    row = s.store(s.params.figures.samples[item].images).row_bytes
    return Work(2 * n, n * s.cost["compared"], matrix_gflop=(4 * n * row * 512 * 2 + 6 * n * n * 128 * 2) / GIGA)
