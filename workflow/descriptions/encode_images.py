"""Binary codes of images."""

from workflow.workload import CODE_BYTES, CROP_BYTES, GIGA, KEY_BYTES, Scale, Work


def work(s: Scale, item: str) -> Work:
    """One shard through the encoder."""
    n = s.bedrooms / len(s.params.export.shards)
    gflop = n * 2 * CROP_BYTES * s.params.autoencoder.code_size / GIGA
    return Work(n, matrix_gflop=gflop, written_bytes=n * (CODE_BYTES + KEY_BYTES))
