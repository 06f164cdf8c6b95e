"""What the figures of params.yaml ask of a person: boxes, and how many samples of which concept.

Input: parameters. Output: one `AnnotationTask` per file of annotations that a figure rests on
(workflow/annotation/file.py).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from pathlib import Path

from dcgan.internals.concepts import LEFT, RIGHT, describe
from workflow.annotation.file import Annotations, Drawing, missing_exemplars
from workflow.params.figures import ArithmeticFigure, TurnFigure, WindowsFigure, by_hand
from workflow.params.sections import Params

FigureByHand = WindowsFigure | ArithmeticFigure | TurnFigure


@dataclass(frozen=True)
class AnnotationTask:
    """What one network's figures need, and in which file."""

    network: str
    path: Path
    drawing: Drawing
    boxes: bool
    concepts: dict[str, int]

    def missing(self, annotations: Annotations) -> list[str]:
        """What has still to be annotated, a line each."""
        lines = ["no window is boxed"] if self.boxes and not annotations.boxes else []
        return [*lines, *missing_exemplars(self.concepts, annotations)]


def annotation_tasks(params: Params) -> list[AnnotationTask]:
    """One per file of annotations that figures of params.yaml rest on."""
    figures: dict[tuple[str, str], list[FigureByHand]] = {}
    for kind in (params.figures.windows, params.figures.arithmetic, params.figures.turn):
        for network, section in kind.items():
            if by_hand(section.annotator):
                figures.setdefault((network, section.annotator), []).append(section)
    return [task(network, Path(path), sections, params.run.seed) for (network, path), sections in figures.items()]


def task(network: str, path: Path, sections: Sequence[FigureByHand], seed: int) -> AnnotationTask:
    """What figures need of the same samples: the largest number of everything."""
    samples = max(one.samples if isinstance(one, WindowsFigure) else one.candidates for one in sections)
    drawing = Drawing(seed=seed, samples=samples, statistics_batches=max(one.statistics_batches for one in sections))
    boxes = any(isinstance(one, WindowsFigure) for one in sections)
    return AnnotationTask(network, path, drawing, boxes, dict(reduce(or_, map(concepts_of, sections))))


def concepts_of(section: FigureByHand) -> Counter[str]:
    """The concepts of a figure and how many samples of each it takes."""
    if isinstance(section, WindowsFigure):
        return Counter()
    if isinstance(section, TurnFigure):
        return Counter(dict.fromkeys((LEFT, RIGHT), section.exemplars))
    terms = [term for one in section.sums for term in (one.plus, one.minus, one.other)]
    return Counter(dict.fromkeys(map(describe, terms), section.exemplars))
