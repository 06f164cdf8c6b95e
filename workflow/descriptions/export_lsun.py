"""Bedrooms as image stores."""

from workflow.workload import CROP_BYTES, KEY_BYTES, Scale, Work


def work(s: Scale, item: str) -> Work:
    """One shard: decoded, resized, written twice."""
    n = s.bedrooms / len(s.params.export.shards)
    megapixels = n * s.source(s.params.export.source)["megapixels"]
    row = s.params.export.image_size**2 * 3 + CROP_BYTES + 2 * KEY_BYTES
    return Work(n, n * s.cost["exported"] + megapixels * s.cost["decoded_megapixel"], written_bytes=n * row)
