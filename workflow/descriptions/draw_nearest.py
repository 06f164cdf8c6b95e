"""Samples beside their nearest training images."""

from workflow.description import Description, Metrics
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


def sentence(m: Metrics) -> str:
    """Shares and the verdict."""
    verdict = "training images are repeated" if m["memorized"] else "no more than by chance"
    early = "; of samples early in training {copied_share_first:.1%}" if "copied_share_first" in m else ""
    return (
        "{copied_share:.1%} of samples are as near to one training image alone as copies are (real images never "
        f"trained on: {{copied_share_real:.1%}}{early}): {verdict} (p = {{p_value:.2g}})"
    )


DESCRIPTION = Description(
    "Looking inside",
    title="Nearest training images",
    caption="Against memorization (section 4.1; {item}): each row a sample and its nearest training images, shifted or "
    "mirrored if that brings them nearer. They should be alike in layout and colour, not be the same picture.",
    sentence=sentence,
    in_summary=True,
    table_rows=(
        "section 4.1: samples that copy a training image | none seen | "
        "{nearest_bedrooms[copied_share]:.1%} (held-out real images: {nearest_bedrooms[copied_share_real]:.1%})",
    ),
    makes={"Section 4.1: memorization": "bedrooms"},
    modules=("internals/memorization",),
)
