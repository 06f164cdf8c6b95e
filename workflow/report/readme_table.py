"""README's table "published / ours" out of the metrics of a run of the demo.

Input: results/metrics, README.md. Output: README.md with its table renewed; `make overview` does it beside the picture.
A test holds README in git against the metrics in git.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dcgan.core.files import InputError, read_json, replace_when_done
from workflow.engines.stage import run_stage
from workflow.params.load import load_params
from workflow.report.paper_tables import TABLE_1, TABLE_2, TABLE_3, Table
from workflow.report.readme_picture import check_demo
from workflow.report.sentences import percent

Metrics = Mapping[str, Mapping[str, Any]]
DCGAN, KMEANS = "DCGAN + L2-SVM", "1-layer K-means"  # rows of the paper's tables
HEAD = ("| what | published | ours |", "|---|---|---|")


def main(arguments: list[str] | None = None) -> None:
    """Renews the table in the checkout one stands in."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readme", type=Path, default=Path("README.md"), help="(default: %(default)s)")
    parser.add_argument("--metrics", type=Path, default=Path("results/metrics"), help="(default: %(default)s)")
    parser.add_argument(
        "--params", type=Path, default=Path("params.yaml"), help="their parameters (default: %(default)s)"
    )
    args = parser.parse_args(arguments)
    check_demo(load_params(args.params))
    metrics = {path.stem: read_json(path) for path in args.metrics.glob("*.json")}
    text = with_table(args.readme.read_text(encoding="utf-8"), metrics)
    with replace_when_done(args.readme) as partial:
        partial.write_text(text, encoding="utf-8")


def quoted(table: Table, model: str, column: int = 0) -> str:
    """What the paper's table prints for a model, without the percent sign."""
    (row,) = [row for row in table.rows if row.model == model]
    interval = row.intervals[column] if row.intervals else None
    return f"{row.values[column]:g}" + (f" ± {interval:g}" if interval is not None else "")


def beside_random(share: float, random: float) -> str:
    """An accuracy or an error beside that of random weights."""
    return f"{percent(share, 1)} (random weights: {percent(random, 1)})"


def accuracy(m: Metrics, name: str) -> str:
    """Table 1."""
    return beside_random(1 - m[name]["error"], 1 - m[name]["random_weights_error"])


def windows_row(m: Metrics) -> str:
    """Figure 6, and how far its classifier is to be trusted."""
    w = m["windows_bedrooms"]
    return (
        f"{percent(w['share_with_window'], 1)} / {percent(w['share_with_window_without_maps'], 1)} (as many random "
        f"maps dropped: {percent(w['share_with_window_without_random_maps'], 1)}); the classifier is right in "
        f"{percent(m['classifier_windows_bedrooms']['image_accuracy'], 1)} of real images it never saw"
    )


def arithmetic_row(m: Metrics) -> str:
    """Figure 7, and how far its classifier is to be trusted."""
    a, classifier = m["arithmetic_faces"], m["classifier_faces_faces"]
    right = sorted(100 * classifier[f"{attribute}_accuracy"] for attribute in ("glasses", "smile", "long_hair"))
    return (
        f"{percent(a['mean_success'], 1)} / {percent(a['single_success'], 1)} (chance: {percent(a['chance'], 1)}); the "
        f"classifier is right in {right[0]:.1f} to {right[-1]:.1f} %"
    )


def turn_row(m: Metrics) -> str:
    """Figure 8, and how far its classifier is to be trusted."""
    return (
        f"{percent(m['turn_faces']['monotone_share'], 1)} (along a random direction: "
        f"{percent(m['turn_faces']['monotone_share_random_direction'], 1)}); the classifier is off by "
        f"{m['classifier_faces_faces']['pose_mean_error_degrees']:.1f} degrees on average"
    )


def duplicates(m: Metrics) -> str:
    """Section 4.1.1."""
    truth = m["duplicates_truth"]
    return (
        f"{percent(m['duplicates']['share_removed'], 1)} of the images: {percent(truth['recall'], 1)} of the planted "
        f"ones, {percent(truth['precision'], 1)} of the removed are planted"
    )


ROWS: tuple[tuple[str, str, Callable[[Metrics], str]], ...] = (
    ("section 4.1.1: near-duplicates removed", "9.1 % of LSUN", duplicates),
    (
        "section 4.2: faces found",
        "350,000 in 3 million photos",
        lambda m: f"{m['faces']['n_kept']:,} in {m['faces']['n_photos']:,} photos",
    ),
    ("Table 1: features + L2-SVM, all labels", f"{quoted(TABLE_1, DCGAN)} %", lambda m: accuracy(m, "svm_cifar10")),
    (
        "Table 1: features + L2-SVM, few labels a class",
        f"{quoted(TABLE_1, DCGAN, 1)} %",
        lambda m: accuracy(m, "svm_cifar10_few"),
    ),
    (
        "Table 1: 1-layer K-means, all labels / few",
        f"{quoted(TABLE_1, KMEANS)} / {quoted(TABLE_1, KMEANS, 1)} %",
        lambda m: " / ".join(percent(m[f"svm_kmeans_cifar10{few}"]["accuracy"], 1) for few in ("", "_few")),
    ),
    (
        "Table 2: features + L2-SVM, 1,000 labels, error",
        f"{quoted(TABLE_2, DCGAN)} %",
        lambda m: beside_random(m["svm_svhn"]["error"], m["svm_svhn"]["random_weights_error"]),
    ),
    (
        "Table 2: supervised CNN, error",
        f"{quoted(TABLE_2, 'supervised CNN, same architecture')} %",
        lambda m: percent(m["supervised_cnn"]["error"], 1),
    ),
    (
        "Table 3: 1-NN on real digits / on DCGAN samples, error",
        f"{quoted(TABLE_3, 'real data')} / {quoted(TABLE_3, 'DCGAN')} %",
        lambda m: " / ".join(percent(m["neighbours_mnist"][key], 1) for key in ("real_error", "error")),
    ),
    (
        "Table 3: 1-NN on samples of a fully connected GAN, error",
        f"{quoted(TABLE_3, 'GAN, fully connected')} %",
        lambda m: percent(m["neighbours_mnist_dense"]["error"], 1),
    ),
    ("Figure 6: samples with a window, before / after", "shown", windows_row),
    ("Figure 7: arithmetic succeeds, mean of 3 z / single z", 'shown / "unstable"', arithmetic_row),
    ("Figure 8: faces that turn steadily", "shown", turn_row),
    (
        "section 4.1: samples that copy a training image",
        "none seen",
        lambda m: (
            f"{percent(m['nearest_bedrooms']['pixels_closer_share'], 1)} "
            f"(held-out real images: {percent(m['nearest_bedrooms']['pixels_closer_share_real'], 1)})"
        ),
    ),
)


def table(metrics: Metrics) -> list[str]:
    """The lines of the table; raises InputError where a metric that it needs is missing."""
    try:
        return [*HEAD, *(f"| {what} | {published} | {ours(metrics)} |" for what, published, ours in ROWS)]
    except KeyError as error:
        raise InputError(f"README's table: no {error} among the metrics of this run") from error


def with_table(readme: str, metrics: Metrics) -> str:
    """README with its table renewed; raises InputError where it has none."""
    lines = readme.split("\n")
    if HEAD[0] not in lines:
        raise InputError(f"README.md: no line {HEAD[0]!r}")
    first = lines.index(HEAD[0])
    after = next((at for at in range(first, len(lines)) if not lines[at].startswith("|")), len(lines))
    return "\n".join([*lines[:first], *table(metrics), *lines[after:]])


if __name__ == "__main__":
    run_stage(main)
