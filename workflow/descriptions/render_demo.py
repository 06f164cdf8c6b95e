"""The raw sources of the demo world."""

from workflow.workload import Scale, Work


def work(s: Scale, item: str) -> Work:
    """Pictures of one set; digits and objects are drawn for two sets and their test splits."""
    demo = s.params.demo
    n = {"bedrooms": demo.bedrooms + demo.duplicates, "faces": demo.photos}.get(item)
    images = n if n is not None else 2.5 * {"digits": demo.digits, "objects": demo.objects}[item]
    written = images * s.rates["rendered_bytes"][item]
    return Work(images, shared_core_seconds=images * s.cost["rendered"][item], written_bytes=written)
