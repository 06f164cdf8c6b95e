"""A person's annotations of a generator's samples: boxes around windows, and which samples show a concept.

Paper: sections 6.3.1 (52 boxes on 150 samples) and 6.3.2 (three or four samples per concept, chosen by eye).
Input and output: one JSON file per generator under data/annotations/, which `make annotate` writes. It is work by hand,
so it is kept in git; the stages that draw Figures 6 to 8 depend on it: `dvc.lock` has its digest and both engines run
just these again after a change. `{}`: not annotated yet. Inside: the seed of the samples' z, so that they can be drawn
again, and the digest of the generator, so that boxes never meet another one's samples. `annotation_tasks` tells what
the figures of params.yaml ask of a person, `possible_tasks` what they could ask.
"""

import hashlib
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from dcgan.core.files import InputError, read_json, write_json
from dcgan.internals.concepts import LEFT, RIGHT, describe
from workflow.params.figures import ArithmeticFigure, TurnFigure, WindowsFigure
from workflow.params.figures import by_hand as by_hand  # what a stage asks before it reads the file
from workflow.params.sections import Params
from workflow.params.types import Count, CountOrZero, ImageSize, Section

MAX_BOXES = 10_000
ROUNDING = 1e-6  # of a sum of two numbers that a browser rounded
PUBLISHED_BOXES, PUBLISHED_OF_SUM, PUBLISHED_OF_TURN = 52, 3, 4  # boxes in all; exemplars a concept
PUBLISHED_SAMPLES = 150  # that the boxes are on
FOLDER = "data/annotations"
AnyFigure = WindowsFigure | ArithmeticFigure | TurnFigure
Concept = Annotated[str, Field(min_length=1, max_length=200)]
Place = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Length = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Drawing(Section):
    """Where samples come from: `dcgan.internals.figure_layout.draw_candidates` draws the same ones again."""

    seed: CountOrZero
    samples: Count
    statistics_batches: Count


class SampleBox(Section):
    """A box on one sample, in pixels of it."""

    image: CountOrZero
    x: Place
    y: Place
    width: Length
    height: Length


class Annotations(Section):
    """All annotations of one generator's samples."""

    generator: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    image_size: ImageSize
    drawing: Drawing
    boxes: Annotated[list[SampleBox], Field(max_length=MAX_BOXES)]
    concepts: dict[Concept, list[CountOrZero]]

    @model_validator(mode="after")
    def check(self) -> Self:
        """Raises ValueError for a sample, or a place on one, that does not exist."""
        size, n = self.image_size, self.drawing.samples
        for box in self.boxes:
            if box.image >= n or max(box.x + box.width, box.y + box.height) > size + ROUNDING:
                raise ValueError(f"{box} does not lie on one of {n} samples of {size} x {size} pixels")
        for concept, numbers in self.concepts.items():
            if len(set(numbers)) < len(numbers) or max(numbers, default=0) >= n:
                raise ValueError(f"{concept}: {numbers} are not different numbers of {n} samples")
        return self

    def changed(self, **parts: Any) -> "Annotations":
        """The same with some parts replaced, checked again; raises InputError if they do not fit."""
        return as_annotations({**self.model_dump(), **parts}, "annotations")

    def save(self, path: Path) -> None:
        """Writes the file, whole or not at all."""
        write_json(path, self.model_dump())


class OtherGenerator(InputError):
    """Annotations that were made on the samples of another generator."""


def as_annotations(content: Mapping[str, Any], where: object) -> Annotations:
    """Annotations from a file's or a browser's content; raises InputError with one line for the first thing wrong."""
    try:
        return Annotations.model_validate(content)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(map(str, problem["loc"]))
        raise InputError(f"{where}: {key + ': ' if key else ''}{problem['msg']}") from error


def empty_annotations(generator: Path, image_size: int, drawing: Drawing) -> Annotations:
    """Annotations without a box or a concept, of a generator's file."""
    digest = hashlib.blake2b(generator.read_bytes(), digest_size=16).hexdigest()
    return Annotations(generator=digest, image_size=image_size, drawing=drawing, boxes=[], concepts={})


def read_annotations(path: Path, empty: Annotations) -> Annotations:
    """The annotations of the generator that `empty` is of; `empty` itself if there is no file, or `{}` in it.

    Raises InputError if the file has another form, OtherGenerator if it is of another generator's samples.
    """
    content = read_json(path) if path.exists() else {}
    if not content:
        return empty
    found = as_annotations(content, path)
    if (found.generator, found.image_size) != (empty.generator, empty.image_size):
        raise OtherGenerator(f"{path}: was annotated on samples of another generator")
    return found


