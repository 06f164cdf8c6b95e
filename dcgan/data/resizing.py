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


def fit(image_uint8: Images, size: int, resampling: Resampling) -> Images:
    """image_uint8: (H, W, C) -> (size, size, C) uint8: shorter side to `size`, centre cropped."""
    image_uint8 = reduce(image_uint8, resampling.enough_side(size))
    height, width = image_uint8.shape[:2]
    shape = resized_shape(height, width, size)
    if (height, width) == shape:
        return centre_crop(image_uint8, size)
    if not resampling.antialias:
        return centre_crop(resize_bilinear(image_uint8, shape), size)
    if abs(height - 2 * shape[0]) <= 1 and abs(width - 2 * shape[1]) <= 1:
        return centre_crop(halve(image_uint8, shape), size)
    return resize_antialiased(image_uint8, shape, size)


def reduce(image_uint8: Images, enough: int | None) -> Images:
    """Halves (H, W, C) by averaging 2 x 2 pixels as often as the shorter side keeps `enough` pixels."""
    while enough is not None and min(image_uint8.shape[:2]) // 2 >= enough:
        shape = ((image_uint8.shape[0] + 1) // 2, (image_uint8.shape[1] + 1) // 2)
        resized = cv2.resize(image_uint8, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
        image_uint8 = np.asarray(resized, np.uint8).reshape(*shape, -1)
    return image_uint8


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


def resize_antialiased(image_uint8: Images, shape: tuple[int, int], size: int) -> Images:
    """A triangle filter to (height, width), of which only the central (size, size) is computed."""
    height, width = image_uint8.shape[:2]
    top, left = (shape[0] - size + 1) // 2, (shape[1] - size + 1) // 2
    scale_y, scale_x = height / shape[0], width / shape[1]
    box = (left * scale_x, top * scale_y, (left + size) * scale_x, (top + size) * scale_y)
    grey = image_uint8.shape[2] == 1
    resized = Image.fromarray(image_uint8[:, :, 0] if grey else image_uint8).resize(
        (size, size), Image.Resampling.BILINEAR, box=box
    )
    return np.array(resized, dtype=np.uint8).reshape(size, size, -1)
