"""The linear classifier on features."""

from workflow.description import Curves, Description
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


DESCRIPTION = Description(
    "Representations",
    title="Linear classifier on features",
    caption="Accuracy against C ({item}) and, if asked, against labels per class and layer by layer; and what is "
    "taken for what. Trained features should stay above those of random weights (a network's, or random patches for "
    "K-means), and all layers together above any layer alone.",
    sentence="{error:.1%} error (published {published:.1%}), {random_weights_error:.1%} with random weights",
    compared_charts=(
        Curves("Accuracy against labels per class", "", "x", ("accuracy",), "weights", ("curve", "labels"), "labels"),
        Curves("Accuracy of all layers up to one", "", "x", ("accuracy",), "weights", ("curve", "cumulative"), "layer"),
    ),
    table_rows=(
        "Table 1: features + L2-SVM, all labels | 82.8 % | {svm_cifar10[error]:rest.1%} (random weights: "
        "{svm_cifar10[random_weights_error]:rest.1%})",
        "Table 1: features + L2-SVM, few labels per class | 73.8 ± 0.4 % | "
        "{svm_cifar10_few[error]:rest.1%} (random weights: "
        "{svm_cifar10_few[random_weights_error]:rest.1%})",
        "Table 1: 1-layer K-means, all labels / few | 80.6 / 63.7 ± 0.7 % | "
        "{svm_kmeans_cifar10[accuracy]:.1%} / {svm_kmeans_cifar10_few[accuracy]:.1%}",
        "Table 2: features + L2-SVM, 1,000 labels, error | 22.48 % | {svm_svhn[error]:.1%} (random "
        "weights: {svm_svhn[random_weights_error]:.1%})",
    ),
    makes={"Table 1: CIFAR-10": "cifar10", "Table 2: SVHN": "svhn"},
    modules=("representation/protocol", "representation/linear_classifier", "representation/svm/solver"),
)
