"""Curves as inline pictures: tables of a run become the points of an SVG that the pages' templates draw.

Input: a CSV of results/curves with a column for the horizontal axis and one for each curve, or, where `by` names a
column, a row a point of the curve that it names. Output: `Chart` objects, numbers rounded to a tenth of a unit of the
drawing, so that the same CSV gives the same bytes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

WIDTH, HEIGHT = 420, 240
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 12, 40
TICKS = 5
Values = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True)
class Plan:
    """What is drawn of a stage's CSV, and what a reader should look for in it.

    `by` splits the rows into a curve for each value of a column; `where` keeps the rows with a value in a column.
    """

    title: str
    sees: str
    horizontal: str
    columns: tuple[str, ...]
    by: str | None = None
    where: tuple[str, str] | None = None
    axis: str = ""


@dataclass(frozen=True)
class Series:
    """A curve as numbers."""

    name: str
    x: Values
    y: Values


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
    sees: str
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


TRAINING = (
    Plan(
        "Losses",
        "A discriminator whose loss stays near 0 has won: the generator learns no more.",
        "epoch",
        ("d_loss", "g_loss"),
    ),
    Plan(
        "Probability of being real, as the discriminator sees it",
        "The nearer the two curves are, the harder samples are to tell from real images; 0.5 for both would be a draw.",
        "epoch",
        ("d_real", "d_fake"),
    ),
    Plan(
        "How much samples of the same z differ, in grey levels",
        "A fall towards 0 is a collapse: all samples look alike.",
        "epoch",
        ("spread",),
    ),
)
CURVES: dict[str, tuple[Plan, ...]] = {
    "fit_autoencoder": (
        Plan(
            "Reconstruction error",
            "Held-out images should become as easy as those it learns from; an error that rises again is learning by "
            "heart.",
            "epoch",
            ("loss", "held_out_error"),
        ),
    ),
    "train_dcgan": TRAINING,
    "evaluate_neighbours": (
        Plan(
            "Test error against the number of images that are searched",
            "More samples should help; a generator that has learned the digits comes near to real images.",
            "n",
            ("error",),
            by="source",
            axis="images searched",
        ),
    ),
    "select_supervised_cnn": (
        Plan(
            "Best validation error so far",
            "A curve that is flat at its end has found what this search can find.",
            "trial",
            ("best_so_far",),
        ),
    ),
}
# Further curves that pages draw where no figure of the stage stands beside them.
COMPARED: dict[str, tuple[Plan, ...]] = CURVES | {
    "evaluate_svm": (
        Plan("Accuracy against labels a class", "", "x", ("accuracy",), "weights", ("curve", "labels"), "labels"),
        Plan("Accuracy of all layers up to one", "", "x", ("accuracy",), "weights", ("curve", "cumulative"), "layer"),
    ),
}


def series_of(table: pd.DataFrame, plan: Plan) -> list[Series]:
    """The curves that a plan finds in a table; rows without a number are left out."""
    if plan.where is not None:
        column, value = plan.where
        table = table[table[column] == value] if column in table.columns else table[:0]
    if plan.by is not None and plan.by not in table.columns:
        return []
    groups = table.groupby(plan.by, sort=False) if plan.by else [("", table)]
    found = []
    for group, rows in groups:
        for column in (name for name in plan.columns if {name, plan.horizontal} <= set(rows.columns)):
            numbers = rows[[plan.horizontal, column]].dropna().to_numpy(np.float64)
            name = str(group) if plan.by else column.replace("_", " ")
            found += [Series(name, numbers[:, 0], numbers[:, 1])] if len(numbers) else []
    return found


def chart(plan: Plan, series: Sequence[Series], title: str = "") -> Chart | None:
    """Curves over the same axes; None where there is none."""
    if not series:
        return None
    x_axis = Axis(np.concatenate([one.x for one in series]), LEFT, WIDTH - RIGHT)
    y_axis = Axis(np.concatenate([one.y for one in series]), HEIGHT - BOTTOM, TOP)
    curves = [draw(one, x_axis, y_axis) for one in series]
    horizontal = plan.axis or plan.horizontal
    return Chart(title or plan.title, plan.sees, horizontal, curves, x_axis.ticks(), y_axis.ticks())


def draw(series: Series, x_axis: "Axis", y_axis: "Axis") -> Curve:
    """One curve as a polyline; a single point is a line from itself to itself, which is drawn as a dot."""
    points = [f"{x_axis.place(x):.1f},{y_axis.place(y):.1f}" for x, y in zip(series.x, series.y, strict=True)]
    return Curve(series.name, " ".join(points * 2 if len(points) == 1 else points), f"{series.y[-1]:.3g}")


class Axis:
    """Maps values to places in the drawing, from round number to round number."""

    def __init__(self, values: Values, start: float, end: float) -> None:
        low, high = float(values.min()), float(values.max())
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
