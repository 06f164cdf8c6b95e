"""Pictures of a classifier's errors: against C, labels a class and layers, and the confusion matrix.

Section 5 of the paper prints single numbers; these show what they hang on. Inputs: the table of curves that
`stages/evaluate_svm.py` writes and a confusion matrix. Output: one PNG, the same bytes for the same numbers.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from dcgan.files import replace_when_done

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANELS = {"cost": ["cost"], "labels": ["labels"], "layers": ["alone", "cumulative"]}
STYLE = {"trained": "#1f5fa8", "random": "#b06a1c", "alone": "#7a7a7a", "cumulative": "#1f5fa8"}


def draw_errors(
    path: Path, curves: pd.DataFrame, counts: npt.NDArray[np.int64], classes: list[str], title: str
) -> None:
    """curves: columns curve, weights, x, accuracy, interval; counts: (classes, classes), rows are the truth."""
    # Only figures need matplotlib: the library works without it.
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(9.6, 7.6), dpi=100, layout="constrained")
    figure.suptitle(title)
    panels = {name: curves[curves.curve.isin(kinds)] for name, kinds in PANELS.items()}
    draw_lines(axes[0, 0], panels["cost"], "weights", "C", "validation accuracy")
    draw_lines(axes[0, 1], panels["labels"], "weights", "labels a class", "test accuracy")
    draw_lines(axes[1, 0], panels["layers"], "curve", "convolutional layer, from the image upwards", "test accuracy")
    draw_confusion(axes[1, 1], counts, classes)
    for axis in (axes[0, 0], axes[0, 1]):
        axis.set_xscale("log")
    for axis, name in ((axes[0, 1], "labels"), (axes[1, 0], "layers")):
        points = sorted(set(panels[name].x))
        axis.minorticks_off()
        axis.set_xticks(points, [f"{x:g}" for x in points])
        axis.set_visible(len(points) > 0)
    with replace_when_done(path) as partial:
        # No software or date in the file: the same numbers give the same bytes.
        figure.savefig(partial, format="png", metadata={"Software": None})
    pyplot.close(figure)


def draw_lines(axes: "Axes", curves: pd.DataFrame, group: str, x_label: str, y_label: str) -> None:
    """One line with its 95 % band for each value of the column `group`."""
    for name, line in curves.groupby(group, sort=False):
        color = STYLE[str(name)]
        axes.plot(line.x, line.accuracy, "o-", color=color, label=str(name), markersize=3.5)
        low, high = line.accuracy - line.interval, line.accuracy + line.interval
        axes.fill_between(line.x, low, high, color=color, alpha=0.15, linewidth=0)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(alpha=0.25)
    if len(curves):
        axes.legend(frameon=False)


def draw_confusion(axes: "Axes", counts: npt.NDArray[np.int64], classes: list[str]) -> None:
    """Shares of each true class (rows) that were called so (columns)."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        color = "white" if share > 0.5 else "black"
        axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=6.5, color=color)
    axes.set_xticks(range(len(classes)), classes, rotation=90 if max(map(len, classes)) > 2 else 0)
    axes.set_yticks(range(len(classes)), classes)
    axes.set_xlabel("predicted")
    axes.set_ylabel("truth (share in %)")
