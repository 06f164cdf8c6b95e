"""Forgetting windows: boxes to positions, the maps that are found, and that exactly those are dropped."""

import numpy as np
import pytest
import torch

from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.internals.boxes import Box, positions_inside
from dcgan.internals.window_removal import (
    Effect,
    MapWeights,
    effect_figures,
    effect_of,
    effect_outcomes,
    fit_maps,
    images_without,
    layer_number,
    random_maps,
    without_maps,
)
from dcgan.models.architectures import ARCHITECTURES
from dcgan.models.networks import Generator


@pytest.fixture(scope="module")
def generator() -> Generator:
    network = Generator(ARCHITECTURES["demo32"]).initialize(torch_generator(5, "network"))
    network.estimate(2, torch_generator(5, "statistics"))
    return network


def test_a_position_is_inside_when_its_centre_is() -> None:
    inside = positions_inside([Box(1, x=8, y=0, width=12, height=8)], 2, 32, 4)
    assert not inside[0].any()
    # Centres lie at 4, 12, 20, 28: columns 12 (of 8 to 20) and row 4 (of 0 to 8).
    assert np.argwhere(inside[1]).tolist() == [[0, 1]]


def test_boxes_of_an_image_add_up() -> None:
    boxes = [Box(0, 0, 0, 16, 16), Box(0, 16, 16, 16, 16)]
    assert positions_inside(boxes, 1, 32, 2)[0].tolist() == [[True, False], [False, True]]


def test_positions_of_an_image_at_its_own_size_are_its_pixels() -> None:
    inside = positions_inside([Box(0, 3, 4, 5, 6)], 1, 32, 32)[0]
    assert inside.sum() == 30
    assert inside[4:10, 3:8].all()


def test_the_maps_that_fire_on_windows_are_found() -> None:
    random = numpy_generator(1, "maps")
    inside = np.zeros((40, 8, 8), np.bool_)
    inside[:, 2:4, 3:6] = True
    activations = random.normal(1, 0.3, (40, 6, 8, 8))
    activations[:, 1][inside] += 2  # on windows
    activations[:, 4][inside] -= 1  # everywhere but on windows
    fitted = fit_maps(torch.from_numpy(activations), inside, 1.0, random)
    assert fitted.n_inside == 40 * 6
    assert fitted.weights.argmax() == 1 and fitted.weights.argmin() == 4
    assert 1 in fitted.positive and 4 not in fitted.positive
    assert fitted.accuracy is not None and fitted.accuracy > 0.85


def test_accuracy_is_that_on_images_that_were_not_learned_from() -> None:
    """Each image has a map of its own that tells inside from outside; it tells nothing of another image."""
    inside = np.zeros((10, 8, 8), np.bool_)
    inside[:, 2:4, 2:4] = True
    activations = np.zeros((10, 10, 8, 8))
    for image in range(10):
        activations[image, image] = np.where(inside[image], 1.0, -1.0)
    fitted = fit_maps(torch.from_numpy(activations), inside, 10.0, numpy_generator(3, "maps"))
    assert (fitted.weights > 0).all()
    assert fitted.accuracy is not None and fitted.accuracy < 0.6


@pytest.mark.parametrize("seed", range(8))
def test_a_few_small_boxes_give_an_accuracy_or_none(seed: int) -> None:
    """Of two images with a position each, one may have windows only, and nothing can be learned from it."""
    inside = np.zeros((2, 8, 8), bool)
    inside[:, 3, 4] = True
    activations = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    accuracy = fit_maps(activations, inside, 1.0, numpy_generator(seed, "few")).accuracy
    assert accuracy is None or 0 <= accuracy <= 1


def test_random_positions_come_from_images_with_a_box_only() -> None:
    """An image without a box differs in every map; if it were drawn from, the maps would tell it apart."""
    random = numpy_generator(2, "maps")
    inside = np.zeros((20, 4, 4), np.bool_)
    inside[:10, 0, 0] = True
    activations = torch.from_numpy(random.normal(0, 1, (20, 3, 4, 4)))
    activations[10:] = 1e9
    fitted = fit_maps(activations, inside, 1.0, random)
    assert np.abs(fitted.weights).max() > 1e-6


def test_without_boxes_nothing_is_found() -> None:
    fitted = fit_maps(torch.ones(3, 5, 4, 4), np.zeros((3, 4, 4), np.bool_), 1.0, numpy_generator(0, "none"))
    assert fitted.n_inside == 0 and len(fitted.positive) == 0 and fitted.accuracy is None


def test_exactly_the_named_maps_become_zero() -> None:
    activations = torch.rand(2, 5, 3, 3) + 1
    dropped = without_maps(activations, np.array([1, 4]))
    assert (dropped[:, [1, 4]] == 0).all()
    assert torch.equal(dropped[:, [0, 2, 3]], activations[:, [0, 2, 3]])


@pytest.mark.parametrize("layer", [-2, -3])
def test_dropping_no_map_changes_nothing(generator: Generator, layer: int) -> None:
    z = generator.draw_latents(4, torch_generator(1, "z"))
    with torch.no_grad():
        expected = generator(z, statistics="estimated")
    assert torch.equal(images_without(generator, z, layer, np.array([], np.int64), "estimated"), expected)


