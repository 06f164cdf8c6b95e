"""The demo's MNIST and SVHN, from the 1,797 real handwritten digits that scikit-learn ships; section 5.2, appendix 8.1.

Train and test never share a source digit: the 1,797 are split before anything else.

Outputs, in one folder:
    mnist/{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz  28 x 28, white on black
    svhn/{train,test}_32x32.mat                            X (32, 32, 3, N) and y (N, 1) uint8, label 10 for 0
"""

from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from dcgan.core.pixels import Images
from dcgan.core.seeding import numpy_generator
from demo.any_processor import same_on_any_processor
from demo.formats import Labels, write_idx, write_svhn_mat
from demo.parallel import render_all
from demo.patches import Colour, Floats, add_noise, natural_patch, random_colour, shipped_with_sklearn

SOURCE_SIDE, SOURCE_MAX, GLYPH_SIDE, GLYPH_MARGIN = 8, 16, 64, 8
MNIST_SIDE, MNIST_DIGIT_PIXELS, SVHN_SIDE = 28, 20, 32
TEST_SHARE = 0.25
LEAST_CONTRAST = 45


@dataclass(frozen=True)
class Glyphs:
    """Smoothly enlarged handwritten digits: (N, 80, 80) float32 ink in [0, 1], and their labels."""

    ink: Floats
    labels: Labels


@cache
@same_on_any_processor()
def load_glyphs() -> Glyphs:
    """All source digits, 8 x 8 enlarged to 64 x 64 with an empty margin of 8."""
    rows = np.loadtxt(shipped_with_sklearn("data/digits.csv.gz"), np.int64, delimiter=",")  # 64 pixels and the label
    images = rows[:, :-1].reshape(-1, SOURCE_SIDE, SOURCE_SIDE).astype(np.float32) / SOURCE_MAX
    margin = (GLYPH_MARGIN, GLYPH_MARGIN)
    ink = [
        np.pad(cv2.resize(image, (GLYPH_SIDE, GLYPH_SIDE), interpolation=cv2.INTER_CUBIC), margin) for image in images
    ]
    return Glyphs(np.stack(ink), rows[:, -1])


