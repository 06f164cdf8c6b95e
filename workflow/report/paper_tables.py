"""Tables 1 to 3 of the paper as data: rows that are quoted from it, and where in our metrics ours stand beside them.

Source of every number: the paper (arXiv 1511.06434v2), sections 5.1, 5.2 and 8.1.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """Where a number of ours is: a file of results/metrics, a key in it, and the key of its interval."""

    file: str
    key: str
    interval: str | None = None
    of: float = 1.0  # 1.0: the value itself; -1.0: what is left of 1, an error for an accuracy


@dataclass(frozen=True)
class Row:
    """A quoted row: percent as printed, None where the paper has none; `ours` are the numbers that belong beside it."""

    model: str
    values: tuple[float | None, ...]
    intervals: tuple[float | None, ...] = ()
    features: int | None = None
    ours: tuple[Source | None, ...] = ()
    authors: tuple[Source | None, ...] = ()  # the same with the authors' published weights


@dataclass(frozen=True)
class Table:
    """One table: what a column of values is, and whether more is better."""

    number: int
    title: str
    columns: tuple[str, ...]
    more_is_better: bool
    rows: tuple[Row, ...]


TABLE_1 = Table(
    1,
    "CIFAR-10 classification by features of a network trained on ImageNet-1k, accuracy in percent",
    ("accuracy", "accuracy, 400 labels a class in the paper"),
    True,
    (
        Row(
            "1-layer K-means",
            (80.6, 63.7),
            (None, 0.7),
            4800,
            (
                Source("svm_kmeans_cifar10", "accuracy", "interval"),
                Source("svm_kmeans_cifar10_few", "accuracy", "interval"),
            ),
        ),
        Row("3-layer K-means, learned receptive fields", (82.0, 70.7), (None, 0.7), 3200),
        Row("view-invariant K-means", (81.9, 72.6), (None, 0.7), 6400),
        Row("Exemplar CNN", (84.3, 77.4), (None, 0.2), 1024),
        Row(
            "DCGAN + L2-SVM",
            (82.8, 73.8),
            (None, 0.4),
            28672,
            (Source("svm_cifar10", "error", "interval", -1.0), Source("svm_cifar10_few", "error", "interval", -1.0)),
            (
                Source("svm_cifar10_published", "error", "interval", -1.0),
                Source("svm_cifar10_published_few", "error", "interval", -1.0),
            ),
        ),
    ),
)

TABLE_2 = Table(
    2,
    "SVHN classification with 1,000 labels, error in percent",
    ("error",),
    False,
    (
        Row("KNN", (77.93,)),
        Row("TSVM", (66.55,)),
        Row("M1 + KNN", (65.63,)),
        Row("M1 + TSVM", (54.33,)),
        Row("M1 + M2", (36.02,)),
        Row("SWWAE without dropout", (27.83,)),
        Row("SWWAE with dropout", (23.56,)),
        Row(
            "DCGAN + L2-SVM",
            (22.48,),
            ours=(Source("svm_svhn", "error", "interval"),),
            authors=(Source("svm_svhn_published", "error", "interval"),),
        ),
        Row("supervised CNN, same architecture", (28.87,), ours=(Source("supervised_cnn", "error"),)),
    ),
)


def samples_of(file: str) -> tuple[Source, Source]:
    """Errors by 50,000 samples, or by the most there were if fewer, and by 10 million where there were so many."""
    return Source(file, "error"), Source(file, "error_10000000")


TABLE_3 = Table(
    3,
    "MNIST: nearest neighbour among generated digits, test error in percent",
    ("error, 50,000 samples in the paper", "error, 10 million samples in the paper"),
    False,
    (
        Row("AlignMNIST", (None, 1.4)),
        Row("InfiMNIST", (None, 2.6)),
        Row("real data", (3.1, None), ours=(Source("neighbours_mnist", "real_error"), None)),
        Row("GAN, fully connected", (6.28, 5.65), ours=samples_of("neighbours_mnist_dense")),
        Row("DCGAN", (2.98, 1.48), ours=samples_of("neighbours_mnist")),
    ),
)

TABLES = (TABLE_1, TABLE_2, TABLE_3)
