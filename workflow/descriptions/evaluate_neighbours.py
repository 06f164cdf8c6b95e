"""The nearest neighbour among generated digits."""

from workflow.workload import FLOAT_BYTES, GIGA, Scale, Work


def work(s: Scale, item: str) -> Work:
    """Samples are drawn and compared with every test image."""
    section = s.params.neighbours[item]
    splits = s.packed(section.images)
    drawn = max(section.samples) + min(section.random_samples, max(section.samples))
    products = 2 * splits["test"].rows * (drawn + splits["train"].rows) * splits["train"].row_bytes
    flop = drawn * s.generator(s.architecture(section.generator).name).flop
    held = splits["test"].rows * FLOAT_BYTES * (splits["test"].row_bytes + 2 * section.batch_size)
    return Work(drawn, matrix_gflop=(products + flop) / GIGA, held_bytes=held)
