"""The demo's CIFAR-10 and ImageNet: rendered things of ten and twenty classes before parts of photographs; section 5.1.

Colour, place and size are drawn alike for all classes, so that only shape tells them apart.

Outputs, in one folder:
    cifar-10-batches-bin/{data_batch_1..5,test_batch}.bin  records of 1 + 3,072 bytes: label, red, green, blue plane
    cifar-10-batches-bin/batches.meta.txt                  names of the classes, one per line
    imagenet/<synset>/<synset>_<number>.JPEG               20 classes, sides of 64 to 96 pixels
"""

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from dcgan.core.pixels import Images
from dcgan.core.seeding import numpy_generator
from demo.any_processor import same_on_any_processor
from demo.formats import encode_image, write_cifar_batch
from demo.outlines import Part, Points
from demo.parallel import render_all
from demo.patches import Colour, Floats, add_noise, natural_patch, random_colour
from demo.scene import paint_polygon
from demo.shapes import SHAPES

CLASSES = list(SHAPES)
CIFAR_CLASSES = CLASSES[:10]
CIFAR_SIDE, TRAIN_BATCHES = 32, 5
IMAGENET_SIDES = (64, 96)
SUPERSAMPLING = 2
JPEG_QUALITY = 90


def draw_tones(generator: np.random.Generator) -> list[Colour]:
    """Draws main, second, dark and light colour."""
    return [
        random_colour(generator, (0.1, 0.8), (0.5, 1.0)),
        random_colour(generator, (0.1, 0.8), (0.35, 1.0)),
        random_colour(generator, (0.0, 0.6), (0.05, 0.3)),
        random_colour(generator, (0.0, 0.2), (0.8, 1.0)),
    ]


def draw_placement(generator: np.random.Generator, height: int, width: int) -> tuple[Points, Points]:
    """Draws mirror, turn, slant, size and place: a (2, 2) matrix and an offset, from the unit square to pixels."""
    size = min(height, width) / 2 * generator.uniform(0.72, 0.98)
    turn, slant = generator.normal(0, 0.1), generator.normal(0, 0.1)
    stretch = np.diag([size * generator.choice([-1, 1]) * generator.uniform(0.85, 1.15), size])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    room = np.array([width, height]) / 2 - 0.78 * size
    offset = np.array([width, height]) / 2 + room * np.clip(generator.normal(0, 0.4, 2), -1, 1)
    return rotation @ np.array([[1, slant], [0, 1]]) @ stretch, offset


def paint_parts(canvas: Images, parts: list[Part], generator: np.random.Generator) -> None:
    """Paints a thing's parts in random colours at a random place."""
    tones = draw_tones(generator)
    matrix, offset = draw_placement(generator, *canvas.shape[:2])
    for outline, tone in parts:
        paint_polygon(canvas, outline @ matrix.T + offset, tones[tone])


def render_object(name: str, height: int, width: int, generator: np.random.Generator, seed: int) -> Images:
    """Renders one thing of a class: (height, width, 3) uint8."""
    large = (height * SUPERSAMPLING, width * SUPERSAMPLING)
    # Flatter and mostly darker than what stands before it.
    patch = cv2.convertScaleAbs(
        natural_patch(generator, height, width), alpha=generator.uniform(0.3, 0.7), beta=generator.uniform(0, 70)
    )
    canvas = np.asarray(cv2.resize(patch, large[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)
    paint_parts(canvas, SHAPES[name](generator), generator)
    small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    corners = generator.uniform(0.7, 1.15, (2, 2)).astype(np.float32)
    light: Floats = np.asarray(cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    return add_noise(small * light[..., None], generator.uniform(1, 7), generator, seed)


@same_on_any_processor()
def render_cifar(place: tuple[str, int, int], seed: int) -> Images:
    """The picture of a (split, number, label): (32, 32, 3) uint8."""
    split, index, label = place
    generator = numpy_generator(seed, "demo", "cifar10", split, index)
    return render_object(CLASSES[label], CIFAR_SIDE, CIFAR_SIDE, generator, seed)


def write_cifar(folder: Path, seed: int, split: str, files: list[str], count: int, processes: int) -> None:
    """Writes one split, its labels shuffled, into as many files as named."""
    labels = numpy_generator(seed, "demo", "cifar10", split).permutation(np.arange(count) % len(CIFAR_CLASSES))
    places = [(split, index, int(label)) for index, label in enumerate(labels)]
    images = np.stack(
        list(render_all(partial(render_cifar, seed=seed), places, processes, f"objects ({split})", "images"))
    )
    bounds: list[npt.NDArray[np.int64]] = np.array_split(np.arange(count), len(files))
    for name, part in zip(files, bounds, strict=True):
        write_cifar_batch(folder / name, images[part], labels[part])


@same_on_any_processor()
def render_imagenet(index: int, seed: int) -> tuple[str, bytes]:
    """The path, <synset>/<file>, and the encoded picture of a number; the classes come in turn."""
    low, high = IMAGENET_SIDES
    generator = numpy_generator(seed, "demo", "imagenet", index)
    label, number = index % len(CLASSES), index // len(CLASSES)
    height, width = generator.integers(low, high + 1, 2).tolist()
    synset = f"n{label + 1:08d}"
    image = render_object(CLASSES[label], height, width, generator, seed)
    return f"{synset}/{synset}_{number + 1:05d}.JPEG", encode_image(image, "jpeg", JPEG_QUALITY)


def write_imagenet(folder: Path, seed: int, count: int, processes: int) -> None:
    """Writes one folder per class."""
    for path, content in render_all(
        partial(render_imagenet, seed=seed), range(count), processes, "objects (imagenet)", "images"
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def write_objects(folder: Path, seed: int, objects: int, pictures: int, processes: int) -> None:
    """Writes both sets into an existing folder: `objects` for training, a fifth for testing; `pictures` as ImageNet."""
    cifar = folder / "cifar-10-batches-bin"
    train_files = [f"data_batch_{batch + 1}.bin" for batch in range(TRAIN_BATCHES)]
    write_cifar(cifar, seed, "train", train_files, objects, processes)
    write_cifar(cifar, seed, "test", ["test_batch.bin"], objects // 5, processes)
    (cifar / "batches.meta.txt").write_text("\n".join(CIFAR_CLASSES) + "\n", encoding="ascii")
    write_imagenet(folder / "imagenet", seed, pictures, processes)
