"""The resize rule against plain formulas, OpenCV and torchvision."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import v2

from dcgan.core.pixels import resized
from dcgan.data.preprocessing import Rule, small_crops
from dcgan.data.resizing import FAST, FINE, Resampling, centre_crop, fit, reduce, reduction, resized_shape, whole

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
    for enough, factor, shape in ((64, 4, (64, 76, 3)), (65, 2, (128, 151, 3)), (None, 1, (256, 301, 3))):
        reduced = reduce(whole(smooth(256, 301)), enough)
        assert (reduced.factor, reduced.pixels.shape, reduced.height, reduced.width) == (factor, shape, 256, 301)


def odd_shapes(count: int) -> list[tuple[int, int]]:
    random = np.random.default_rng(5)
    drawn = [(int(height), int(width)) for height, width in random.integers(130, 700, (count, 2))]
    return [(479, 640), (480, 640), (640, 479), (129, 131), *drawn]


def centre_box(shape: tuple[int, int], size: int, factor: int = 1) -> tuple[float, float, float, float]:
    """The central square of an image as a box of the image at 1 / factor of its size: left, top, right, bottom."""
    resized = resized_shape(*shape, size)
    corner = [(side - size + 1) // 2 for side in resized]
    scales = [side / new / factor for side, new in zip(shape, resized, strict=True)]
    (top, left), (bottom, right) = (
        [(at + add) * scale for at, scale in zip(corner, scales, strict=True)] for add in (0, size)
    )
    return left, top, right, bottom


@pytest.mark.parametrize("shape", odd_shapes(12))
@pytest.mark.parametrize("gap", [1, 2])
def test_a_reduced_image_is_cut_where_the_whole_one_is(shape: tuple[int, int], gap: float) -> None:
    """Against Pillow's `draft` (JPEG) and `reduce` (other forms), each followed by a resize with the exact box."""
    # Details of the size of an output pixel: smaller ones differ between filters, larger ones hide a shift.
    image = Image.fromarray(np.asarray(cv2.GaussianBlur(smooth(*shape), (0, 0), min(shape) / 80), np.uint8))
    resampling, rule = Resampling(antialias=True, reducing_gap=gap), {"resample": Image.Resampling.BILINEAR}
    exact = np.asarray(image.resize((64, 64), box=centre_box(shape, 64), **rule)).astype(int)
    factor = reduction(*shape, int(64 * gap))
    for form, reduce_by_pillow in (("JPEG", draft), ("PNG", Image.Image.reduce)):
        encoded = io.BytesIO()
        image.save(encoded, form, quality=97, subsampling=0)
        tested = Rule(size=64, resampling=resampling, min_side=8)
        ours = tested.fit(tested.decode(encoded.getvalue())).astype(int)
        reduced = reduce_by_pillow(Image.open(encoded), factor)
        peer = np.asarray(reduced.resize((64, 64), box=centre_box(shape, 64, factor), **rule)).astype(int)
        assert np.abs(ours - peer).max() <= (1 if form == "JPEG" else 12) and np.abs(ours - peer).mean() < 0.5
        assert np.abs(ours - exact).mean() < (0.6 if gap == 2 else 2)


def draft(image: Image.Image, factor: int) -> Image.Image:
    image.draft("RGB", (image.width // factor, image.height // factor))
    return image


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


@pytest.mark.parametrize("shape", [(28, 28, 1), (64, 64, 3), (32, 32, 4)])
def test_whole_arrays_keep_their_channels(shape: tuple[int, int, int]) -> None:
    images = np.full((2, *shape), 93, np.uint8)
    assert resized(images, 32).shape == (2, 32, 32, shape[2]) and (resized(images, 32) == 93).all()
