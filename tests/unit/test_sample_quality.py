"""Quality figures on sets whose answer is known."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from dcgan.core.seeding import torch_generator
from dcgan.metrics.sample_quality import all_distances, ball_radii, manifold_scores, sliced_wasserstein


def cloud(n: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(n, 8, generator=torch_generator(seed, "cloud")) + shift


def test_equal_sets_are_at_distance_zero_in_any_order() -> None:
    points = cloud(50, 0)
    shuffled = points[torch.randperm(50, generator=torch_generator(0, "order"))]
    assert sliced_wasserstein(points, shuffled, 100, torch_generator(0, "p")) == pytest.approx(0, abs=1e-6)


def test_a_shift_is_measured_as_the_mean_projection_of_the_shift() -> None:
    """A shift by v moves every projection by <v, u>; over random unit u in D dimensions E|<v,u>| = |v| E|u_1|."""
    points, shift = cloud(50, 0), torch.zeros(8)
    shift[0] = 3.0
    unit = torch.nn.functional.normalize(torch.randn(200_000, 8, generator=torch_generator(1, "u")), dim=1)
    expected = 3.0 * unit[:, 0].abs().mean().item()
    measured = sliced_wasserstein(points, points + shift, 20_000, torch_generator(0, "p"))
    assert measured == pytest.approx(expected, rel=0.02)


def test_one_dimension_by_hand() -> None:
    real, fake = torch.tensor([[0.0], [1.0], [5.0]]), torch.tensor([[1.0], [6.0], [2.0]])
    # Sorted: 0 1 5 against 1 2 6: each moved by 1, in either direction of the only line.
    assert sliced_wasserstein(real, fake, 10, torch_generator(0, "p")) == pytest.approx(1.0)


def test_radius_reaches_the_fifth_other_point() -> None:
    line = torch.arange(7, dtype=torch.float32)[:, None]
    assert ball_radii(line)[0].item() == 5 and ball_radii(line)[3].item() == 3


def test_the_same_distribution_scores_high_and_a_far_one_zero() -> None:
    real, same, far = cloud(400, 0), cloud(400, 1), cloud(400, 2, shift=50.0)
    scores = manifold_scores(real, same)
    assert scores["precision"] > 0.8 and scores["recall"] > 0.8 and scores["coverage"] > 0.8
    assert scores["density"] == pytest.approx(1, abs=0.15)
    assert set(manifold_scores(real, far).values()) == {0.0}


def test_a_collapsed_generator_is_precise_but_covers_nothing() -> None:
    real = cloud(400, 0)
    collapsed = real[:1] + 0.01 * cloud(400, 1)
    scores = manifold_scores(real, collapsed)
    assert scores["precision"] > 0.9 and scores["coverage"] < 0.1 and scores["recall"] < 0.1


def test_scores_count_points_in_balls() -> None:
    """Against the definitions, pair by pair, for sets of unequal size of which each lies partly beside the other."""
    real, fake = cloud(30, 0), torch.cat([0.7 * cloud(14, 1, shift=1.0), cloud(6, 2, shift=9.0)])
    real_radii, fake_radii = ball_radii(real), ball_radii(fake)
    in_real = [[bool((f - r).norm() < radius) for f in fake] for r, radius in zip(real, real_radii, strict=True)]
    in_fake = [[bool((f - r).norm() < radius) for r in real] for f, radius in zip(fake, fake_radii, strict=True)]
    expected = {
        "precision": np.mean([any(balls) for balls in zip(*in_real, strict=True)]),
        "recall": np.mean([any(balls) for balls in zip(*in_fake, strict=True)]),
        "density": np.mean([sum(balls) / 5 for balls in zip(*in_real, strict=True)]),
        "coverage": np.mean([any(fakes) for fakes in in_real]),
    }
    assert len(set(expected.values())) == 4, "else one could stand for another"
    assert manifold_scores(real, fake) == pytest.approx(expected)


def test_an_offset_that_both_sets_share_costs_no_digit() -> None:
    """Code units are not below zero and may be large: distances are those of scipy, and copies are at 0."""
    real, fake = cloud(60, 0, shift=3000.0), cloud(40, 1, shift=3000.0)
    expected = cdist(real.double().numpy(), fake.double().numpy())
    np.testing.assert_allclose(all_distances(real, fake).numpy(), expected, rtol=1e-12)
    own = np.sort(cdist(real.double().numpy(), real.double().numpy()), axis=1)
    np.testing.assert_allclose(ball_radii(real).numpy(), own[:, 5], rtol=1e-12)
    assert (all_distances(real, real.clone()).diagonal() == 0).all()
    assert manifold_scores(real, real.clone())["coverage"] == 1


def test_too_few_points_and_unequal_sets_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 5"):
        manifold_scores(cloud(5, 0), cloud(50, 0))
    with pytest.raises(ValueError, match="equal shape"):
        sliced_wasserstein(cloud(5, 0), cloud(6, 0), 1, torch_generator(0, "p"))
    assert np.isfinite(list(manifold_scores(cloud(20, 0), cloud(30, 1)).values())).all()
