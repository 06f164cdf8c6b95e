"""Nearest images: by hand, in blocks, and a copy is at 0."""

import numpy as np
import pytest

from dcgan.core.seeding import numpy_generator
from dcgan.internals import nearest_images
from dcgan.internals.nearest_images import mean_distance, nearest, pixel_distances


def random_images(name: str, n: int) -> np.ndarray:
    return numpy_generator(1, name).integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)


def test_pixel_distance_is_the_root_of_the_mean_square() -> None:
    black, white = np.zeros((1, 2, 2, 3), np.uint8), np.full((1, 2, 2, 3), 255, np.uint8)
    half = white.copy()
    half[:, 0] = 0
    expected = [0, 255, 255 / 2**0.5]
    assert pixel_distances(black, np.concatenate([black, white, half])).tolist() == [pytest.approx(expected, abs=1e-3)]


def test_bright_images_that_hardly_differ_keep_their_distance() -> None:
    """By products of float32 alone, without a common centre, these would be at 0 or at several grey levels."""
    bright = np.full((2, 64, 64, 3), 250, np.uint8)
    bright[1, 0, 0, 0] = 251
    expected = (1 / bright[0].size) ** 0.5
    assert pixel_distances(bright, bright)[0, 1] == pytest.approx(expected, rel=1e-3)
    assert mean_distance(bright) == pytest.approx(expected, rel=1e-3)


def test_nearest_agrees_with_brute_force_in_any_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, references = random_images("queries", 10), random_images("references", 57)
    differences = queries[:, None].astype(float) - references[None]
    exact = np.sqrt((differences**2).mean(axis=(2, 3, 4)))
    for block in (4, 57, 1000):
        monkeypatch.setattr(nearest_images, "BLOCK_ROWS", block)
        found = nearest(queries, references, np.arange(57), 3)
        assert np.array_equal(found.numbers, np.argsort(exact, axis=1, kind="stable")[:, :3])
        assert np.allclose(found.distances, np.sort(exact, axis=1)[:, :3], rtol=1e-6)


def test_a_copy_is_told_from_an_image_that_differs_by_one_grey_level_in_one_pixel() -> None:
    """Black and white images beside them leave no middle that all are near: float32 loses their last digits."""
    noise = numpy_generator(1, "noise").integers(0, 30, (40, 64, 64, 3), dtype=np.uint8)
    references = np.where(np.arange(40)[:, None, None, None] % 2, noise, 255 - noise).astype(np.uint8)
    almost = references.copy()
    almost[:, 0, 0, 0] += np.where(almost[:, 0, 0, 0] < 128, 1, -1).astype(np.uint8)
    both = np.concatenate([almost, references])
    found = nearest(references, both, np.arange(80), 1)
    assert found.numbers[:, 0].tolist() == list(range(40, 80)) and not found.distances.any()
    assert np.allclose(np.diag(pixel_distances(references, almost)), (1 / noise[0].size) ** 0.5, rtol=1e-12)


def test_only_the_named_rows_are_searched_and_copies_are_at_zero() -> None:
    references = random_images("references", 20)
    found = nearest(references[:5], references, np.arange(10, 20), 2)
    assert found.numbers.min() >= 10
    assert nearest(references, references, np.arange(20), 1).distances.tolist() == [[0.0]] * 20
    with pytest.raises(ValueError, match="2 nearest of 1"):
        nearest(references, references, np.arange(1), 2)
