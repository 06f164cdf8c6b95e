"""The linear classifier on features."""

from workflow.workload import DOUBLE_BYTES, FLOAT_BYTES, GIGA, KINDS, Scale, Work

CLASSES = 10


def feature_table(s: Scale, path: str) -> tuple[float, int]:
    """Training rows and columns of a folder of features."""
    kind, item = s.maker(path)
    if kind == "fit_kmeans":
        kmeans = s.params.kmeans[item]
        return s.packed(kmeans.images)["train"].rows, 4 * kmeans.centroids
    section = s.params.features[item]
    return s.packed(section.images)["train"].rows, s.architecture(section.discriminator).feature_count


def work(s: Scale, item: str) -> Work:
    """Passes over all rows of a fit, for every draw and cost; curves of labels and layers cost a share of that."""
    section = s.params.svm[item]
    rows, width = feature_table(s, section.features)
    further = [*section.curve_labels, *([section.layer_labels] if section.layer_labels else [])]
    learned = [min(rows, CLASSES * n) if n else rows for n in (section.labels_per_class, *further)]
    fits = [section.search_draws * len(section.costs) + section.draws]
    fits += [section.curve_draws * len(section.costs)] * (len(learned) - 1)
    seen = sum(n * m for n, m in zip(fits, learned, strict=True))
    flop = KINDS * seen * 2 * width * CLASSES * s.rates["svm_passes"]
    # Rows and Gram matrices stay in memory if each fits into what the parameter allows; else rows are streamed.
    allowed, n = section.memory_gb * 2**30, max(learned)
    held = [n * width * FLOAT_BYTES, n * n * DOUBLE_BYTES]
    return Work(rows, matrix_gflop=flop / GIGA, held_bytes=sum(size for size in held if size <= allowed))
