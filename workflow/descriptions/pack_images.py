"""Labelled sets as image stores."""

from workflow.workload import Scale, Work


def work(s: Scale, item: str) -> Work:
    """All splits of one set, decoded if the source says how large its photos are."""
    section, splits = s.params.pack.sets[item], s.packed(f"data/packed/{item}").values()
    n = sum(split.rows for split in splits)
    megapixels = n * s.source(section.source).get("megapixels", 0.0)
    seconds = n * s.cost["packed"][section.kind] + megapixels * s.cost["decoded_megapixel"]
    return Work(n, seconds, written_bytes=sum(split.rows * split.row_bytes for split in splits))