def split_sources(seed: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The numbers of the source digits of the train and of the test split; none is in both."""
    order = numpy_generator(seed, "demo", "digits", "split").permutation(len(load_glyphs().labels))
    test = round(TEST_SHARE * len(order))
    return order[test:], order[:test]


def placed(
    glyph: Floats, side: int, digit_pixels: float, centre: tuple[float, float], generator: np.random.Generator
) -> Floats:
    """Draws a glyph with a random turn, slant and size around a centre: (side, side) float32 ink in [0, 1]."""
    angle, slant = np.deg2rad(generator.normal(0, 5)), generator.normal(0, 0.08)
    scale = digit_pixels / GLYPH_SIDE * generator.uniform(0.9, 1.1, 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.array([[1, slant], [0, 1]]) @ np.diag(scale)
    middle = np.full(2, glyph.shape[0] / 2 - 0.5)
    transform = np.column_stack([linear, np.array(centre) - linear @ middle])
    # Smoothed first: the glyph is two to three times as large as its picture.
    ink = cv2.warpAffine(cv2.blur(glyph, (3, 3)), transform, (side, side), flags=cv2.INTER_LINEAR)
    threshold = generator.uniform(0.42, 0.6)
    return np.asarray(np.clip((ink - threshold) / 0.3 + 0.5, 0, 1), np.float32)


def render_mnist(glyph: Floats, generator: np.random.Generator) -> npt.NDArray[np.uint8]:
    """One digit in MNIST's manner: (28, 28) uint8."""
    x, y = MNIST_SIDE / 2 - 0.5 + generator.uniform(-1.5, 1.5, 2)
    return np.rint(255 * placed(glyph, MNIST_SIDE, MNIST_DIGIT_PIXELS, (x, y), generator)).astype(np.uint8)


def draw_colours(generator: np.random.Generator) -> tuple[Colour, Colour]:
    """Draws a wall's and a digit's colour that differ in brightness, either of them the lighter one."""
    while True:
        wall = random_colour(generator, (0.0, 0.7), (0.1, 0.95))
        digit = random_colour(generator, (0.0, 0.7), (0.1, 0.98))
        if abs(np.mean(wall) - np.mean(digit)) >= LEAST_CONTRAST:
            return wall, digit


def render_svhn(glyph: Floats, neighbours: list[Floats], generator: np.random.Generator, seed: int) -> Images:
    """One house number's digit, its neighbours cut off at the sides: (32, 32, 3) uint8."""
    wall, colour = draw_colours(generator)
    rough = natural_patch(generator, SVHN_SIDE, SVHN_SIDE).astype(np.float32)
    share = generator.uniform(0.15, 0.5)
    canvas = np.array(wall, np.float32) + share * (rough - rough.mean(axis=(0, 1)))
    size, middle = generator.uniform(24, 30), SVHN_SIDE / 2 - 0.5
    x, y = middle + generator.uniform(-2, 2, 2)
    ink = placed(glyph, SVHN_SIDE, size, (x, y), generator)
    for side, neighbour in zip((-1, 1), neighbours, strict=True):
        if generator.random() < 0.45:
            beside = (x + side * size * generator.uniform(0.75, 0.95), y + generator.uniform(-1, 1))
            ink = np.maximum(ink, placed(neighbour, SVHN_SIDE, size, beside, generator))
    canvas += ink[..., None] * generator.uniform(0.75, 1.0) * (np.array(colour, np.float32) - canvas)
    slope = np.linspace(-1, 1, SVHN_SIDE, dtype=np.float32) * generator.uniform(-0.2, 0.2)
    blurred = cv2.GaussianBlur(canvas * (1 + slope[None, :, None]), (5, 5), generator.uniform(0.3, 1.2))
    return add_noise(np.asarray(blurred, np.float32), generator.uniform(1, 6), generator, seed)


@dataclass(frozen=True)
class Place:
    """One digit of a split: the split, its number there, and the split's source digits."""

    split: str
    index: int
    source: int
    sources: npt.NDArray[np.int64]


@same_on_any_processor()
def render_digit(place: Place, seed: int) -> tuple[npt.NDArray[np.uint8], Images]:
    """The same source digit in MNIST's manner, (28, 28) uint8, and in SVHN's, (32, 32, 3) uint8."""
    ink = load_glyphs().ink
    generator = numpy_generator(seed, "demo", "digits", place.split, place.index)
    mnist = render_mnist(ink[place.source], generator)
    neighbours = [ink[number] for number in generator.choice(place.sources, 2)]
    return mnist, render_svhn(ink[place.source], neighbours, generator, seed)


def write_split(
    folder: Path, seed: int, names: tuple[str, str], sources: npt.NDArray[np.int64], count: int, processes: int
) -> None:
    """Writes `count` digits of one split in both formats; `names`: MNIST's prefix and SVHN's."""
    # Every source as often as any other, in an order that says nothing.
    order = numpy_generator(seed, "demo", "digits", names[0]).permutation(np.resize(sources, count))
    places = [Place(names[0], index, int(source), sources) for index, source in enumerate(order)]
    digits = list(render_all(partial(render_digit, seed=seed), places, processes, f"digits ({names[1]})", "digits"))
    labels = load_glyphs().labels[order]
    write_idx(folder / "mnist" / f"{names[0]}-images-idx3-ubyte.gz", np.stack([mnist for mnist, _ in digits]))
    write_idx(folder / "mnist" / f"{names[0]}-labels-idx1-ubyte.gz", labels.astype(np.uint8))
    write_svhn_mat(folder / "svhn" / f"{names[1]}_32x32.mat", np.stack([svhn for _, svhn in digits]), labels)


def write_digits(folder: Path, seed: int, digits: int, processes: int) -> None:
    """Writes both sets into an existing folder: `digits` for training, a quarter as many for testing."""
    train, test = split_sources(seed)
    write_split(folder, seed, ("train", "train"), train, digits, processes)
    write_split(folder, seed, ("t10k", "test"), test, digits // 4, processes)
