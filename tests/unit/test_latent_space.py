"""Moving about in the latent space, against what can be worked out by hand."""

import numpy as np
import pytest
import torch

from dcgan.core.seeding import torch_generator
from dcgan.internals.latent_space import (
    along,
    arithmetic,
    interpolate,
    largest_share,
    neighbourhood,
    roughness,
    step_lengths,
    turn_vector,
    walk,
)


def test_linear_interpolation_passes_through_its_ends_and_the_middle() -> None:
    start, end = torch.tensor([0.0, 2.0]), torch.tensor([4.0, 0.0])
    points = interpolate(start, end, torch.tensor([0.0, 0.5, 1.0]), "linear")
    assert points.tolist() == [[0, 2], [2, 1], [4, 0]]


def test_spherical_interpolation_of_a_right_angle_stays_on_the_circle() -> None:
    start, end = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 3.0])
    points = interpolate(start, end, torch.linspace(0, 1, 7), "spherical")
    assert torch.allclose(points.norm(dim=1), torch.full((7,), 3.0), atol=1e-5)
    assert torch.allclose(points[3], torch.tensor([3.0, 3.0]) / 2**0.5, atol=1e-5)


def test_spherical_interpolation_of_parallel_latents_is_linear() -> None:
    start = torch.tensor([1.0, 2.0, 3.0])
    points = interpolate(start, 2 * start, torch.tensor([0.0, 0.5, 1.0]), "spherical")
    assert torch.allclose(points, torch.stack([start, 1.5 * start, 2 * start]))


@pytest.mark.parametrize(
    ("start", "end"), [((0, 0), (2, 4)), ((2, 4), (0, 0)), ((0, 0), (0, 0)), ((2, 4), (-2, -4)), ((2, 4), (2, 4))]
)
def test_spherical_interpolation_is_straight_where_no_great_circle_is_the_only_one(
    start: tuple[float, float], end: tuple[float, float]
) -> None:
    ends = torch.tensor([start, end], dtype=torch.float32)
    points = interpolate(ends[0], ends[1], torch.tensor([0.0, 0.5, 1.0]), "spherical")
    assert points.tolist() == torch.stack([ends[0], ends.mean(0), ends[1]]).tolist()


@pytest.mark.parametrize("path", ["linear", "spherical"])
def test_walk_is_one_continuous_strip(path: str) -> None:
    points = torch.randn(9, 100, generator=torch_generator(1, "points"))
    strip = walk(points, 100, path)  # type: ignore[arg-type]
    assert strip.shape == (100, 100)
    assert torch.allclose(strip[0], points[0]) and torch.allclose(strip[-1], points[-1], atol=1e-5)
    steps = (strip[1:] - strip[:-1]).norm(dim=1)
    longest_leg = (points[1:] - points[:-1]).norm(dim=1).max()
    # 99 steps for 8 legs: no step is longer than its share of a leg, so nothing is jumped over. An arc is longer than
    # its chord, by less than pi / 2 here.
    assert steps.max() <= longest_leg * 8 / 99 * (1.001 if path == "linear" else 1.6)


def test_walk_of_one_leg_is_even() -> None:
    strip = walk(torch.tensor([[0.0], [9.0]]), 10, "linear")
    assert torch.allclose(strip[:, 0], torch.arange(10.0))


def test_walk_needs_two_points() -> None:
    with pytest.raises(ValueError, match="at least 2 points"):
        walk(torch.zeros(1, 3), 5, "linear")


def test_roughness_of_an_even_walk_is_one_and_of_one_jump_the_number_of_steps() -> None:
    even = np.arange(11.0)[:, None]
    jump = np.repeat([0.0, 1.0], [5, 6])[:, None]
    assert roughness(even) == pytest.approx(1)
    assert roughness(jump) == pytest.approx(10)
    assert (step_lengths(jump) == 0).sum() == 9
    assert roughness(np.zeros((4, 2))) == 1


def test_the_largest_step_is_a_share_of_the_way_between_points() -> None:
    """Three points, ten steps a leg: an even walk, and one that rests and jumps, with texture that moves a little."""
    at_points = np.array([[0.0], [1.0], [0.0]])
    even = np.concatenate([np.linspace(0, 1, 10, endpoint=False), np.linspace(1, 0, 11)])[:, None]
    jumps = np.repeat([0.0, 1.0, 0.0], [5, 10, 6])[:, None] + 0.01 * np.sin(np.arange(21.0))[:, None]
    assert largest_share(even, at_points) == pytest.approx(0.1)
    assert largest_share(jumps, at_points) == pytest.approx(1, abs=0.03)
    assert largest_share(even, np.zeros((3, 1))) == 0


def test_arithmetic_with_one_and_with_many_triples() -> None:
    plus, minus, other = torch.tensor([[2.0], [4.0]]), torch.tensor([[1.0], [1.0]]), torch.tensor([[0.0], [10.0]])
    assert arithmetic(plus, minus, other).tolist() == [7]
    many = [torch.stack([part, part + 1]) for part in (plus, minus, other)]
    assert arithmetic(*many).tolist() == [[7], [8]]


def test_mean_of_three_uniform_latents_keeps_the_spread_of_one() -> None:
    """Why means of three work: their sum has the variance of a single z, that of single z has three times as much."""
    draws = [torch.empty(20000, 3, 1).uniform_(-1, 1, generator=torch_generator(1, k)) for k in range(3)]
    assert arithmetic(*draws).var().item() == pytest.approx(1 / 3, rel=0.05)
    assert arithmetic(*(part[:, :1] for part in draws)).var().item() == pytest.approx(1, rel=0.05)


def test_neighbourhood_keeps_the_latent_in_the_middle() -> None:
    latent = torch.zeros(5)
    around = neighbourhood(latent, 0.25, 8, torch_generator(1, "around"))
    assert around.shape == (9, 5)
    assert torch.equal(around[4], latent)
    others = around[[0, 1, 2, 3, 5, 6, 7, 8]]
    assert 0.2 < others.abs().max() <= 0.25 and (others != 0).all()


def test_turn_has_the_face_itself_in_the_middle_and_a_whole_turn_between_the_ends() -> None:
    left, right = torch.tensor([[-1.0, 0.0], [-3.0, 0.0]]), torch.tensor([[1.0, 2.0], [3.0, 2.0]])
    direction = turn_vector(left, right)
    assert direction.tolist() == [4, 2]
    faces = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    turned = along(faces, direction, 11, 1.0)
    assert turned.shape == (2, 11, 2)
    assert torch.equal(turned[:, 5], faces)
    assert torch.allclose(turned[:, -1] - turned[:, 0], direction.expand(2, 2))
    own = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    turned = along(faces, own, 11, 2.0)
    assert torch.allclose(turned[:, -1] - turned[:, 0], 2 * own)
