"""The demo's LSUN: rendered bedrooms with recorded windows and planted near-duplicates; sections 4.1.1 and 6.3.1.

Outputs, in one folder:
    bedroom_train_lmdb/data.mdb  key: 40 hexadecimal digits; value: JPEG (80 %) or WebP, short side 256 pixels
    truth.csv                    key, duplicate_of, kind: one row per planted near-duplicate
    windows.csv                  key, x, y, width, height, image_width, image_height: one row per window, in pixels of
                                 the encoded image
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from dcgan.core.files import write_csv
from dcgan.core.pixels import Images
from dcgan.core.seeding import numpy_generator
from demo.any_processor import same_on_any_processor
from demo.formats import Codec, encode_image, write_lmdb
from demo.parallel import render_all
from demo.patches import add_noise
from demo.rooms import Box, render_room

KINDS = ("reencoded", "resized", "noisy", "cropped", "brightened")
WEBP_SHARE = 0.2
WINDOW_COLUMNS = ["key", "x", "y", "width", "height", "image_width", "image_height"]


@dataclass(frozen=True)
class Entry:
    """One value of the LMDB: which room it shows and, for a planted near-duplicate, how it was changed."""

    key: str
    room: int
    original_key: str
    kind: str


@dataclass(frozen=True)
class Rendering:
    """An encoded image, its size in pixels and the boxes of its windows."""

    content: bytes
    width: int
    height: int
    windows: list[Box]


def room_key(seed: int, index: int) -> str:
    """The key of an image: 40 hexadecimal digits, spread evenly over the key space, as LSUN's are."""
    return hashlib.sha1(f"{seed}/bedrooms/{index}".encode(), usedforsecurity=False).hexdigest()


def draw_entries(seed: int, rooms: int, duplicates: int) -> list[Entry]:
    """Lists the rooms and their planted near-duplicates, all kinds equally often, in the order of the keys."""
    entries = [Entry(room_key(seed, room), room, "", "") for room in range(rooms)]
    originals = numpy_generator(seed, "demo", "bedrooms", "duplicates").integers(rooms, size=duplicates)
    for number, room in enumerate(originals.tolist()):
        key = room_key(seed, rooms + number)
        entries.append(Entry(key, room, entries[room].key, KINDS[number % len(KINDS)]))
    return sorted(entries, key=lambda entry: entry.key)


def crop(image: Images, boxes: list[Box], generator: np.random.Generator) -> tuple[Images, list[Box]]:
    """Cuts up to 2 % off every side, enlarges the rest to the old size and moves the boxes with it."""
    height, width = image.shape[:2]
    top, bottom, left, right = generator.integers(1, 6, 4).tolist()
    part = image[top : height - bottom, left : width - right]
    scale_x, scale_y = width / part.shape[1], height / part.shape[0]
    moved = [
        (round((x - left) * scale_x), round((y - top) * scale_y), round(w * scale_x), round(h * scale_y))
        for x, y, w, h in boxes
    ]
    return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8), moved


def shrink_and_enlarge(image: Images, generator: np.random.Generator) -> Images:
    """Loses fine detail like a picture that was published at half its size or a little more."""
    height, width = image.shape[:2]
    scale = generator.uniform(0.5, 0.8)
    small = cv2.resize(image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def change(
    kind: str, image: Images, boxes: list[Box], generator: np.random.Generator, seed: int
) -> tuple[Images, list[Box]]:
    """Makes the near-duplicate of an image; a `reencoded` one differs by its compression only."""
    if kind == "cropped":
        return crop(image, boxes, generator)
    if kind == "resized":
        return shrink_and_enlarge(image, generator), boxes
    if kind == "noisy":
        return add_noise(image.astype(np.float32), generator.uniform(2, 5), generator, seed), boxes
    if kind == "brightened":
        return np.asarray(cv2.convertScaleAbs(image, alpha=generator.uniform(1.03, 1.08)), np.uint8), boxes
    return image, boxes


def encode_like_the_web(image: Images, kind: str, generator: np.random.Generator) -> bytes:
    """Compresses with the usual codecs and qualities; a `reencoded` near-duplicate more strongly."""
    codec: Codec = "webp" if generator.random() < WEBP_SHARE else "jpeg"
    low, high = (50, 70) if kind == "reencoded" else (80, 90)
    return encode_image(image, codec, int(generator.integers(low, high + 1)))


@same_on_any_processor()
def render_entry(entry: Entry, seed: int) -> Rendering:
    """Renders an entry's room, changes it if it is a near-duplicate, and encodes it."""
    image, boxes = render_room(numpy_generator(seed, "demo", "bedrooms", entry.room), seed)
    generator = numpy_generator(seed, "demo", "bedrooms", entry.key)
    image, boxes = change(entry.kind, image, boxes, generator, seed)
    content = encode_like_the_web(image, entry.kind, generator)
    return Rendering(content, image.shape[1], image.shape[0], boxes)


def write_bedrooms(folder: Path, seed: int, rooms: int, duplicates: int, processes: int) -> None:
    """Writes the whole set into an existing folder."""
    entries = draw_entries(seed, rooms, duplicates)
    windows: list[tuple[str | int, ...]] = []

    def values() -> Iterator[tuple[str, bytes]]:
        renderings = render_all(partial(render_entry, seed=seed), entries, processes, "bedrooms", "images")
        for entry, made in zip(entries, renderings, strict=True):
            windows.extend((entry.key, *box, made.width, made.height) for box in made.windows)
            yield entry.key, made.content

    write_lmdb(folder / "bedroom_train_lmdb", values())
    planted = [(entry.key, entry.original_key, entry.kind) for entry in entries if entry.kind]
    write_csv(folder / "truth.csv", pd.DataFrame(planted, columns=["key", "duplicate_of", "kind"]))
    write_csv(folder / "windows.csv", pd.DataFrame(windows, columns=WINDOW_COLUMNS))
