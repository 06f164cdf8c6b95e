"""One image of each binary code."""

from workflow.description import Description
from workflow.workload import KEY_BYTES, Scale, Work

SORTED_CODES = 190  # bytes a code that grouping takes at its most (docs/performance.md)


def work(s: Scale, item: str) -> Work:
    """Codes are sorted, or compared if near ones count as equal; kept images are copied."""
    kept, seconds = s.store("data/bedrooms/unique.h5"), s.bedrooms * s.cost["grouped"]
    if s.params.deduplicate.radius:
        seconds += s.bedrooms * s.cost["near_code"] + s.bedrooms**2 * s.cost["near_pair"]
    written, held = kept.rows * (kept.row_bytes + KEY_BYTES), s.bedrooms * (SORTED_CODES + KEY_BYTES)
    return Work(s.bedrooms, seconds, written_bytes=written, held_bytes=held)


DESCRIPTION = Description(
    "Data",
    title="Duplicates dropped",
    caption="Pairs: left, an image that stays; right, one that was dropped because its binary code is the same, or "
    "nearly (deduplicate.radius). They should show the same scene.",
    sentence="{n_removed:,} of {n_images:,} images dropped as duplicates, {share_removed:.1%} (published "
    "{published_share:.1%})",
    in_summary=True,
    table_rows=(
        "section 4.1.1: near-duplicates removed | 9.1 % of LSUN | {duplicates[share_removed]:.1%} of the "
        "images: {duplicates_truth[recall]:.1%} of the planted ones, {duplicates_truth[precision]:.1%} "
        "of the removed are planted",
    ),
    makes={"Section 4.1.1: near-duplicates removed": ""},
    modules=("dedup/hash_codes", "dedup/hamming_search"),
)