def test_dropping_all_maps_of_the_last_hidden_layer_leaves_grey(generator: Generator) -> None:
    z = generator.draw_latents(4, torch_generator(1, "z"))
    images = images_without(generator, z, -2, np.arange(32), "estimated")
    assert torch.equal(images, torch.zeros_like(images))


def test_only_hidden_layers_can_lose_maps(generator: Generator) -> None:
    assert [layer_number(generator, layer) for layer in (-3, -2)] == [0, 1]
    for layer in (-1, -4, 2):
        with pytest.raises(ValueError, match="no hidden convolution layer"):
            layer_number(generator, layer)


def test_change_is_a_share_of_the_pixel_range_inside_and_outside() -> None:
    before = np.zeros((2, 2, 2, 3), np.uint8)
    after = before.copy()
    after[0, 0, 0], after[0, 1, 1], after[1] = 255, 51, 51
    windows = np.zeros((2, 2, 2), np.bool_)
    windows[0, 0, 0] = True
    effect = effect_of(before, [after, before], windows, None)
    assert effect.left is None
    assert effect.inside[:, 0].tolist() == [1.0, 0.0] and np.isnan(effect.inside[:, 1]).all()
    assert effect.outside == pytest.approx(np.array([[0.2 / 3, 0.2], [0.0, 0.0]]))


def worlds(left: float, left_by_chance: float, outside: float, n: int = 200) -> dict[str, float | None]:
    """Figures of ten draws in which windows are left, and other pixels change, with these chances."""
    random = numpy_generator(5, "worlds")
    pair = [
        Effect(
            (random.random((10, n)) < share).astype(float),
            random.random((10, n)),
            change + 0.01 * random.random((10, n)),
        )
        for share, change in ((left, outside), (left_by_chance, 0.05))
    ]
    return effect_figures(*pair, random)


def test_windows_forgotten_not_forgotten_and_too_few_samples_to_tell() -> None:
    holds, fails = worlds(0.1, 0.6, 0.03), worlds(0.6, 0.3, 0.09)
    assert 0.4 < holds["windows_difference_low"] < 0.5 < holds["windows_difference_high"]
    assert holds["change_outside_difference_low"] > 0
    assert fails["windows_difference_high"] < 0 and fails["change_outside_difference_high"] < 0
    undecided = worlds(0.45, 0.5, 0.05, n=5)
    assert undecided["windows_difference_low"] < 0 < undecided["windows_difference_high"]


def test_the_range_over_draws_is_told() -> None:
    """One draw of the regression's random positions leaves no window, another leaves all."""
    left = np.array([[0.0, 0, 0, 0], [1, 1, 1, 1]])
    nothing = np.zeros((2, 4))
    figures = effect_figures(
        Effect(left, nothing, nothing), Effect(nothing + 0.5, nothing, nothing), numpy_generator(1, "interval")
    )
    assert figures["share_with_window_without_maps"] == 0.5
    assert figures["share_with_window_without_maps_least"] == 0
    assert figures["share_with_window_without_maps_most"] == 1
    assert figures["windows_difference_low"] == -0.5 and figures["windows_difference_high"] == 0.5


def test_outcomes_are_of_the_images_that_have_something_to_lose() -> None:
    """The first image has no window, the last nothing else."""
    windows = np.zeros((3, 2, 2), np.bool_)
    windows[1, 0], windows[2] = True, True
    left = np.array([[0.0, 1, 0], [0, 0, 1]])
    outside = np.array([[0.1, 0.2, np.nan], [0.3, 0.4, np.nan]])
    found = effect_outcomes(Effect(left, outside, outside), Effect(1 - left, outside, outside / 2), windows)
    assert found["left"].tolist() == [[1, 0], [0, 1]] and found["left_random"].tolist() == [[0, 1], [1, 0]]
    assert found["change"].tolist() == [[0.1, 0.2], [0.3, 0.4]]
    assert found["change_random"].tolist() == [[0.05, 0.1], [0.15, 0.2]]
    by_hand = effect_outcomes(Effect(None, outside, outside), Effect(None, outside, outside), windows)
    assert by_hand.keys() == {"change", "change_random"}
    no_window = effect_outcomes(Effect(left, outside, outside), Effect(left, outside, outside), np.zeros_like(windows))
    assert no_window.keys() == {"change", "change_random"}


def test_as_many_random_maps_as_are_dropped() -> None:
    fitted = MapWeights(np.array([1.0, -1, 2, -1, -1]), 9, None)
    drawn = [random_maps(fitted, numpy_generator(number, "maps")).tolist() for number in range(20)]
    assert all(len(set(maps)) == 2 and maps == sorted(maps) for maps in drawn)
    assert len({tuple(maps) for maps in drawn}) > 3


def test_windows_that_cover_everything_leave_nothing_outside_to_measure() -> None:
    whole = Effect(None, np.zeros((2, 3)), np.full((2, 3), np.nan))
    figures = effect_figures(whole, whole, numpy_generator(1, "interval"))
    assert figures["change_outside_boxes"] == 0 and figures["change_outside_difference_low"] is None
