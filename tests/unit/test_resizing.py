"""The resize rule against plain formulas, OpenCV and torchvision."""

import cv2
import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import v2

from dcgan.data.preprocessing import small_crops
from dcgan.data.resizing import FAST, FINE, Resampling, centre_crop, fit, reduce, resized_shape

PAPER = Resampling(antialias=False, reducing_gap=None)


def smooth(height: int, width: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


@pytest.mark.parametrize(
    ("height", "width", "shape"),
    [(256, 341, (64, 85)), (341, 256, (85, 64)), (256, 256, (64, 64)), (100, 103, (64, 66)), (20, 33, (64, 106))],
)
def test_the_shorter_side_gets_the_size(height: int, width: int, shape: tuple[int, int]) -> None:
    assert resized_shape(height, width, 64) == shape


def test_the_central_part_is_kept() -> None:
    image = np.arange(7 * 10, dtype=np.uint8).reshape(7, 10, 1)
    assert np.array_equal(centre_crop(image, 4), image[2:6, 3:7])


def test_without_antialiasing_it_is_the_published_codes_rule() -> None:
    image = smooth(256, 341)
    resized = cv2.resize(image, (85, 64), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(fit(image, 64, PAPER), resized[:, 11:75])


def test_without_antialiasing_a_pixel_is_the_mean_of_the_four_around_its_centre() -> None:
    image = smooth(256, 256)
    four = sum(image[y::4, x::4].astype(float) for y in (1, 2) for x in (1, 2)) / 4
    assert np.abs(fit(image, 64, PAPER) - four).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("shape", [(256, 256), (250, 250), (256, 300), (90, 70), (40, 50)])
def test_with_antialiasing_it_is_torchvisions_rule(shape: tuple[int, int]) -> None:
    image = smooth(*shape)
    height, width = resized_shape(*shape, 64)
    peer = v2.functional.resize(Image.fromarray(image), [height, width], v2.InterpolationMode.BILINEAR, antialias=True)
    difference = np.abs(fit(image, 64, FINE).astype(int) - centre_crop(np.asarray(peer), 64))
    assert difference.max() <= 1


def test_halving_is_the_triangle_filter() -> None:
    image = smooth(128, 128)
    peer = np.asarray(Image.fromarray(image).resize((64, 64), Image.Resampling.BILINEAR)).astype(int)
    difference = np.abs(fit(image, 64, FINE).astype(int) - peer)
    assert difference[1:-1, 1:-1].max() <= 1 and difference.max() <= 12


def test_a_reducing_gap_changes_little() -> None:
    image = np.asarray(cv2.GaussianBlur(smooth(256, 320), (0, 0), 3), np.uint8)
    whole = fit(image, 64, FINE).astype(int)
    for gap, allowed in ((2, 1), (1, 3)):
        assert np.abs(fit(image, 64, Resampling(antialias=True, reducing_gap=gap)) - whole).mean() < allowed


def test_reduction_stops_before_the_image_is_too_small() -> None:
    assert reduce(smooth(256, 301), 64).shape == (64, 76, 3)
    assert reduce(smooth(256, 301), 65).shape == (128, 151, 3)
    assert reduce(smooth(256, 301), None).shape == (256, 301, 3)


def test_a_gap_without_antialiasing_is_no_rule() -> None:
    with pytest.raises(ValueError, match="needs antialiasing"):
        Resampling(antialias=False, reducing_gap=2)
    with pytest.raises(ValueError, match="at least 1"):
        Resampling(antialias=True, reducing_gap=0.5)


@pytest.mark.parametrize("resampling", [PAPER, FINE, FAST])
def test_every_shape_becomes_a_square(resampling: Resampling) -> None:
    for shape in ((64, 64, 3), (63, 200, 3), (7, 9, 3), (1000, 31, 3), (28, 28, 1)):
        image = np.full(shape, 93, np.uint8)
        fitted = fit(image, 32, resampling)
        assert fitted.shape == (32, 32, shape[2]) and (fitted == 93).all()


@pytest.mark.parametrize("side", [32, 64, 128, 48, 96, 16])
def test_small_crops_are_those_of_each_image_alone(side: int) -> None:
    images = np.stack([smooth(side, side, seed) for seed in range(5)])
    assert np.array_equal(small_crops(images), np.stack([fit(image, 32, FAST) for image in images]))