def annotations_that_fit(path: Path, generator: Path, image_size: int, drawing: Drawing) -> Annotations:
    """The same for a stage, which takes annotations of another generator's samples for empty and logs that.

    So a generator that was trained again does not stop the pipeline; its figures tell that they need a person.
    """
    empty = empty_annotations(generator, image_size, drawing)
    try:
        return read_annotations(path, empty)
    except OtherGenerator as error:
        print(f"note: {error}; the figure is drawn without annotations", file=sys.stderr)
        return empty


def missing_exemplars(concepts: Mapping[str, int], annotations: Annotations) -> list[str]:
    """A line per concept with too few samples: "looking left: 2 of 4"."""
    counts = {concept: len(annotations.concepts.get(concept, [])) for concept in concepts}
    return [f"{concept}: {counts[concept]} of {n}" for concept, n in concepts.items() if counts[concept] < n]


@dataclass(frozen=True)
class AnnotationTask:
    """What one network's figures need, and in which file; by_hand: whether they rest on that file, or could."""

    network: str
    path: Path
    drawing: Drawing
    boxes: bool
    concepts: dict[str, int]
    plays: list[dict[str, str]] = field(default_factory=list)  # a figure each: concepts by their slots on the page
    by_hand: bool = True

    def goals(self) -> dict[str, Any]:
        """How many boxes, and samples of each concept, the figures cannot do without, and how many the paper had."""
        concepts = [
            {
                "name": concept,
                "needed": n,
                "published": PUBLISHED_OF_TURN if concept in (LEFT, RIGHT) else PUBLISHED_OF_SUM,
            }
            for concept, n in self.concepts.items()
        ]
        boxes = {"needed": 1, "published": PUBLISHED_BOXES} if self.boxes else None
        return {"boxes": boxes, "concepts": concepts}


def annotation_tasks(params: Params) -> list[AnnotationTask]:
    """One per file of annotations that figures of params.yaml rest on."""
    return [task for task in possible_tasks(params) if task.by_hand]


def possible_tasks(params: Params) -> list[AnnotationTask]:
    """One per file that figures rest on; before them, where a classifier annotates, one that they could rest on."""
    figures: dict[tuple[bool, str, str], list[AnyFigure]] = {}
    for kind in (params.figures.windows, params.figures.arithmetic, params.figures.turn):
        for network, section in kind.items():
            hand = by_hand(section.annotator)
            path = section.annotator if hand else f"{FOLDER}/{network}.json"
            figures.setdefault((hand, network, path), []).append(section)
    found = sorted(figures.items(), key=lambda item: item[0][0])
    return [task_of(network, path, of, params.run.seed, by_hand=hand) for (hand, network, path), of in found]


def task_of(network: str, path: str, sections: Sequence[AnyFigure], seed: int, *, by_hand: bool) -> AnnotationTask:
    """What figures of one network need."""
    drawing = drawing_of(sections, seed)
    # A person looks at as many samples as the authors did, a classifier at thousands.
    return AnnotationTask(
        network,
        Path(path),
        drawing if by_hand else drawing.model_copy(update={"samples": min(drawing.samples, PUBLISHED_SAMPLES)}),
        boxes=any(isinstance(one, WindowsFigure) for one in sections),
        concepts=dict(reduce(or_, map(concepts_of, sections))),
        plays=[play for one in sections for play in plays_of(one)],
        by_hand=by_hand,
    )


def drawing_of(sections: Sequence[AnyFigure], seed: int) -> Drawing:
    """The samples of which figures need some: the largest number of everything."""
    samples = max(one.samples if isinstance(one, WindowsFigure) else one.candidates for one in sections)
    return Drawing(seed=seed, samples=samples, statistics_batches=max(one.statistics_batches for one in sections))


def concepts_of(section: AnyFigure) -> Counter[str]:
    """The concepts of a figure and how many samples of each it takes."""
    if isinstance(section, WindowsFigure):
        return Counter()
    if isinstance(section, TurnFigure):
        return Counter(dict.fromkeys((LEFT, RIGHT), section.exemplars))
    terms = [term for one in section.sums for term in (one.plus, one.minus, one.other)]
    return Counter(dict.fromkeys(map(describe, terms), section.exemplars))


def plays_of(section: AnyFigure) -> list[dict[str, str]]:
    """Which concept goes into which slot of the page to play with (explore_state.js), for each picture of a figure."""
    if isinstance(section, WindowsFigure):
        return []
    if isinstance(section, TurnFigure):
        return [{"left": LEFT, "right": RIGHT}]
    terms = [{"a": one.plus, "b": one.minus, "c": one.other} for one in section.sums]
    return [{slot: describe(term) for slot, term in slots.items()} for slots in terms]
