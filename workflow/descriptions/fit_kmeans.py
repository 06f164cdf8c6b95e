"""The K-means baseline."""

from workflow.workload import FLOAT_BYTES, GIGA, KINDS, Scale, Work


def work(s: Scale, item: str) -> Work:
    """Lloyd's iterations on patches, then every position of every image."""
    section = s.params.kmeans[item]
    splits, values = s.packed(section.images), section.side**2 * 3
    n = sum(split.rows for split in splits.values())
    side = (splits["train"].row_bytes / 3) ** 0.5
    positions = KINDS * n * (side - section.side + 1) ** 2
    flop = 2 * (section.patches * section.iterations + positions) * values * section.centroids
    flop += positions * (section.centroids * s.rates["activation_flop"] + s.rates["position_flop"])
    # Patches as they were drawn, normalised, whitened and in random order.
    held = section.patches * values * FLOAT_BYTES * 4
    written = KINDS * n * 4 * section.centroids * FLOAT_BYTES
    return Work(n, matrix_gflop=flop / GIGA, written_bytes=written, held_bytes=held)
