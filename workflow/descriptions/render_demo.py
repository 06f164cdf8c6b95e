"""The raw sources of the demo world."""

from workflow.workload import Scale, Work


def work(s: Scale, item: str) -> Work:
    """Pictures of one set; digits for two sets, and all that are labelled with their test splits."""
    demo = s.params.demo
    images = {
        "bedrooms": demo.bedrooms + demo.duplicates,
        "faces": demo.photos,
        "digits": 2.5 * demo.digits,
        "objects": 1.2 * demo.objects + demo.pictures,
    }[item]
    written = images * s.rates["rendered_bytes"][item]
    return Work(images, shared_core_seconds=images * s.cost["rendered"][item], written_bytes=written)
