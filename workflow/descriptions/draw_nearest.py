"""Samples beside their nearest training images."""

from workflow.workload import GIGA, Scale, Work

COARSE_VALUES = 8 * 8 * 3  # of an image among which candidates are searched, mirrored or not
ALIGNED_GFLOP = 0.004  # per image: 50 alignments with 64 candidates
BLOCK_ROWS, BYTES_PER_PAIR = 4096, 20  # training images at a time; likeness, number and order of a pair


def work(s: Scale, item: str) -> Work:
    """Samples and held-out images are compared with every training image, then in detail with a few."""
    section = s.params.figures.nearest[item]
    training = s.params.train[item]
    generators = 1 if training.keep_images is None else 2
    rows, compared = s.store(section.images).rows, generators * section.samples + training.held_out
    gflop = 2 * 2 * compared * rows * COARSE_VALUES / GIGA + compared * ALIGNED_GFLOP
    return Work(
        compared,
        rows * s.cost["copied"],
        matrix_gflop=gflop,
        held_bytes=compared * min(rows, BLOCK_ROWS) * BYTES_PER_PAIR,
    )
