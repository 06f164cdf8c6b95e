"""A generator that repeats its training images is caught, however it disguises them, and an honest one is not."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from scipy.stats import hypergeom

from dcgan.core.seeding import numpy_generator
from dcgan.internals import memorization
from dcgan.internals.memorization import (
    CHANCE,
    aligned_neighbours,
    copying_p_value,
    distance_ratios,
    hypergeometric_tail,
    mark_copies,
)
from dcgan.internals.nearest_images import Nearest

TRAINING, HELD_OUT, SAMPLES = 600, 200, 100
ROWS = np.arange(TRAINING)


def scenes(name: str, n: int, side: int = 32) -> np.ndarray:
    """Images of a few degrees of freedom, as real ones are: a gradient and some rectangles of random colours."""
    random = numpy_generator(1, name)
    images = np.empty((n, side, side, 3), np.uint8)
    for image in images:
        image[:] = np.linspace(*random.integers(0, 256, (2, 3)), side)[:, None]
        for _ in range(6):
            top, left = random.integers(0, side - 6, 2)
            height, width = random.integers(4, side // 2, 2)
            image[top : top + height, left : left + width] = random.integers(0, 256, 3)
    return images


@pytest.fixture(scope="module")
def training() -> np.ndarray:
    """Random scenes, one in fifty of which has a near-duplicate that de-duplication left in the set."""
    images = scenes("training", TRAINING)
    copies = images[: TRAINING // 50].astype(int) + numpy_generator(1, "left over").integers(-5, 6, (1, 32, 32, 3))
    images[-len(copies) :] = copies.clip(0, 255)
    return images


@pytest.fixture(scope="module")
def real(training: np.ndarray) -> np.ndarray:
    """Ratios of held-out scenes, one in fifty of which is a near-duplicate of a training image, too."""
    held_out = scenes("held out", HELD_OUT)
    held_out[: HELD_OUT // 50] = (training[100 : 100 + HELD_OUT // 50] * 0.98).astype(np.uint8)
    return distance_ratios(aligned_neighbours(held_out, training, ROWS))


def shifted(images: np.ndarray) -> np.ndarray:
    """Each by up to two pixels, its border repeated."""
    random, padded = numpy_generator(1, "shifts"), np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
    corners = random.integers(0, 5, (len(images), 2))
    return np.stack([one[y : y + 32, x : x + 32] for one, (y, x) in zip(padded, corners, strict=True)])


def blurred(images: np.ndarray) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(image, (0, 0), 1.0) for image in images])


def noisy(images: np.ndarray) -> np.ndarray:
    noise = numpy_generator(1, "noise").normal(0, 15, images.shape)
    return (images + noise).clip(0, 255).astype(np.uint8)


def brightened(images: np.ndarray) -> np.ndarray:
    return (images * 0.8 + 40).clip(0, 255).astype(np.uint8)


COPIERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "exact": lambda images: images,
    "shifted": shifted,
    "mirrored": lambda images: images[:, :, ::-1],
    "blurred": blurred,
    "noise": noisy,
    "brightened": brightened,
    "all of it": lambda images: brightened(noisy(blurred(shifted(images)[:, :, ::-1]))),
}


@pytest.mark.parametrize("disguise", COPIERS)
@pytest.mark.parametrize("share", [1.0, 0.3])
def test_a_copying_generator_is_caught(
    training: np.ndarray, real: np.ndarray, disguise: str, share: float, honest: np.ndarray
) -> None:
    """It copies training images that have near-duplicates in the set as well as others."""
    n = int(share * SAMPLES)
    copies = distance_ratios(aligned_neighbours(COPIERS[disguise](training[:n]), training, ROWS))
    ratios = np.concatenate([copies, honest[n:]])
    assert copying_p_value(ratios, real) < CHANCE
    assert mark_copies({"copied": ratios, "real": real}, "real", 0.05)["copied"].mean() > 0.8 * share


@pytest.fixture(scope="module")
def honest(training: np.ndarray) -> np.ndarray:
    return distance_ratios(aligned_neighbours(scenes("honest", SAMPLES), training, ROWS))


def test_an_honest_generator_is_not_accused(real: np.ndarray, honest: np.ndarray) -> None:
    assert copying_p_value(honest, real) > 0.01
    copied = mark_copies({"honest": honest, "real": real}, "real", 0.05)
    assert copied["honest"].mean() < 0.15 and copied["real"].mean() < 0.15


def test_blurred_samples_that_copy_nothing_are_not_accused(training: np.ndarray, real: np.ndarray) -> None:
    """Blur brings an image nearer to everything; the ratio does not fall for it."""
    soft = blurred(blurred(scenes("soft", SAMPLES)))
    assert copying_p_value(distance_ratios(aligned_neighbours(soft, training, ROWS)), real) > 0.01


def test_false_alarms_are_as_rare_as_promised(real: np.ndarray) -> None:
    """Real images against other real images: at a level of 5 %, no more than 5 % of verdicts, give or take chance."""
    random = numpy_generator(1, "halves")
    halves = [np.split(random.permutation(real), 2) for _ in range(400)]
    p_values = np.array([copying_p_value(*both) for both in halves])
    assert (p_values < 0.05).mean() <= 0.08
    assert (p_values < CHANCE).mean() <= 0.005


def test_exact_and_mirrored_copies_are_at_zero_whatever_else_is_in_the_set(training: np.ndarray) -> None:
    for copies in (training[:20], training[:20, :, ::-1]):
        found = aligned_neighbours(copies, training, ROWS)
        assert (found.distances[:, 0] == 0).all()
        assert (distance_ratios(found) == 0).all()


def test_only_the_named_rows_count_and_there_have_to_be_twenty(training: np.ndarray) -> None:
    found = aligned_neighbours(training[:5], training, np.arange(100, 300))
    assert found.numbers.shape == (5, 20)
    assert found.numbers.min() >= 100 and found.numbers.max() < 300
    assert (np.diff(found.distances, axis=1) >= 0).all()
    with pytest.raises(ValueError, match="20 nearest of 19"):
        aligned_neighbours(training[:5], training, np.arange(19))


def test_candidates_are_the_same_in_any_blocks(training: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = memorization.coarse_candidates(training[:9], training, ROWS)
    monkeypatch.setattr(memorization, "BLOCK_ROWS", 77)
    assert np.array_equal(memorization.coarse_candidates(training[:9], training, ROWS), whole)


def test_images_of_other_sizes_and_of_one_channel() -> None:
    for images in (scenes("large", 40, side=64), scenes("grey", 40, side=28)[..., :1]):
        found = aligned_neighbours(images[:6], images, np.arange(40))
        assert found.numbers[:, 0].tolist() == list(range(6))
        assert (found.distances[:, 0] == 0).all()


def test_ratio_by_hand() -> None:
    distances = np.arange(1.0, 21.0, dtype=np.float32)[None]
    found = Nearest(np.concatenate([distances, distances - 1]), np.zeros((2, 20), np.int64))
    assert distance_ratios(found).tolist() == [1 / 12.5, 0.0]


def test_copies_by_hand() -> None:
    """Every second real ratio sets the threshold, 0.5; of the others one of four is below it, of samples one of two."""
    real = np.array([0.5, 0.4, 0.5, 0.6, 0.5, 0.7, 0.5, 0.8])
    copied = mark_copies({"samples": np.array([0.1, 0.9]), "real": real}, "real", 0.05)
    assert copied["samples"].tolist() == [True, False] and copied["real"].tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("count", "marked", "drawn", "total"),
    [
        (0, 3, 5, 20),
        (3, 3, 5, 20),
        (12, 40, 100, 300),
        (40, 40, 100, 300),
        (700, 1000, 10_000, 20_000),
        (8, 18, 10, 20),
    ],
)
def test_the_tail_is_scipys(count: int, marked: int, drawn: int, total: int) -> None:
    expected = hypergeom.sf(count - 1, total, marked, drawn)
    assert hypergeometric_tail(count, marked, drawn, total) == pytest.approx(expected, rel=1e-9)
