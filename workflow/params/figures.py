"""The sections of `params.yaml` under `figures`: what each figure shows, and how it is drawn."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from workflow.params.types import Count, Enlargement, Name, NotNegative, Positive, Section, Several, Size, Source

# A concept of a sum: attributes that a classifier reads, or a name that a person knows.
Term = dict[str, Literal[0, 1]] | Annotated[str, Field(min_length=1, max_length=100)]


def by_hand(annotator: str | Path) -> bool:
    """Whether a figure rests on a person's annotations (workflow/annotation/file.py), not on a classifier's file."""
    return str(annotator).endswith(".json")


class SamplesFigure(Section):
    """Figures 2 and 3: samples beside real images."""

    images: Source
    count: Several
    columns: Size
    enlargement: Enlargement


class WalkFigure(Section):
    """Figure 4: a walk through z."""

    images: Source
    autoencoder: Source
    points: Annotated[int, Field(ge=2, le=10_000)]
    length: Annotated[int, Field(ge=2, le=10_000)]
    columns: Size
    path: Literal["linear", "spherical"]
    walks: Count
    statistics_batches: Count
    enlargement: Enlargement


class GuidedFigure(Section):
    """Figure 5: guided backpropagation."""

    images: Source
    searched: Count
    layer: Annotated[int, Field(ge=-32, le=32)]
    features: Count
    measured: Count
    strongest: Several
    rectifier: Literal["relu", "leaky", "plain"]
    statistics_batches: Count
    enlargement: Enlargement


class NearestFigure(Section):
    """Samples beside their nearest training images."""

    images: Source
    samples: Count
    shown: Count
    neighbours: Several
    quantile: Annotated[float, Field(gt=0, lt=1)]
    enlargement: Enlargement


class FigureByHand(Section):
    """A figure that rests on a person's annotations or on a classifier."""

    annotator: Source
    statistics_batches: Count
    enlargement: Enlargement


class WindowsFigure(FigureByHand):
    """Figure 6: windows removed."""

    samples: Several
    measured: Several
    draws: Several
    layer: Annotated[int, Field(ge=-32, le=-2)]
    strength: Positive
    shown: Count
    statistics: Literal["batch", "estimated"]


class Sum(Section):
    """One sum of Figure 7."""

    plus: Term
    minus: Term
    other: Term


class ArithmeticFigure(FigureByHand):
    """Figure 7: arithmetic with z."""

    images: Source
    candidates: Count
    pool: Count
    exemplars: Count
    triples: Count
    reach: NotNegative
    learned: Several
    sums: list[Sum]


class TurnFigure(FigureByHand):
    """Figure 8: faces that turn."""

    candidates: Count
    exemplars: Count
    shown: Count
    measured: Several
    steps: Annotated[int, Field(ge=3, le=10_000)]
    span: Positive
    tolerance: NotNegative
    least_turn: NotNegative


class AnimationFigure(Section):
    """Training as a moving picture."""

    frame_milliseconds: Count
    last_frame_milliseconds: Count
    rows: Size
    enlargement: Enlargement


class Figures(Section):
    """All figures, by kind and by network."""

    samples: dict[Name, SamplesFigure]
    animation: dict[Name, AnimationFigure]
    walk: dict[Name, WalkFigure]
    guided: dict[Name, GuidedFigure]
    nearest: dict[Name, NearestFigure]
    windows: dict[Name, WindowsFigure]
    arithmetic: dict[Name, ArithmeticFigure]
    turn: dict[Name, TurnFigure]
