"""Paints a person into a photo: hair, neck, shoulders and a head wrapped around a turned ellipsoid.

Lengths in `unit` pixels: the head's half width. x to the right, y down, z towards the camera.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from dcgan.core.pixels import Images
from demo.heads import DEGREE_PIXELS, HALF_HEIGHT_PIXELS, REACH_DEGREES, Appearance, Person, draw_head_map
from demo.patches import Colour, Floats, scaled
from demo.scene import paint_polygon

HEAD_HEIGHT, HEAD_DEPTH = 1.32, 1.08
MAP_SHRINK = 2  # the surface is smooth: it is computed on every second pixel and interpolated
FACE_BOX = (-1.05, -0.88, 2.1)  # left, top and side of the square that a face detector frames
FACE_BOX_SHIFT = 0.9  # how far it follows the features when the head turns by 90 degrees
Box = tuple[int, int, int, int]
Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Place:
    """A head's place in the photo: its centre in pixels and the length of a unit, in pixels."""

    x: float
    y: float
    unit: float


@dataclass(frozen=True)
class Surface:
    """The head as the camera sees it at every pixel: (h, w) arrays.

    `map_x`, `map_y`: position in the head's map; `cover`: share of the pixel that the head covers; `normal`: its
    direction (3, h, w).
    """

    map_x: Floats
    map_y: Floats
    cover: Floats
    normal: Floats


def head_surface(
    height: int, width: int, centre: tuple[float, float], unit: float, person: Person, appearance: Appearance
) -> Surface:
    """Finds where lines of sight meet the ellipsoid that is turned by the pose and tilted in the image plane."""
    angle, tilt = np.deg2rad(appearance.pose), np.deg2rad(appearance.tilt)
    columns = (np.arange(width, dtype=np.float32) - centre[0]) / unit
    rows = ((np.arange(height, dtype=np.float32) - centre[1]) / unit)[:, None]
    x = np.cos(tilt) * columns + np.sin(tilt) * rows
    y = (np.cos(tilt) * rows - np.sin(tilt) * columns) / HEAD_HEIGHT
    # Narrower towards the chin.
    x = x / (person.breadth * (1 - 0.16 * np.clip(y, 0, 1) ** 2))
    # In the head's axes X = x cos - z sin, Z = x sin + z cos, and X^2 + (Z / depth)^2 = 1 - y^2.
    cosine, sine, square = np.cos(angle), np.sin(angle), 1 / HEAD_DEPTH**2
    a = sine**2 + cosine**2 * square
    half_b = x * sine * cosine * (square - 1)
    c = x**2 * (cosine**2 + sine**2 * square) - 1 + y**2
    discriminant = half_b**2 - a * c
    z = (-half_b + np.sqrt(np.maximum(discriminant, 0))) / a
    side, front = x * cosine - z * sine, x * sine + z * cosine
    longitude = np.rad2deg(np.arctan2(side, front / HEAD_DEPTH))
    normal = np.stack([x, y / HEAD_HEIGHT, z * square])
    normal /= np.sqrt((normal**2).sum(axis=0)) + 1e-6
    edge = discriminant / a * unit / 2 + 0.5
    return Surface(
        ((longitude + REACH_DEGREES) * DEGREE_PIXELS).astype(np.float32),
        ((y + 1) * HALF_HEIGHT_PIXELS).astype(np.float32),
        np.clip(edge, 0, 1).astype(np.float32),
        normal.astype(np.float32),
    )


def paint_head(photo: Images, place: Place, person: Person, appearance: Appearance) -> None:
    """Wraps the head's map around the ellipsoid, lights it and lays it over the photo."""
    reach = int(place.unit * HEAD_HEIGHT * 1.1)
    top, left = max(int(place.y) - reach, 0), max(int(place.x) - reach, 0)
    part = photo[top : int(place.y) + reach, left : int(place.x) + reach]
    height, width = part.shape[:2]
    centre = ((place.x - left) / MAP_SHRINK, (place.y - top) / MAP_SHRINK)
    grid = (-(-height // MAP_SHRINK), -(-width // MAP_SHRINK))
    surface = head_surface(*grid, centre, place.unit / MAP_SHRINK, person, appearance)
    light = np.array([*appearance.light, 1.0])
    light /= np.linalg.norm(light)
    # Not as a matrix product: how it is summed depends on the processor.
    facing = (light.astype(np.float32)[:, None, None] * surface.normal).sum(axis=0)
    brightness = 0.5 + 0.58 * np.clip(facing, 0, None)

    def enlarge(values: Floats) -> Floats:
        full = (grid[1] * MAP_SHRINK, grid[0] * MAP_SHRINK)
        return np.asarray(cv2.resize(values, full, interpolation=cv2.INTER_LINEAR)[:height, :width], np.float32)

    head = cv2.remap(
        draw_head_map(person, appearance), enlarge(surface.map_x), enlarge(surface.map_y), cv2.INTER_LINEAR
    ).astype(np.float32)
    cover = enlarge(surface.cover)[..., None]
    lit = head * enlarge(brightness)[..., None]
    part[:] = np.clip(part + (lit - part) * cover, 0, 255).astype(np.uint8)


def paint_body(photo: Images, place: Place, person: Person, appearance: Appearance) -> None:
    """Paints what is behind and below the face: long hair, neck, shoulders and ears."""

    def fill(points: list[tuple[float, float]], colour: Colour) -> None:
        paint_polygon(photo, np.array(points) * place.unit + np.array([place.x, place.y]), colour)

    if person.has_long_hair:
        fill(rounded(0, 0.35, 1.28, 1.75), scaled(person.hair, 0.75))
    fill(rounded(0, -0.42, 1.07 * person.breadth, 1.02), scaled(person.hair, 0.7))
    fill(rounded(0, 3.1, 2.1, 1.5), scaled(appearance.clothes, 0.85))
    fill([(-0.5, 0.8), (0.5, 0.8), (0.58, 1.75), (0, 1.95), (-0.58, 1.75)], scaled(person.skin, 0.68))
    if not person.has_long_hair:
        across = np.cos(np.deg2rad(appearance.pose)) * person.breadth
        for side in (-1, 1):
            fill(rounded(side * across, 0.08, 0.17, 0.3), scaled(person.skin, 0.75))


def rounded(x: float, y: float, half_width: float, half_height: float) -> list[tuple[float, float]]:
    """The outline of an ellipse."""
    angles = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    return [(x + half_width * np.cos(angle), y + half_height * np.sin(angle)) for angle in angles]


def paint_person(photo: Images, place: Place, person: Person, appearance: Appearance) -> Box:
    """Paints a person and returns the face's box: a square from the forehead to the chin, in pixels."""
    paint_body(photo, place, person, appearance)
    paint_head(photo, place, person, appearance)
    left, top, side = (round(length * place.unit) for length in FACE_BOX)
    shift = round(FACE_BOX_SHIFT * place.unit * np.sin(np.deg2rad(appearance.pose)))
    return round(place.x) + left + shift, round(place.y) + top, side, side
