"""The autoencoder whose code layer becomes the binary code."""

from workflow.description import Curves, Description
from workflow.workload import CROP_BYTES, GIGA, Scale, Work


def work(s: Scale, item: str) -> Work:
    """Two layers of 3,072 by code_size, forwards and backwards."""
    section = s.params.autoencoder
    seen = section.minibatches * section.batch_size
    gflop = seen * 3 * 4 * CROP_BYTES * section.code_size / GIGA
    return Work(seen, training_gflop=gflop, minibatches=section.minibatches)


DESCRIPTION = Description(
    "Data",
    title="The autoencoder of the binary codes",
    charts=(
        Curves(
            "Reconstruction error",
            "Held-out images should become as easy as those it learns from; an error that rises again is learning by "
            "heart.",
            "epoch",
            ("loss", "held_out_error"),
        ),
    ),
    makes={"Section 4.1.1": ""},
    modules=("dedup/autoencoder",),
)
