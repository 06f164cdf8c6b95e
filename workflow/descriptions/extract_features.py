"""Max-pooled activations of a discriminator."""

from workflow.workload import FLOAT_BYTES, GIGA, KINDS, Scale, Work


def work(s: Scale, item: str) -> Work:
    """All splits, with trained and with random weights."""
    section = s.params.features[item]
    a = s.architecture(section.discriminator)
    size = s.discriminator(a.name)
    n = sum(split.rows for split in s.packed(section.images).values())
    written = KINDS * n * a.feature_count * (4 if section.dtype == "float32" else 2)
    gflop = KINDS * (n + 2 * min(section.statistics_images, n)) * size.flop / GIGA
    held = FLOAT_BYTES * (size.weights + 2 * section.batch_size * (size.units + a.feature_count))
    seconds = written / 1e6 * s.cost["feature_megabyte"]
    return Work(n, seconds, matrix_gflop=gflop, written_bytes=written, held_bytes=held)
