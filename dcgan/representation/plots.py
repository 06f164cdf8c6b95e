"""Pictures of a classifier's errors: against C, labels per class and layers, and the confusion matrix.

Section 5 of the paper prints single numbers; these show what they depend on. Inputs: the table of
`dcgan/representation/error_curves.py` and a confusion matrix. Output: one PNG, the same bytes for the same numbers.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from dcgan.core.files import replace_when_done

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Panel:
    """Lines of accuracy: the kinds of curve they come from and the column that distinguishes them."""

    kinds: tuple[str, ...]
    lines: str
    x_label: str
    y_label: str
    log: bool = True
    named_points: bool = True  # a tick for each value of x, and no others


PANELS = (
    Panel(("cost",), "weights", "C", "validation accuracy", named_points=False),
    Panel(("labels",), "weights", "labels per class", "test accuracy"),
    Panel(("alone", "cumulative"), "curve", "convolutional layer, from the image upwards", "test accuracy", log=False),
)
STYLE = {"trained": "#1f5fa8", "random": "#b06a1c", "alone": "#7a7a7a", "cumulative": "#1f5fa8"}


def draw_errors(
    path: Path, curves: pd.DataFrame, counts: npt.NDArray[np.int64], classes: list[str], title: str
) -> None:
    """curves: columns curve, weights, x, accuracy, interval; counts: (classes, classes), rows are the truth."""
    # Only figures need matplotlib: the library works without it.
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    drawn = [panel for panel in PANELS if curves.curve.isin(panel.kinds).any()]
    rows, columns = (2, 2) if len(drawn) == len(PANELS) else (1, len(drawn) + 1)
    size = (4.8 * columns, 3.8 * rows)
    figure, grid = pyplot.subplots(rows, columns, figsize=size, dpi=100, layout="constrained", squeeze=False)
    figure.suptitle(title)
    *lines, confusion = grid.flat
    for axes, panel in zip(lines, drawn, strict=True):
        draw_lines(axes, panel, curves[curves.curve.isin(panel.kinds)])
    draw_confusion(confusion, counts, classes)
    with replace_when_done(path) as partial:
        # No software or date in the file: the same numbers give the same bytes.
        figure.savefig(partial, format="png", metadata={"Software": None})
    pyplot.close(figure)


def draw_lines(axes: "Axes", panel: Panel, curves: pd.DataFrame) -> None:
    """One line with its 95 % band for each value of the panel's column."""
    for name, line in curves.groupby(panel.lines, sort=False):
        color = STYLE[str(name)]
        axes.plot(line.x, line.accuracy, "o-", color=color, label=str(name), markersize=3.5)
        low, high = line.accuracy - line.interval, line.accuracy + line.interval
        axes.fill_between(line.x, low, high, color=color, alpha=0.15, linewidth=0)
    if panel.log:
        axes.set_xscale("log")
    if panel.named_points:
        points = sorted(set(curves.x))
        axes.minorticks_off()
        axes.set_xticks(points, [f"{x:g}" for x in points])
    axes.set_xlabel(panel.x_label)
    axes.set_ylabel(panel.y_label)
    axes.grid(alpha=0.25)
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
