"""Patches of real photographs, sensor noise and colours: what makes rendered scenes look less rendered.

The photographs are the two that scikit-learn ships (`load_sample_images`: a temple and a flower, 427 x 640 pixels).
"""

import colorsys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from dcgan.core.pixels import Images
from dcgan.core.seeding import numpy_generator
from dcgan.data.decoding import decode
from demo.any_processor import same_on_any_processor

Colour = tuple[float, float, float]
Floats = npt.NDArray[np.float32]
NOISE_SIDE = 640


def shipped_with_sklearn(name: str) -> Path:
    """A file of `sklearn.datasets`, found without the import, which would take two seconds in every process."""
    package = find_spec("sklearn")
    assert package is not None and package.submodule_search_locations is not None
    return Path(package.submodule_search_locations[0]) / "datasets" / name


@cache
def photographs() -> list[Images]:
    """The natural photographs: two of (427, 640, 3) uint8."""
    return [decode(shipped_with_sklearn(f"images/{name}.jpg").read_bytes()) for name in ("china", "flower")]


@cache
@same_on_any_processor()
def noise_field(seed: int) -> Floats:
    """Noise of unit deviation with the slight blur of a sensor: (640, 640, 3) float32."""
    noise = numpy_generator(seed, "demo", "noise").standard_normal((NOISE_SIDE, NOISE_SIDE, 3), np.float32)
    blurred = cv2.GaussianBlur(noise, (3, 3), 0.6)
    return np.asarray(blurred / blurred.std(), np.float32)


def natural_patch(generator: np.random.Generator, height: int, width: int) -> Images:
    """A random part of a photograph, mirrored and recoloured at random: (height, width, 3) uint8."""
    photo = photographs()[generator.integers(2)]
    # Between a fifth of the photograph (but never enlarged) and the largest part of this shape.
    largest = min(photo.shape[0] / height, photo.shape[1] / width)
    zoom = generator.uniform(max(1.0, 0.2 * largest), largest)
    rows, columns = int(height * zoom), int(width * zoom)
    top = generator.integers(photo.shape[0] - rows + 1)
    left = generator.integers(photo.shape[1] - columns + 1)
    part = cv2.resize(photo[top : top + rows, left : left + columns], (width, height), interpolation=cv2.INTER_AREA)
    if generator.random() < 0.5:
        part = part[:, ::-1]
    gains = generator.uniform(0.6, 1.15, 3).astype(np.float32)
    return np.asarray(np.clip(part[..., generator.permutation(3)] * gains, 0, 255), np.uint8)


def add_noise(image: Floats, sigma: float, generator: np.random.Generator, seed: int) -> Images:
    """image: (H, W, 3) float32 in [0, 255] plus sensor noise of `sigma` grey levels -> (H, W, 3) uint8, rounded."""
    height, width = image.shape[:2]
    field = noise_field(seed)
    top, left = generator.integers(NOISE_SIDE - height + 1), generator.integers(NOISE_SIDE - width + 1)
    noise = field[top : top + height, left : left + width]
    noisy = np.maximum(cv2.scaleAdd(noise, sigma, image), 0)
    return np.asarray(cv2.convertScaleAbs(noisy), np.uint8)


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """A colour in [0, 255] RGB from hue (any, modulo 1), saturation and value in [0, 1]."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return 255 * red, 255 * green, 255 * blue


def random_colour(
    generator: np.random.Generator, saturation: tuple[float, float], value: tuple[float, float]
) -> Colour:
    """A colour of any hue with saturation and value from the given ranges."""
    return hsv(generator.random(), generator.uniform(*saturation), generator.uniform(*value))


def homely_colour(
    generator: np.random.Generator, saturation: tuple[float, float], value: tuple[float, float]
) -> Colour:
    """A colour as homes have them: two in three are warm, and cold ones are paler."""
    if generator.random() < 0.65:
        return hsv(generator.normal(0.08, 0.06), generator.uniform(*saturation), generator.uniform(*value))
    low, high = saturation
    return random_colour(generator, (low, low + 0.75 * (high - low)), value)


def scaled(colour: Colour, factor: float) -> Colour:
    """A colour made lighter or darker, kept within [0, 255]."""
    red, green, blue = (min(255.0, channel * factor) for channel in colour)
    return red, green, blue
