"""Faces that turn: random faces moved along the vector from faces that look left to faces that look right.

Paper: section 6.3.2, Figure 8: "we were able to reliably transform their pose". Inputs: samples of a generator, and
what reads a pose: an attribute classifier, in degrees, or exemplars chosen by hand. By hand a pose is how far an image
has come from the mean picture of the left exemplars to that of the right ones, 0 to 1: the choice is the measure.
Outputs: pictures (H, W, 4) uint8, figures by name. Published: pictures.
Differs: batch-norm statistics are estimated: the steps of one face have none of their own.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dcgan.core.pixels import Images, enlarge, tile
from dcgan.core.seeding import torch_generator
from dcgan.internals.attribute_classifiers import FaceClassifier
from dcgan.internals.concepts import LEFT, RIGHT, Floats, Numbers, most_typical
from dcgan.internals.figure_layout import Candidates, above, beside, title
from dcgan.internals.latent_space import along, turn_vector
from dcgan.models.networks import Generator

Steadiness = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class TurnSettings:
    """How faces are turned, measured and drawn."""

    exemplars: int  # that look left, and as many that look right
    steps: int
    span: float  # how often the turn vector fits between the first step and the last
    measured: int  # faces that poses are read of
    shown: int  # faces in the picture
    tolerance: float  # degrees that a step may go back
    least_turn: float  # degrees that a face has to turn
    enlargement: int
    seed: int


class Turn(ABC):
    """Samples of a generator, those among them that look left and right, and what reads a pose."""

    annotated_by: str
    unit: str  # of a pose
    left: Numbers
    right: Numbers
    tolerance: float
    least_turn: float

    def __init__(self, generator: Generator, candidates: Candidates, settings: TurnSettings) -> None:
        self.generator, self.settings = generator, settings
        self.z, self.images = candidates

    @abstractmethod
    def pose(self, images: Images) -> Floats:
        """The pose of each image: (N,), larger for faces that look farther right."""

    def draw(self, z: Tensor) -> Images:
        """Images of latents, each by itself."""
        return self.generator.draw(z)

    def draw_steps(self, faces: Tensor, direction: Tensor) -> Images:
        """Every face at every step, one after the other: (F * steps, H, W, C) uint8."""
        return self.draw(along(faces, direction, self.settings.steps, self.settings.span).flatten(0, 1))

    def turn_faces(self) -> tuple[Images, dict[str, Floats]]:
        """Random faces at every step along the turn vector; poses along it and along random directions, (F, steps)."""
        settings = self.settings
        direction = turn_vector(self.z[self.left], self.z[self.right])
        n_faces = max(settings.measured, settings.shown)
        faces = self.generator.draw_latents(n_faces, torch_generator(settings.seed, "turn", "faces"))
        elsewhere = torch.randn(faces.shape, generator=torch_generator(settings.seed, "turn", "random directions"))
        elsewhere *= direction.norm() / elsewhere.norm(dim=1, keepdim=True)
        turned = self.draw_steps(faces, direction)
        images = {"turned": turned, "random_direction": self.draw_steps(faces, elsewhere)}
        tracks = {name: self.pose(steps).reshape(-1, settings.steps) for name, steps in images.items()}
        return turned, {name: poses[: settings.measured] for name, poses in tracks.items()}

    def outcomes(self, tracks: Mapping[str, Floats]) -> dict[str, Steadiness]:
        """Which faces turn steadily, (F,), in each direction of `turn_faces`."""
        return {name: steady(poses, self.tolerance, self.least_turn) for name, poses in tracks.items()}

    def figures(self, tracks: Mapping[str, Floats]) -> dict[str, Any]:
        """How steadily faces turn in both directions of `turn_faces`, by name."""
        settings = self.settings
        figures = {"annotated_by": self.annotated_by, "faces": settings.measured, "steps": settings.steps}
        for direction, ending in (("turned", ""), ("random_direction", "_random_direction")):
            measured = pose_figures(tracks[direction], self.tolerance, self.least_turn)
            turned = f"turned_{self.unit}"
            figures |= {name.replace("turned", turned) + ending: value for name, value in measured.items()}
        return figures

    def picture(self, turned: Images) -> Images:
        """The two mean faces over the rows of faces that turn."""
        rows = turned[: self.settings.shown * self.settings.steps]
        k = self.settings.enlargement
        latents = torch.stack([self.z[ends].mean(0) for ends in (self.left, self.right)])
        means = [
            title(text, enlarge(image, 2 * k))
            for text, image in zip(("mean left", "mean right"), self.draw(latents), strict=True)
        ]
        return above([beside(means, 24), enlarge(tile(rows, self.settings.steps), k)], 12)

    def unfinished(self, missing: str) -> Images:
        """The names of exemplars that have still to be chosen, over samples to choose from."""
        return title(f"still to be chosen: {missing}", tile(self.images[:50], self.settings.steps))


class ClassifiedTurn(Turn):
    """A classifier finds the samples that look farthest left and right, and reads poses in degrees."""

    annotated_by, unit = "classifier", "degrees"

    def __init__(
        self, generator: Generator, candidates: Candidates, settings: TurnSettings, classifier: FaceClassifier
    ) -> None:
        super().__init__(generator, candidates, settings)
        self.classifier = classifier
        poses = self.pose(self.images)
        self.left, self.right = most_typical(-poses, settings.exemplars), most_typical(poses, settings.exemplars)
        self.tolerance, self.least_turn = settings.tolerance, settings.least_turn

    def pose(self, images: Images) -> Floats:
        """Degrees."""
        poses: Floats = self.classifier.predict(images)[:, -1]
        return poses


class AnnotatedTurn(Turn):
    """Exemplars chosen by hand; the way between the means of their pictures is the scale of poses.

    concepts: numbers of the samples that show each concept, LEFT and RIGHT among them.
    """

    annotated_by, unit = "hand", "share"
    # Shares of the way. A person's scale has no error of its own to allow for.
    tolerance, least_turn = 0.0, 0.0

    def __init__(
        self,
        generator: Generator,
        candidates: Candidates,
        settings: TurnSettings,
        concepts: Mapping[str, Sequence[int]],
    ) -> None:
        super().__init__(generator, candidates, settings)
        self.left, self.right = (
            np.array(concepts.get(end, []), np.int64)[: settings.exemplars] for end in (LEFT, RIGHT)
        )

    def pose(self, images: Images) -> Floats:
        """Share of the way from the mean left picture, 0, to the mean right one, 1, along the line between them."""
        left, right = (self.images[ends].astype(np.float64).mean(0) for ends in (self.left, self.right))
        way = (right - left).ravel()
        poses: Floats = ((images.reshape(len(images), -1) - left.ravel()) @ way / (way @ way)).astype(np.float32)
        return poses


def steady(tracks: Floats, tolerance: float, least_turn: float) -> Steadiness:
    """Which poses grow with every step: (F, steps) -> (F,).

    No step goes back by more than `tolerance`, and the face turns by `least_turn` or more.
    """
    turns = tracks[:, -1] - tracks[:, 0]
    return np.asarray((np.diff(tracks, axis=1) >= -tolerance).all(axis=1) & (turns >= least_turn))


def pose_figures(tracks: Floats, tolerance: float, least_turn: float) -> dict[str, float]:
    """How steadily poses grow along the steps: tracks (F, steps). Monotone: see `steady`."""
    ranks = tracks.argsort(axis=1, kind="stable").argsort(axis=1)
    places = np.arange(tracks.shape[1])
    correlations = [np.corrcoef(row, places)[0, 1] for row in ranks]
    return {
        "monotone_share": float(steady(tracks, tolerance, least_turn).mean()),
        "strictly_monotone_share": float((np.diff(tracks, axis=1) > 0).all(axis=1).mean()),
        "rank_correlation": float(np.mean(correlations)),
        "turned": float((tracks[:, -1] - tracks[:, 0]).mean()),
    }
