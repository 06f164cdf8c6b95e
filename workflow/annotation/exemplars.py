"""The samples among which a figure's exemplars are, with a person's annotations of them if that is who chose.

Input: a generator and its file; the figure's annotator, a classifier's file or one of annotations
(workflow/annotation/file.py). Output: samples, drawn with estimated statistics; annotations.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from workflow.annotation.file import Annotations, AnyFigure, annotations_that_fit, drawing_of
from workflow.params.figures import by_hand

if TYPE_CHECKING:
    from dcgan.internals.figure_layout import Candidates
    from dcgan.models.networks import Generator


def draw_annotated(
    generator: "Generator", path: Path, annotator: Path, section: AnyFigure, seed: int
) -> tuple["Candidates", Annotations | None]:
    """The samples of a generator, read from `path`; None for annotations if a classifier is the annotator.

    Annotations say themselves which samples they are of; the figure says it to a classifier, and until a person began.
    """
    from dcgan.internals.figure_layout import draw_candidates

    annotations, drawing = None, drawing_of([section], seed)
    if by_hand(annotator):
        annotations = annotations_that_fit(annotator, path, generator.architecture.image_size, drawing)
        drawing = annotations.drawing
    return draw_candidates(generator, **drawing.model_dump()), annotations
