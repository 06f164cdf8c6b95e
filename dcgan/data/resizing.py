"""The paper's resize rule: the shorter side is brought to a size, then the centre is cropped out (section 4).

Bilinear in two forms:

- without antialiasing, as the published code does (`cv2.resize`, INTER_LINEAR): each output pixel mixes 2 x 2 input
  pixels and skips those between;
- with antialiasing (a triangle filter whose width grows with the reduction), as Pillow and torchvision do.

With antialiasing, plain averaging (for a JPEG in the decoder) may first halve the image, as long as its shorter side
stays `reducing_gap` times the wanted size (name and meaning are Pillow's). Measured on photos of 256 x 256 brought to
64, mean difference, of 255, from the triangle filter over all pixels: 0.7 with a gap of 2, 2.3 with a gap of 1 (no
filter is left then), 5.1 without antialiasing.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from dcgan.core.pixels import Images


@dataclass(frozen=True, kw_only=True)
class Resampling:
    """Bilinear with or without antialiasing; reducing_gap: None to filter every pixel, or at least 1.

    Raises ValueError for a gap without antialiasing, which needs the pixels of the whole image.
    """

    antialias: bool
    reducing_gap: float | None

    def __post_init__(self) -> None:
        if self.reducing_gap is not None and not (self.antialias and self.reducing_gap >= 1):
            raise ValueError("a reducing gap needs antialiasing and is at least 1")

    def enough_side(self, size: int) -> int | None:
        """The least shorter side, in pixels, that `fit` needs for an output of `size`; None: all pixels."""
        return None if self.reducing_gap is None else math.ceil(self.reducing_gap * size)


FINE = Resampling(antialias=True, reducing_gap=None)
FAST = Resampling(antialias=True, reducing_gap=1)


def resized_shape(height: int, width: int, size: int) -> tuple[int, int]:
    """Height and width after the shorter side is brought to `size`, the longer rounded to the nearest pixel."""
    shorter = min(height, width)
    return (2 * height * size + shorter) // (2 * shorter), (2 * width * size + shorter) // (2 * shorter)


@dataclass(frozen=True)
class Reduced:
    """An image at 1 / factor of its size: pixels (ceil(height / factor), ceil(width / factor), C) uint8.

    height, width: of the whole image, from which all geometry is computed. The last row and column may stand for less
    than `factor` pixels of it.
    """

    pixels: Images
    height: int
    width: int
    factor: int = 1

    def is_at(self, factor: int, shape: tuple[int, int]) -> bool:
        """Whether the pixels are exactly `factor` times as many as (height, width)."""
        wanted = factor * self.factor
        return (self.height, self.width) == (wanted * shape[0], wanted * shape[1])


def whole(image_uint8: Images) -> Reduced:
    """An image at its full size: (H, W, C)."""
    return Reduced(image_uint8, *image_uint8.shape[:2])


def fit(image_uint8: Images, size: int, resampling: Resampling) -> Images:
    """image_uint8: (H, W, C) -> (size, size, C) uint8: shorter side to `size`, centre cropped."""
    return fit_reduced(whole(image_uint8), size, resampling)


def fit_reduced(image: Reduced, size: int, resampling: Resampling) -> Images:
    """The same for an image that may be reduced already, which it is only with antialiasing."""
    image = reduce(image, resampling.enough_side(size))
    shape = resized_shape(image.height, image.width, size)
    if image.is_at(1, shape):
        return centre_crop(image.pixels, size)
    if not resampling.antialias:
        return centre_crop(resize_bilinear(image.pixels, shape), size)
    if image.is_at(2, shape):
        return centre_crop(halve(image.pixels, shape), size)
    return resize_antialiased(image, shape, size)


def reduction(height: int, width: int, enough: int | None) -> int:
    """The largest power of 2 by which the sides can be divided while the shorter one keeps `enough` pixels."""
    factor = 1
    while enough is not None and min(height, width) // (2 * factor) >= enough:
        factor *= 2
    return factor


def reduce(image: Reduced, enough: int | None) -> Reduced:
    """Halves by averaging 2 x 2 pixels as often as the shorter side keeps `enough` pixels.

    An odd last row or column is averaged with itself, so that pixels stay where they are, as in a decoder of JPEG.
    """
    pixels, factor = image.pixels, image.factor
    while factor < reduction(image.height, image.width, enough):
        height, width = pixels.shape[:2]
        if height % 2 or width % 2:
            pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        half = (pixels.shape[1] // 2, pixels.shape[0] // 2)
        pixels = np.asarray(cv2.resize(pixels, half, interpolation=cv2.INTER_AREA), np.uint8)
        pixels, factor = pixels.reshape(half[1], half[0], -1), 2 * factor
    return Reduced(pixels, image.height, image.width, factor)


def centre_crop(image_uint8: Images, size: int) -> Images:
    """image_uint8: (H, W, C) with both sides >= size -> its central (size, size, C)."""
    height, width = image_uint8.shape[:2]
    top, left = (height - size + 1) // 2, (width - size + 1) // 2
    return image_uint8[top : top + size, left : left + size]


def resize_bilinear(image_uint8: Images, shape: tuple[int, int]) -> Images:
    """Bilinear without antialiasing to (height, width)."""
    resized = cv2.resize(image_uint8, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, np.uint8).reshape(*shape, -1)


def halve(image_uint8: Images, shape: tuple[int, int]) -> Images:
    """The triangle filter for a factor of 2, (1 3 3 1) / 8, as (1 2 1) / 4 followed by the mean of two neighbours."""
    blurred = cv2.GaussianBlur(image_uint8, (3, 3), 0, borderType=cv2.BORDER_REPLICATE)
    return resize_bilinear(np.asarray(blurred, np.uint8), shape)


def resize_antialiased(image: Reduced, shape: tuple[int, int], size: int) -> Images:
    """A triangle filter to (height, width), of which only the central (size, size) is computed."""
    top, left = (shape[0] - size + 1) // 2, (shape[1] - size + 1) // 2
    scale_y, scale_x = image.height / shape[0] / image.factor, image.width / shape[1] / image.factor
    box = (left * scale_x, top * scale_y, (left + size) * scale_x, (top + size) * scale_y)
    grey = image.pixels.shape[2] == 1
    resized = Image.fromarray(image.pixels[:, :, 0] if grey else image.pixels).resize(
        (size, size), Image.Resampling.BILINEAR, box=box
    )
    return np.array(resized, dtype=np.uint8).reshape(size, size, -1)
