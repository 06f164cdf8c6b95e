"""Curves as inline pictures: a CSV of a run becomes the points of an SVG that the report's template draws.

Input: a CSV with a column for the horizontal axis and one for each curve. Output: `Chart` objects, numbers rounded to a
tenth of a unit of the drawing, so that the same CSV gives the same bytes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dcgan.files import InputError

WIDTH, HEIGHT = 420, 240
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 12, 40
TICKS = 5


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: its place in the drawing and its text."""

    place: float
    text: str


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
    horizontal: str
    curves: list[Curve]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def chart(path: Path, title: str, horizontal: str, names: Sequence[str]) -> Chart | None:
    """The named columns of a CSV against its column `horizontal`; None where none of them has a number."""
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable CSV ({error})") from error
    present = [name for name in names if name in table.columns and table[name].notna().any()]
    if horizontal not in table.columns or not present:
        return None
    x_axis = Axis(table[horizontal].to_numpy(np.float64), LEFT, WIDTH - RIGHT)
    y_axis = Axis(table[present].to_numpy(np.float64), HEIGHT - BOTTOM, TOP)
    curves = [draw_curve(table, horizontal, name, x_axis, y_axis) for name in present]
    return Chart(title, horizontal, curves, x_axis.ticks(), y_axis.ticks())


def draw_curve(table: pd.DataFrame, horizontal: str, name: str, x_axis: "Axis", y_axis: "Axis") -> Curve:
    """One column as a polyline; rows without a number are left out."""
    rows = table[[horizontal, name]].dropna()
    pairs = zip(rows[horizontal], rows[name], strict=True)
    points = [f"{x_axis.place(x):.1f},{y_axis.place(y):.1f}" for x, y in pairs]
    # A line from a point to itself is drawn as a dot.
    return Curve(
        name.replace("_", " "), " ".join(points * 2 if len(points) == 1 else points), f"{rows[name].iloc[-1]:.3g}"
    )


class Axis:
    """Maps values to places in the drawing, from round number to round number."""

    def __init__(self, values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], start: float, end: float) -> None:
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        self.step = round_step((high - low) / TICKS) if high > low else max(abs(high), 1.0)
        self.low = math.floor(low / self.step) * self.step
        self.high = max(math.ceil(high / self.step) * self.step, self.low + self.step)
        self.start, self.end = start, end

    def place(self, value: float) -> float:
        """Where a value lies."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[Tick]:
        """Marks at every step."""
        n_steps = round((self.high - self.low) / self.step)
        values = [self.low + number * self.step for number in range(n_steps + 1)]
        return [Tick(round(self.place(value), 1), f"{value:.6g}") for value in values]


def round_step(step: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50 ... that is not smaller."""
    unit = 10.0 ** math.floor(math.log10(step))
    return next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= step * (1 - 1e-9))
