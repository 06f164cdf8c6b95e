"""The autoencoder whose code layer becomes the binary code."""

from workflow.workload import CROP_BYTES, GIGA, Scale, Work


def work(s: Scale, item: str) -> Work:
    """Two layers of 3,072 by code_size, forwards and backwards."""
    section = s.params.autoencoder
    seen = section.minibatches * section.batch_size
    gflop = seen * 3 * 4 * CROP_BYTES * section.code_size / GIGA
    return Work(seen, training_gflop=gflop, minibatches=section.minibatches)
