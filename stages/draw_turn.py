"""Turns heads: moves faces along the vector from faces looking left to faces looking right (section 6.3.2, Figure 8).

Inputs:  a generator; who finds the faces that look left and right: the classifier of faces, which also measures poses,
or
         annotations by hand (JSON, `make annotate`); `figures.turn.<name>` of params.yaml.
Outputs: a PNG: the mean left face and the mean right face, and five random faces in 11 steps, the middle one as it
         was; a JSON: of how many random faces the pose grows with every step, the mean rank correlation of pose and
         step, how far a head turns, and the same along random directions of the same length. A classifier reads poses
         in degrees. By hand a pose is how far an image has come from the mean of the pictures that look left to that of
         those that look right, 0 to 1: the person's own choice is the measure.
Published: pictures; "we were able to reliably transform their pose".
Differs: batch-norm statistics are estimated: the 11 steps of a face have none of their own.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dcgan.core.files import write_json
from dcgan.core.pixels import Images, enlarge, tile, write_png
from dcgan.core.seeding import torch_generator
from dcgan.internals.attribute_classifiers import FaceClassifier, Floats
from dcgan.internals.concepts import LEFT, RIGHT, Numbers, most_typical
from dcgan.internals.figure_layout import above, beside, draw, draw_candidates, title
from dcgan.internals.latent_space import along, turn_vector
from dcgan.models.networks import Generator
from workflow.annotation.file import Annotations, Drawing, annotations_that_fit, by_hand, missing_exemplars
from workflow.engines.figure_options import figure_parser, section_named
from workflow.engines.stage import load_params, prepare, run_stage
from workflow.params.figures import TurnFigure


def main(arguments: list[str] | None = None) -> None:
    args = figure_parser(__doc__, "generator", "annotator", "figure", "metrics").parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.figures.turn, args.name, "figures.turn")
    seed = params.run.seed

    device = prepare(params.run)
    generator = Generator.from_file(args.generator, device)
    drawing = Drawing(seed=seed, samples=section.candidates, statistics_batches=section.statistics_batches)
    if by_hand(args.annotator):
        said = annotations_that_fit(args.annotator, args.generator, generator.architecture.image_size, drawing)
        turn: Turn = TurnByHand(generator, said, section)
    else:
        turn = ClassifiedTurn(generator, FaceClassifier.from_file(args.annotator), drawing, section)
    if turn.missing:
        write_png(args.figure, title(f"still to be chosen: {turn.missing}", tile(turn.images[:50], section.steps)))
        write_json(args.metrics, {"annotated_by": turn.annotated_by, "missing": turn.missing})
        return
    turned, metrics = turn_faces(turn, section, seed)
    write_png(args.figure, picture(turn, turned, section))
    write_json(args.metrics, metrics)


class Turn(ABC):
    """Samples of a generator, those that look left and right among them, and who reads a pose."""

    annotated_by: str
    left: Numbers
    right: Numbers
    missing = ""

    def __init__(self, generator: Generator, drawing: Drawing) -> None:
        self.generator = generator
        self.z, self.images = draw_candidates(generator, drawing.samples, drawing.statistics_batches, drawing.seed)

    @abstractmethod
    def pose(self, images: Images) -> Floats:
        """The pose of each image: (N,), more to the right being larger."""


class ClassifiedTurn(Turn):
    """A classifier finds the samples that look farthest left and right, and reads poses in degrees."""

    annotated_by = "classifier"

    def __init__(self, generator: Generator, classifier: FaceClassifier, drawing: Drawing, section: TurnFigure) -> None:
        super().__init__(generator, drawing)
        self.classifier = classifier
        poses = self.pose(self.images)
        self.left, self.right = most_typical(-poses, section.exemplars), most_typical(poses, section.exemplars)
        self.tolerance, self.least_turn = section.tolerance, section.least_turn

    def pose(self, images: Images) -> Floats:
        """Degrees."""
        poses: Floats = self.classifier.predict(images)[:, -1]
        return poses


class TurnByHand(Turn):
    """A person has chosen samples; the way between the means of their pictures is the scale of poses."""

    annotated_by = "hand"
    # Of the way. A person's scale has no error of its own to allow for.
    tolerance, least_turn = 0.0, 0.0

    def __init__(self, generator: Generator, said: Annotations, section: TurnFigure) -> None:
        super().__init__(generator, said.drawing)
        self.missing = "; ".join(missing_exemplars(dict.fromkeys((LEFT, RIGHT), section.exemplars), said))
        self.left, self.right = (
            np.array(said.concepts.get(end, []), np.int64)[: section.exemplars] for end in (LEFT, RIGHT)
        )

    def pose(self, images: Images) -> Floats:
        """Share of the way from the mean left picture, 0, to the mean right one, 1, along the line between them."""
        left, right = (self.images[ends].astype(np.float64).mean(0) for ends in (self.left, self.right))
        way = (right - left).ravel()
        poses: Floats = ((images.reshape(len(images), -1) - left.ravel()) @ way / (way @ way)).astype(np.float32)
        return poses


def turn_faces(turn: Turn, section: TurnFigure, seed: int) -> tuple[Images, dict[str, Any]]:
    """Random faces at every step along the turn vector, and how steadily they turn, beside random directions."""
    direction = turn_vector(turn.z[turn.left], turn.z[turn.right])
    n_faces = max(section.measured, section.shown)
    faces = turn.generator.draw_latents(n_faces, torch_generator(seed, "turn", "faces"))
    elsewhere = torch.randn(faces.shape, generator=torch_generator(seed, "turn", "random directions"))
    elsewhere *= direction.norm() / elsewhere.norm(dim=1, keepdim=True)
    turned = draw_steps(turn.generator, faces, direction, section)
    metrics: dict[str, Any] = {"annotated_by": turn.annotated_by, "faces": section.measured, "steps": section.steps}
    for suffix, images in (
        ("", turned),
        ("_random_direction", draw_steps(turn.generator, faces, elsewhere, section)),
    ):
        tracks = turn.pose(images).reshape(-1, section.steps)[: section.measured]
        figures = pose_figures(tracks, turn.tolerance, turn.least_turn)
        metrics |= {f"{name}{suffix}": value for name, value in figures.items()}
    unit = "degrees" if turn.annotated_by == "classifier" else "share"
    return turned, {name.replace("turned", f"turned_{unit}"): value for name, value in metrics.items()}


def draw_steps(generator: Generator, faces: Tensor, direction: Tensor, section: TurnFigure) -> Images:
    """Every face at every step, one after the other: (F * steps, H, W, C) uint8."""
    return draw(generator, along(faces, direction, section.steps, section.span).flatten(0, 1), "estimated")


def pose_figures(tracks: Floats, tolerance: float, least_turn: float) -> dict[str, float]:
    """How steadily poses grow along the steps: tracks (F, steps).

    Monotone: no step goes back by more than `tolerance`, and the face turns by `least_turn` or more.
    """
    steps = np.diff(tracks, axis=1)
    turns = tracks[:, -1] - tracks[:, 0]
    ranks = tracks.argsort(axis=1, kind="stable").argsort(axis=1)
    places = np.arange(tracks.shape[1])
    correlations = [np.corrcoef(row, places)[0, 1] for row in ranks]
    return {
        "monotone_share": float(((steps >= -tolerance).all(axis=1) & (turns >= least_turn)).mean()),
        "strictly_monotone_share": float((steps > 0).all(axis=1).mean()),
        "rank_correlation": float(np.mean(correlations)),
        "turned": float(turns.mean()),
    }


def picture(turn: Turn, turned: Images, section: TurnFigure) -> Images:
    """The two mean faces over the rows of faces that turn."""
    rows = turned[: section.shown * section.steps]
    latents = torch.stack([turn.z[ends].mean(0) for ends in (turn.left, turn.right)])
    means = [
        title(text, enlarge(image, 2 * section.enlargement))
        for text, image in zip(("mean left", "mean right"), draw(turn.generator, latents, "estimated"), strict=True)
    ]
    return above([beside(means, 24), enlarge(tile(rows, section.steps), section.enlargement)], 12)


if __name__ == "__main__":
    run_stage(main)
