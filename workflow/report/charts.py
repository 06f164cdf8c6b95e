"""Curves as inline pictures: columns of a run's CSV become the points of an SVG that the pages' templates draw.

Numbers are rounded to a tenth of a unit of the drawing, so that the same CSV gives the same bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from workflow.description import Curves

LEFT, RIGHT, TOP, BOTTOM = 60, 394, 12, 200  # of the plot in a drawing of 420 x 240: around it is room for labels
ROUND = MaxNLocator(5, steps=[1, 2, 5, 10])  # finds about five round numbers around values
Tick = tuple[float, str]  # its place in the drawing, its text


class Curve(NamedTuple):
    """One line: its name, the points of its polyline, and its last value."""

    name: str
    points: str
    last: str


@dataclass(frozen=True)
class Chart:
    """Curves that share their axes."""

    title: str
    note: str
    horizontal: str
    curves: list[Curve]
    x_ticks: list[Tick]
    y_ticks: list[Tick]


def series_of(table: pd.DataFrame, plan: Curves) -> dict[str, pd.Series]:
    """The values of each curve of a plan over its horizontal axis; what the table does not have is left out."""
    for column, value in plan.where.items():
        table = table[table[column] == value] if column in table else table[:0]
    groups = [("", table)] if plan.by is None else table.groupby(plan.by, sort=False) if plan.by in table else []
    found = {}
    for group, rows in groups:
        for column in (name for name in plan.columns if {name, plan.horizontal} <= set(rows)):
            values = rows[[plan.horizontal, column]].dropna().set_index(plan.horizontal)[column]
            if len(values):
                found[str(group) or column.replace("_", " ")] = values
    return found


def chart(plan: Curves, series: Mapping[str, pd.Series], title: str = "") -> Chart | None:
    """Curves over the same axes; None if there are none."""
    if not series:
        return None
    xs = axis(np.concatenate([one.index for one in series.values()]), LEFT, RIGHT)
    ys = axis(np.concatenate(list(series.values())), BOTTOM, TOP)
    curves = []
    for name, one in series.items():
        points = [f"{x:.1f},{y:.1f}" for x, y in zip(np.interp(one.index, *xs), np.interp(one, *ys), strict=True)]
        # A single point is a line from itself to itself, which is drawn as a dot.
        curves.append(Curve(name, " ".join(points * 2 if len(points) == 1 else points), f"{one.iloc[-1]:.3g}"))
    return Chart(title or plan.title, plan.note, plan.axis or plan.horizontal, curves, ticks(*xs), ticks(*ys))


def axis(values: np.ndarray, start: float, end: float) -> tuple[np.ndarray, np.ndarray]:
    """Round numbers around all values, and their places between start and end of the drawing."""
    low, high = values.min(), values.max()
    marks = np.array(ROUND.tick_values(low, high if high > low else low + max(abs(low), 1.0)))
    return marks, np.linspace(start, end, len(marks))


def ticks(marks: np.ndarray, places: np.ndarray) -> list[Tick]:
    """The marks of an axis as text."""
    return [(round(float(place), 1), f"{mark:.6g}") for mark, place in zip(marks, places, strict=True)]
