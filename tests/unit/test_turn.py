"""Random directions beside the turn vector: each face goes equally far along both, or they are no comparison."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from dcgan.core.pixels import Images
from dcgan.internals.concepts import Floats
from dcgan.internals.figure_layout import Candidates
from dcgan.internals.turn import Turn, TurnSettings
from dcgan.models.networks import Generator
from tests.unit.test_adversarial import SMALLEST

SETTINGS = TurnSettings(
    exemplars=1,
    steps=5,
    span=2.0,
    measured=6,
    shown=1,
    tolerance=0.0,
    least_turn=0.0,
    enlargement=1,
    seed=3,
)
# From -(3, 4, 0, ...) to 0: a turn vector of length 5.
ENDS = torch.tensor([[-3.0, -4.0], [0.0, 0.0]])


class TurnOfLatents(Turn):
    """Notes the latents that it is to draw."""

    left, right = np.array([0]), np.array([1])

    def __init__(self) -> None:
        z = torch.zeros(2, SMALLEST.latent_size)
        z[:, :2] = ENDS
        super().__init__(Generator(SMALLEST), Candidates(z, np.zeros((2, 1, 1, 3), np.uint8)), SETTINGS)
        self.drawn: list[Tensor] = []

    def draw(self, z: Tensor) -> Images:
        """Pictures without content."""
        self.drawn.append(z.unflatten(0, (-1, SETTINGS.steps)))
        return np.zeros((len(z), 1, 1, 3), np.uint8)

    def pose(self, images: Images) -> Floats:
        """No pose."""
        return np.zeros(len(images), np.float32)


def test_random_directions_are_as_long_as_the_turn_vector() -> None:
    turn = TurnOfLatents()
    turn.turn_faces()
    along_vector, elsewhere = turn.drawn
    assert along_vector.shape == elsewhere.shape == (6, 5, 8)
    assert torch.equal(along_vector[:, 2], elsewhere[:, 2]), "the same faces, in the middle of either way"
    for latents in turn.drawn:
        # Span 2 goes over a vector of length 5 twice, in four steps.
        assert (latents[:, -1] - latents[:, 0]).norm(dim=1).tolist() == pytest.approx([10.0] * 6, rel=1e-5)
        assert latents.diff(dim=1).norm(dim=2).flatten().tolist() == pytest.approx([2.5] * 24, rel=1e-5)


def test_poses_are_read_of_the_faces_that_are_measured() -> None:
    """The picture may show more."""
    turn = TurnOfLatents()
    turn.settings = replace(SETTINGS, measured=2, shown=4)
    turned, tracks = turn.turn_faces()
    assert len(turned) == 4 * 5 and {name: poses.shape for name, poses in tracks.items()} == {
        "turned": (2, 5),
        "random_direction": (2, 5),
    }


def test_each_face_has_a_random_direction_of_its_own() -> None:
    turn = TurnOfLatents()
    turn.turn_faces()
    along_vector, elsewhere = (latents[:, -1] - latents[:, 0] for latents in turn.drawn)
    expected = torch.tensor([6.0, 8.0, 0, 0, 0, 0, 0, 0]).expand(6, 8)
    assert torch.allclose(along_vector, expected, atol=1e-5)
    assert torch.pdist(elsewhere).min() > 1 and torch.cdist(elsewhere, expected[:1]).min() > 1
