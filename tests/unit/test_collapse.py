"""The end of the game between the two networks is noticed, said, and stops the run or not."""

from dataclasses import replace

import numpy as np
import pytest

from dcgan.training.collapse import Watch, is_suspicious, spread, trouble

WATCH = Watch(action="stop", least_d_loss=0.001, intervals=3, least_spread=1.0)
WELL = {"images": 8, "d_loss": 0.9, "g_loss": 1.2, "spread": 40.0}


def test_spread_is_the_deviation_between_samples_not_within_them() -> None:
    black, white = np.zeros((1, 4, 4, 3), np.uint8), np.full((1, 4, 4, 3), 200, np.uint8)
    assert spread(np.concatenate([black, white])) == 100
    checkered = np.indices((4, 4)).sum(0)[None, :, :, None] % 2 * np.full((7, 1, 1, 3), 255)
    assert spread(checkered.astype(np.uint8)) == 0


def test_equal_samples_of_each_class_do_not_differ() -> None:
    """Ten digits, each always the same one, are a collapse."""
    digits = np.arange(0, 200, 20, dtype=np.uint8)[np.arange(64) % 10]
    images = np.tile(digits[:, None, None, None], (1, 4, 4, 1))
    assert spread(images, 10) == 0 < spread(images)


@pytest.mark.parametrize("collapsed", [0, 1, 3])
def test_one_class_that_has_collapsed_lowers_the_spread_by_its_share(collapsed: int) -> None:
    """Four classes in turn, half black and half of grey 200, a variance of 100^2 each; one class is all black."""
    images = np.zeros((32, 4, 4, 3), np.uint8)
    images[16:] = 200
    images[collapsed::4] = 0
    assert spread(images, 4) == pytest.approx(100 * (3 / 4) ** 0.5)


def test_a_discriminator_that_has_won_is_seen_between_rows_of_the_generator() -> None:
    lost, generator_only = WELL | {"d_loss": 0.0002}, {"images": 8, "g_loss": 9.0, "spread": 30.0}
    assert "the discriminator has won" in str(trouble([generator_only, lost] * 3, WATCH))


def test_a_healthy_run_is_left_alone() -> None:
    assert trouble([WELL] * 9, WATCH) is None and not is_suspicious(WELL, WATCH)


def test_a_discriminator_that_wins_for_long_has_won() -> None:
    lost = WELL | {"d_loss": 0.0002}
    assert is_suspicious(lost, WATCH)
    assert trouble([WELL, lost, lost], WATCH) is None, "it may be a moment"
    assert trouble([lost, lost, WELL], WATCH) is None
    assert "the discriminator has won" in str(trouble([WELL, lost, lost, lost], WATCH))
    assert trouble([lost] * 3, replace(WATCH, least_d_loss=0.0)) is None


def test_rows_of_the_generator_alone_say_nothing_of_the_discriminator() -> None:
    generator_only = {"images": 8, "g_loss": 0.5, "spread": 30.0}
    assert trouble([generator_only] * 5, WATCH) is None and not is_suspicious(generator_only, WATCH)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none(value: float) -> None:
    assert "diverged: g_loss" in str(trouble([WELL, WELL | {"g_loss": value}], WATCH))


def test_equal_samples() -> None:
    assert "collapsed" in str(trouble([WELL | {"spread": 0.2}], WATCH))
