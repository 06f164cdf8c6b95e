"""Nearest training images: by hand, in blocks, and a copying generator does not get through."""

import numpy as np
import pytest

from dcgan.core.seeding import numpy_generator
from dcgan.internals import memorization
from dcgan.internals.memorization import (
    closer_share,
    code_distances,
    copied_share,
    loneliness,
    memorized,
    nearest,
    pixel_distances,
)


def random_images(name: str, n: int) -> np.ndarray:
    """Images of few degrees of freedom, as real ones are: smooth, from 4x4 random colours."""
    coarse = numpy_generator(1, name).integers(0, 256, (n, 4, 4, 3), dtype=np.uint8)
    return np.repeat(np.repeat(coarse, 4, axis=1), 4, axis=2)


def test_pixel_distance_is_the_root_of_the_mean_square() -> None:
    black, white = np.zeros((1, 2, 2, 3), np.uint8), np.full((1, 2, 2, 3), 255, np.uint8)
    half = white.copy()
    half[:, 0] = 0
    assert pixel_distances(black, np.concatenate([black, white, half])).tolist() == [
        pytest.approx([0, 255, 255 / 2**0.5])
    ]


def test_code_distance_counts_bits() -> None:
    codes = np.array([[0b0000_0000, 0b1111_0000], [0b0000_0001, 0b1111_1111]], np.uint8)
    assert code_distances(codes, codes).tolist() == [[0, 5], [5, 0]]


def test_nearest_agrees_with_brute_force_in_any_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, references = random_images("queries", 10), random_images("references", 57)
    expected = np.argsort(pixel_distances(queries, references), axis=1, kind="stable")[:, :3]
    for block in (4, 57, 1000):
        monkeypatch.setattr(memorization, "BLOCK_ROWS", block)
        found = nearest(queries, references, np.arange(57), 3, pixel_distances)
        assert np.array_equal(found.numbers, expected)
        assert (np.diff(found.distances, axis=1) >= 0).all()


def test_only_the_named_rows_are_looked_at() -> None:
    references = random_images("references", 20)
    found = nearest(references[:5], references, np.arange(10, 20), 2, pixel_distances)
    assert found.numbers.min() >= 10
    with pytest.raises(ValueError, match="2 nearest of 1"):
        nearest(references, references, np.arange(1), 2, pixel_distances)


def test_a_copying_generator_is_caught_and_an_honest_one_is_not() -> None:
    training, held_out = random_images("training", 400), random_images("held out", 200)
    rows = np.arange(400)
    real = nearest(held_out, training, rows, 2, pixel_distances)
    noise = numpy_generator(1, "noise").integers(-6, 7, (200, 16, 16, 3))
    copies = np.clip(training[:200].astype(int) + noise, 0, 255).astype(np.uint8)
    copied = nearest(copies, training, rows, 2, pixel_distances)
    honest = nearest(random_images("honest", 200), training, rows, 2, pixel_distances)
    assert copied_share(copied, real, 0.01) == 1 and closer_share(copied, real, 0.01) == 1
    assert copied_share(honest, real, 0.01) < 0.06 and closer_share(honest, real, 0.01) < 0.06
    assert memorized(copied, real, 0.01) and not memorized(honest, real, 0.01)


@pytest.mark.parametrize(("copies", "verdict"), [(0, False), (5, False), (40, True)])
def test_one_copy_in_ten_is_enough_for_the_verdict_and_one_in_eighty_is_not(copies: int, verdict: bool) -> None:
    training, rows = random_images("training", 400), np.arange(400)
    real = nearest(random_images("held out", 400), training, rows, 2, pixel_distances)
    samples = np.concatenate([training[:copies], random_images("honest", 400 - copies)])
    assert memorized(nearest(samples, training, rows, 2, pixel_distances), real, 0.01) is verdict


def test_blurred_samples_are_near_to_everything_but_copy_nothing() -> None:
    """The distance alone falls with blur; set against the second nearest it does not."""
    training, held_out = random_images("training", 400), random_images("held out", 200)
    rows = np.arange(400)
    real = nearest(held_out, training, rows, 2, pixel_distances)
    blurred = (random_images("others", 200) * 0.2 + 102).astype(np.uint8)
    found = nearest(blurred, training, rows, 2, pixel_distances)
    assert copied_share(found, real, 0.01) > 0.5
    assert closer_share(found, real, 0.01) < 0.06
    assert not memorized(found, real, 0.01)


def test_copies_of_images_that_are_in_the_training_set_twice_are_caught() -> None:
    training, held_out = random_images("training", 200), random_images("held out", 200)
    twice, rows = np.concatenate([training, training]), np.arange(400)
    real = nearest(held_out, twice, rows, 2, pixel_distances)
    copied = nearest(training, twice, rows, 2, pixel_distances)
    assert copied_share(copied, real, 0.01) == 1 and memorized(copied, real, 0.01)
    assert not memorized(nearest(random_images("honest", 200), twice, rows, 2, pixel_distances), real, 0.01)


def test_held_out_images_that_are_also_in_the_training_set_hide_no_copies() -> None:
    training = random_images("training", 400)
    held_out = np.concatenate([training[:6], random_images("held out", 194)])
    rows = np.arange(400)
    real = nearest(held_out, training, rows, 2, pixel_distances)
    copied = nearest(training[:200], training, rows, 2, pixel_distances)
    assert closer_share(copied, real, 0.01) == 1 and memorized(copied, real, 0.01)
    assert closer_share(real, real, 0.01) == 0.03


def test_fewer_copies_than_among_held_out_images_are_no_sign_of_memorization() -> None:
    """The test is one-sided."""
    training, rows = random_images("training", 400), np.arange(400)
    held_out = np.concatenate([training[:100], random_images("held out", 100)])
    real = nearest(held_out, training, rows, 2, pixel_distances)
    assert not memorized(nearest(random_images("honest", 200), training, rows, 2, pixel_distances), real, 0.01)


def test_loneliness_of_equal_neighbours_is_one_and_of_a_copy_zero() -> None:
    found = memorization.Nearest(np.array([[0, 0], [1, 2], [3, 3]], np.float32), np.zeros((3, 2), np.int64))
    assert loneliness(found).tolist() == [0, 0.5, 1]
