"""The nearest neighbour among generated digits."""

from workflow.description import Curves, Description
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


DESCRIPTION = Description(
    "Representations",
    title="Nearest neighbour among generated digits",
    caption="As Figure 9 ({item}): a row per class; left, real digits; right, samples of that class. Samples should be "
    "as easy to read, and as different from each other, as the real ones.",
    sentence="{error:.1%} error with {n_samples:,} samples (published {published:.1%} with 50,000), {real_error:.1%} "
    "with {n_real:,} real images",
    charts=(
        Curves(
            "Test error against the number of images that are searched",
            "More samples should help; a generator that has learned the digits comes near to real images.",
            "n",
            ("error",),
            by="source",
            axis="images searched",
        ),
    ),
    table_rows=(
        "Table 3: 1-NN on real digits / on DCGAN samples, error | 3.1 / 2.98 % | "
        "{neighbours_mnist[real_error]:.1%} / {neighbours_mnist[error]:.1%}",
        "Table 3: 1-NN on samples of a fully connected GAN, error | 6.28 % | {neighbours_mnist_dense[error]:.1%}",
    ),
    makes={"Table 3: MNIST": "mnist", "Figure 9: MNIST digits": "mnist"},
    modules=(
        "representation/one_nn",
        "representation/neighbour_curves",
    ),
)
