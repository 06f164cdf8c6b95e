"""Faces found in photos."""

from workflow.workload import Scale, Work


def work(s: Scale, item: str) -> Work:
    """One shard of photos, reduced and searched by all threads."""
    section, source = s.params.crop_faces, s.source(s.params.crop_faces.source)
    n = s.photos / len(section.shards)
    searched = n * min(source["megapixels"], 0.75 * section.detection_side**2 / 1e6)
    seconds = searched * s.cost["searched_megapixel"] + n * source["megapixels"] * s.cost["decoded_megapixel"]
    return Work(n, shared_core_seconds=seconds, written_bytes=n * source["faces"] * section.image_size**2 * 3)
