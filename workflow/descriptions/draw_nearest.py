"""Samples beside their nearest training images."""

from workflow.description import Description, Metrics
from workflow.planning.workload import CODE_BYTES, FLOAT_BYTES, GIGA, Scale, Work


def work(s: Scale, item: str) -> Work:
    """Samples and held-out images are compared with every training image."""
    section = s.params.figures.nearest[item]
    store, compared = s.store(section.images), section.samples + s.params.train[item].held_out
    seconds = store.rows * s.cost["encoded"] + compared * store.rows * s.cost["code_pair"]
    held = store.rows * CODE_BYTES + compared * store.row_bytes * FLOAT_BYTES
    return Work(compared, seconds, matrix_gflop=2 * compared * store.rows * store.row_bytes / GIGA, held_bytes=held)


def sentence(m: Metrics) -> str:
    """Both spaces, and the verdict."""
    verdict = "training images are repeated" if m["memorized"] else "no more than by chance"
    return (
        "samples suspiciously near to one training image alone: {pixels_closer_share:.1%} in pixels (real images never "
        "trained on: {pixels_closer_share_real:.1%}) and {codes_closer_share:.1%} by code (real images never trained "
        f"on: {{codes_closer_share_real:.1%}}): {verdict}"
    )


DESCRIPTION = Description(
    "Looking inside",
    title="Nearest training images",
    caption="Against memorization (section 4.1; {item}): each row a sample, its nearest training images in pixels, and "
    "its nearest by binary code. They should be alike in layout and colour, not be the same picture.",
    sentence=sentence,
    in_summary=True,
    table_rows=(
        "section 4.1: samples that copy a training image | none seen | "
        "{nearest_bedrooms[pixels_closer_share]:.1%} (held-out real images: "
        "{nearest_bedrooms[pixels_closer_share_real]:.1%})",
    ),
    makes={"Section 4.1: memorization": "bedrooms"},
    modules=("internals/memorization",),
)
