"""All face crops in one store."""

from workflow.workload import Scale, Work


def work(s: Scale, item: str) -> Work:
    """Crops are copied into one store."""
    crops = s.store("data/faces/crops.h5")
    return Work(crops.rows, crops.rows * s.cost["copied"], written_bytes=crops.rows * crops.row_bytes)
