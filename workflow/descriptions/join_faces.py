"""All face crops in one store."""

from workflow.description import Description
from workflow.workload import Scale, Work


def work(s: Scale, item: str) -> Work:
    """Crops are copied into one store."""
    crops = s.store("data/faces/crops.h5")
    return Work(crops.rows, crops.rows * s.cost["copied"], written_bytes=crops.rows * crops.row_bytes)


DESCRIPTION = Description(
    "Data",
    title="Face crops",
    caption="Crops spread evenly over the set. Nearly every one should show one face, upright and filling the square.",
    sentence="{n_kept:,} faces from {n_photos:,} photos (published: about {published_boxes:,})",
    in_summary=True,
    table_rows=(
        "section 4.2: faces found | 350,000 in 3 million photos | {faces[n_kept]:,} in {faces[n_photos]:,} photos",
    ),
    makes={"Section 4.2: face crops": ""},
)
