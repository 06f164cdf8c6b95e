"""Curves as inline pictures: columns of a run's CSV become the points of an SVG that the pages' templates draw.

Numbers are rounded to a tenth of a unit of the drawing, so that the same CSV gives the same bytes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workflow.description import Curves

WIDTH, HEIGHT = 420, 240
LEFT, RIGHT, TOP, BOTTOM = 48, 408, 12, 200  # of the plot in the drawing
TICKS = 5
Tick = tuple[float, str]  # its place in the drawing, its text


@dataclass(frozen=True)
class Curve:
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
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    bottom: int = BOTTOM


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
    curves = [
        Curve(name, points(np.interp(one.index, *xs), np.interp(one, *ys)), f"{one.iloc[-1]:.3g}")
        for name, one in series.items()
    ]
    return Chart(title or plan.title, plan.note, plan.axis or plan.horizontal, curves, ticks(*xs), ticks(*ys))


def points(x: np.ndarray, y: np.ndarray) -> str:
    """A polyline; a single point is a line from itself to itself, which is drawn as a dot."""
    found = [f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True)]
    return " ".join(found * 2 if len(found) == 1 else found)


def axis(values: np.ndarray, start: float, end: float) -> tuple[np.ndarray, np.ndarray]:
    """Round numbers around all values, about `TICKS` apart, and their places between start and end of the drawing."""
    low, high = float(values.min()), float(values.max())
    step = round_step((high - low) / TICKS) if high > low else max(abs(high), 1.0)
    first = math.floor(low / step)
    marks = step * np.arange(first, max(math.ceil(high / step), first + 1) + 1)
    return marks, np.linspace(start, end, len(marks))


def ticks(marks: np.ndarray, places: np.ndarray) -> list[Tick]:
    """The marks of an axis as text."""
    return [(round(float(place), 1), f"{mark:.6g}") for mark, place in zip(marks, places, strict=True)]


def round_step(step: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50 ... that is not smaller."""
    unit = 10.0 ** math.floor(math.log10(step))
    return next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= step * (1 - 1e-9))
