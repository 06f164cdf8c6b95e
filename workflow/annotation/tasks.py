"""What the figures of params.yaml want a person to say about samples: boxes, and how many samples of which concept.

Input: parameters. Output: one `Wanted` for every file of annotations that a figure rests on
(workflow/annotation/file.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dcgan.internals.concepts import LEFT, RIGHT, describe
from workflow.annotation.file import Annotations, Drawing, by_hand, missing_exemplars
from workflow.params.figures import ArithmeticFigure, TurnFigure, WindowsFigure
from workflow.params.sections import Params

FigureByHand = WindowsFigure | ArithmeticFigure | TurnFigure


@dataclass(frozen=True)
class Wanted:
    """What one network's figures want, and in which file."""

    network: str
    path: Path
    drawing: Drawing
    boxes: bool
    concepts: dict[str, int]

    def missing(self, said: Annotations) -> list[str]:
        """What has still to be said, a line each."""
        lines = ["no window is boxed"] if self.boxes and not said.boxes else []
        return [*lines, *missing_exemplars(self.concepts, said)]


def wanted(params: Params) -> list[Wanted]:
    """One for every file of annotations that figures of params.yaml rest on."""
    merged: dict[tuple[str, str], Wanted] = {}
    for network, section in figures_by_hand(params):
        new = wanted_by(network, section, params.run.seed)
        old = merged.get((network, section.annotator))
        merged[network, section.annotator] = merge(old, new) if old else new
    return list(merged.values())


def figures_by_hand(params: Params) -> Iterator[tuple[str, FigureByHand]]:
    """Network and section of every figure that rests on annotations."""
    for sections in (params.figures.windows, params.figures.arithmetic, params.figures.turn):
        for network, section in sections.items():
            if by_hand(section.annotator):
                yield network, section


def wanted_by(network: str, section: FigureByHand, seed: int) -> Wanted:
    """What one figure wants."""
    n_samples = section.samples if isinstance(section, WindowsFigure) else section.candidates
    drawing = Drawing(seed=seed, samples=n_samples, statistics_batches=section.statistics_batches)
    return Wanted(network, Path(section.annotator), drawing, isinstance(section, WindowsFigure), concepts_of(section))


def concepts_of(section: FigureByHand) -> dict[str, int]:
    """The concepts of a figure and how many samples of each it takes."""
    if isinstance(section, TurnFigure):
        return dict.fromkeys((LEFT, RIGHT), section.exemplars)
    if isinstance(section, ArithmeticFigure):
        terms = [term for one in section.sums for term in (one.plus, one.minus, one.other)]
        return dict.fromkeys(map(describe, terms), section.exemplars)
    return {}


def merge(first: Wanted, second: Wanted) -> Wanted:
    """What two figures want of the same samples: the larger number of everything."""
    drawing = Drawing(
        seed=first.drawing.seed,
        samples=max(first.drawing.samples, second.drawing.samples),
        statistics_batches=max(first.drawing.statistics_batches, second.drawing.statistics_batches),
    )
    concepts = {
        concept: max(first.concepts.get(concept, 0), second.concepts.get(concept, 0))
        for concept in [*first.concepts, *second.concepts]
    }
    return Wanted(first.network, first.path, drawing, first.boxes or second.boxes, concepts)
