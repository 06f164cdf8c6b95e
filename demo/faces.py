"""The demo's web photos of people: rendered faces with recorded attributes, on natural and plain backgrounds; 4.2.

Outputs, in one folder:
    photos/<person>/<person>_<number>.jpg  about 250 x 250 pixels, RGB; nine in ten show one face, some two or none
    attributes.csv  photo, x, y, width, height, glasses (0, 1), smile (0, 1), pose (degrees), hair (short, long): one
                    row per face; photo is a path below photos/, the pose is negative towards the viewer's left
"""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from dcgan.core.files import write_csv
from dcgan.core.pixels import Images
from dcgan.core.seeding import numpy_generator
from demo.any_processor import same_on_any_processor
from demo.formats import encode_image
from demo.heads import Appearance, Person, draw_appearance, draw_person
from demo.parallel import render_all
from demo.patches import Floats, add_noise, natural_patch, random_colour
from demo.people import Box, Place, paint_person

PHOTOS_A_PERSON = 3
NO_FACE_SHARE, TWO_FACES_SHARE, PLAIN_SHARE = 0.05, 0.05, 0.4
JPEG_QUALITY = (80, 95)


@dataclass(frozen=True)
class Face:
    """One row of attributes.csv without the photo's name."""

    box: Box
    person: Person
    appearance: Appearance


@dataclass
class Photo:
    """A photo being made, with the faces in it."""

    pixels: Images
    faces: list[Face] = field(default_factory=list)


def draw_background(generator: np.random.Generator) -> Images:
    """A blurred part of a photograph, or a wall with a gradient: about 250 x 250 pixels."""
    height, width = generator.integers(240, 261, 2).tolist()
    if generator.random() >= PLAIN_SHARE:
        # Out of focus: few pixels, smoothly enlarged.
        shrink = generator.uniform(6, 11)
        view = natural_patch(generator, round(height / shrink), round(width / shrink))
        return np.asarray(cv2.resize(view, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    above = [random_colour(generator, (0, 0.4), (0.2, 0.9)) for _ in range(2)]
    below = np.array(above) * generator.uniform(0.2, 1.0)
    gradient: Floats = np.array([above, below], np.float32)
    return np.asarray(cv2.resize(gradient, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def draw_places(photo: Images, generator: np.random.Generator) -> list[Place]:
    """Draws the places of heads: one near the middle, two side by side, or none."""
    height, width = photo.shape[:2]
    chance = generator.random()
    if chance < NO_FACE_SHARE:
        return []
    if chance < NO_FACE_SHARE + TWO_FACES_SHARE:
        shares, unit = [0.27, 0.73], generator.uniform(32, 40)
    else:
        shares, unit = [0.5], generator.uniform(44, 66)
    shifts = generator.uniform(-8, 8, (len(shares), 2))
    return [Place(width * share + dx, height * 0.45 + dy, unit) for share, (dx, dy) in zip(shares, shifts, strict=True)]


def render_photo(person: Person, generator: np.random.Generator, seed: int) -> Photo:
    """Renders a photo of a person; a second face belongs to someone else."""
    photo = Photo(draw_background(generator))
    for number, place in enumerate(draw_places(photo.pixels, generator)):
        shown = person if number == 0 else draw_person(generator)
        appearance = draw_appearance(generator)
        photo.faces.append(Face(paint_person(photo.pixels, place, shown, appearance), shown, appearance))
    soft = cv2.GaussianBlur(photo.pixels, (3, 3), generator.uniform(0.4, 0.9)).astype(np.float32)
    photo.pixels = add_noise(soft, generator.uniform(1, 4), generator, seed)
    return photo


def attribute_row(name: str, face: Face) -> tuple[str, int, int, int, int, int, int, float, str]:
    """A row of attributes.csv."""
    hair = "long" if face.person.has_long_hair else "short"
    return (
        name,
        *face.box,
        int(face.appearance.has_glasses),
        int(face.appearance.smiles),
        round(face.appearance.pose, 2),
        hair,
    )


@same_on_any_processor()
def render_numbered(index: int, seed: int) -> tuple[str, bytes, list[Face]]:
    """The name, the encoded photo and the faces of one of the set's photos."""
    name = f"person_{index // PHOTOS_A_PERSON:05d}"
    person = draw_person(numpy_generator(seed, "demo", "faces", name))
    generator = numpy_generator(seed, "demo", "faces", index)
    photo = render_photo(person, generator, seed)
    quality = int(generator.integers(JPEG_QUALITY[0], JPEG_QUALITY[1] + 1))
    path = f"{name}/{name}_{index % PHOTOS_A_PERSON + 1:04d}.jpg"
    return path, encode_image(photo.pixels, "jpeg", quality), photo.faces


def write_faces(folder: Path, seed: int, photos: int, processes: int) -> None:
    """Writes the whole set into an existing folder."""
    rows = []
    for path, content, faces in render_all(
        partial(render_numbered, seed=seed), range(photos), processes, "faces", "photos"
    ):
        rows += [attribute_row(path, face) for face in faces]
        (folder / "photos" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "photos" / path).write_bytes(content)
    columns = ["photo", "x", "y", "width", "height", "glasses", "smile", "pose", "hair"]
    write_csv(folder / "attributes.csv", pd.DataFrame(rows, columns=columns))
