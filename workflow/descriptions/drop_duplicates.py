"""One image of each binary code."""

from workflow.workload import KEY_BYTES, Scale, Work

SORTED_CODES = 190  # bytes a code that grouping takes at its most (docs/performance.md)


def work(s: Scale, item: str) -> Work:
    """Codes are sorted, or compared if near ones count as equal; kept images are copied."""
    kept, seconds = s.store("data/bedrooms/unique.h5"), s.bedrooms * s.cost["grouped"]
    if s.params.deduplicate.radius:
        seconds += s.bedrooms * s.cost["near_code"] + s.bedrooms**2 * s.cost["near_pair"]
    written, held = kept.rows * (kept.row_bytes + KEY_BYTES), s.bedrooms * (SORTED_CODES + KEY_BYTES)
    return Work(s.bedrooms, seconds, written_bytes=written, held_bytes=held)
