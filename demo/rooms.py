"""One rendered bedroom: a bed against the back wall, often a window, and the rest of the furniture.

Output: (H, W, 3) uint8 RGB with a short side of 256 pixels, and the boxes of its windows in pixels. Every window is
at least 52 pixels wide and high and lies inside the central square, so that it covers 6 x 6 pixels of a 32 x 32 crop.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from dcgan.core.pixels import Images
from demo.furniture import paint_furniture
from demo.patches import Floats, add_noise, homely_colour, hsv
from demo.scene import (
    Camera,
    Points,
    flat_rectangle,
    paint_polygon,
    paint_texture,
    side_rectangle,
    wall_rectangle,
)
from demo.surfaces import daylight, fabric, flooring, picture, wallpaper

SHORT_SIDE, LONG_SIDE = 256, 342
NEAR_PLANE = 0.7
LIGHT_GRID = 24
WINDOW_SHARE, TWO_WINDOWS_SHARE = 0.6, 0.15
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Room:
    """The empty room, in metres, and the camera in it."""

    height: int
    width: int
    camera: Camera
    left: float
    right: float
    ceiling: float
    depth: float

    @property
    def visible(self) -> float:
        """Half the width of the back wall that the central square shows, in metres."""
        return SHORT_SIDE / 2 * self.depth / self.camera.focal


@dataclass(frozen=True)
class Opening:
    """A rectangle on the back wall, in metres."""

    left: float
    right: float
    bottom: float
    top: float


def random_room(generator: np.random.Generator) -> Room:
    """Draws the image's format, the camera and the room's size."""
    long_side = int(generator.integers(SHORT_SIDE, LONG_SIDE + 1))
    height, width = (long_side, SHORT_SIDE) if generator.random() < 0.15 else (SHORT_SIDE, long_side)
    camera = Camera(
        focal=generator.uniform(205, 240),
        centre_x=width / 2 + generator.uniform(-10, 10),
        centre_y=height / 2 + generator.uniform(-14, 6),
        eye_height=generator.uniform(1.3, 1.6),
    )
    shift = generator.uniform(-0.3, 0.3)
    half_width = generator.uniform(1.9, 2.5)
    ceiling, depth = generator.uniform(2.5, 2.9), generator.uniform(3.6, 4.2)
    return Room(height, width, camera, shift - half_width, shift + half_width, ceiling, depth)


def paint_shell(canvas: Images, room: Room, generator: np.random.Generator) -> None:
    """Paints ceiling, floor and the three walls."""
    project = room.camera.project
    ceiling = flat_rectangle(room.left, room.right, room.ceiling, NEAR_PLANE, room.depth)
    paint_polygon(canvas, project(ceiling), hsv(0.1, generator.uniform(0, 0.08), generator.uniform(0.7, 0.86)))
    floor = flat_rectangle(room.left, room.right, 0.0, NEAR_PLANE, room.depth)
    paint_texture(canvas, project(floor), flooring(generator))
    wall = wallpaper(generator)
    accent = wallpaper(generator) if generator.random() < 0.25 else wall
    shades = generator.permutation([0.72, 0.86])
    for x, shade in zip((room.left, room.right), shades, strict=True):
        side = side_rectangle(x, 0.0, room.ceiling, NEAR_PLANE, room.depth)
        paint_texture(canvas, project(side), cv2.convertScaleAbs(wall, alpha=float(shade)).astype(np.uint8))
    paint_texture(canvas, project(wall_rectangle(room.left, room.right, 0.0, room.ceiling, room.depth)), accent)


def draw_windows(room: Room, generator: np.random.Generator) -> list[Opening]:
    """Draws no window, one or a pair, large enough and inside the central square and the wall."""
    if generator.random() >= WINDOW_SHARE:
        return []
    metre = room.camera.focal / room.depth
    low, high = max(room.left, -room.visible) + 0.15, min(room.right, room.visible) - 0.15
    bottom = generator.uniform(1.1, 1.2)
    top = bottom + generator.uniform(54 / metre, min(room.ceiling - 0.1 - bottom, 1.5))
    if generator.random() < TWO_WINDOWS_SHARE:
        width = generator.uniform(54 / metre, 60 / metre)
        return [Opening(low, low + width, bottom, top), Opening(high - width, high, bottom, top)]
    width = generator.uniform(max(54 / metre, 1.0), 1.7)
    left = generator.uniform(low, high - width)
    return [Opening(left, left + width, bottom, top)]


def paint_window(canvas: Images, room: Room, opening: Opening, generator: np.random.Generator) -> None:
    """Paints the frame, the daylight behind it and the cross bars."""
    corners = room.camera.project(on_back_wall(room, opening))
    frame = hsv(0.09, 0.45, 0.35) if generator.random() < 0.3 else hsv(0.1, 0.03, 0.82)
    paint_polygon(canvas, corners, frame)
    border = generator.uniform(3, 5)
    (left, top), (right, bottom) = corners[0] + border, corners[2] - border
    glass = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    paint_texture(canvas, glass, daylight(generator, 48, 48))
    thickness = generator.uniform(1.5, 3)
    for share in np.linspace(0, 1, int(generator.integers(2, 4)) + 1)[1:-1]:
        x = left + share * (right - left)
        paint_polygon(canvas, upright(x - thickness / 2, x + thickness / 2, top, bottom), frame)
    if generator.random() < 0.6:
        y = top + generator.uniform(0.35, 0.65) * (bottom - top)
        paint_polygon(canvas, upright(left, right, y - thickness / 2, y + thickness / 2), frame)


def upright(left: float, right: float, top: float, bottom: float) -> Points:
    """The corners of a rectangle in pixels."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def on_back_wall(room: Room, opening: Opening) -> Points:
    """The corners of an opening in metres."""
    return wall_rectangle(opening.left, opening.right, opening.bottom, opening.top, room.depth)


def paint_curtains(canvas: Images, room: Room, opening: Opening, generator: np.random.Generator) -> None:
    """Hangs two curtains beside a window, as far as the wall reaches."""
    cloth = fabric(generator, homely_colour(generator, (0.1, 0.7), (0.3, 0.75)))
    bottom, top = generator.choice([0.1, opening.bottom - 0.15]), min(opening.top + 0.12, room.ceiling)
    width = generator.uniform(0.18, 0.35)
    for left, right in ((opening.left - width, opening.left), (opening.right, opening.right + width)):
        panel = wall_rectangle(max(left, room.left), min(right, room.right), bottom, top, room.depth)
        paint_texture(canvas, room.camera.project(panel), cloth)


def paint_picture(canvas: Images, room: Room, opening: Opening, generator: np.random.Generator) -> None:
    """Hangs a framed picture."""
    corners = room.camera.project(on_back_wall(room, opening))
    paint_polygon(canvas, corners, homely_colour(generator, (0.1, 0.6), (0.08, 0.4)))
    paint_texture(canvas, corners + np.array([[2, 2], [-2, 2], [-2, -2], [2, -2]]), picture(generator))


def paint_wall_things(
    canvas: Images, room: Room, windows: list[Opening], bed_centre: float, generator: np.random.Generator
) -> None:
    """Paints windows with or without curtains, and a picture above the bed if there is room for it."""
    curtains = generator.random() < 0.5
    for opening in windows:
        if curtains:
            paint_curtains(canvas, room, opening, generator)
        paint_window(canvas, room, opening, generator)
    half_width, bottom = generator.uniform(0.25, 0.5), generator.uniform(1.3, 1.5)
    frame = Opening(bed_centre - half_width, bed_centre + half_width, bottom, bottom + generator.uniform(0.4, 0.7))
    is_free = all(frame.right + 0.4 < window.left or frame.left - 0.4 > window.right for window in windows)
    if is_free and generator.random() < 0.6:
        paint_picture(canvas, room, frame, generator)


def draw_light(room: Room, windows: list[Opening], generator: np.random.Generator) -> Floats:
    """Draws how light falls off from the window or from a lamp: (H, W, 3) float32 factors around 1."""
    source = np.array([[generator.uniform(-1, 1), generator.uniform(1.2, 2.2), room.depth]])
    if windows:
        source[0, 0] = (windows[0].left + windows[0].right) / 2
    (x, y), reach = room.camera.project(source)[0], generator.uniform(150, 260)
    across = np.exp(-(((np.linspace(0, room.width, LIGHT_GRID) - x) / reach) ** 2) / 2)
    down = np.exp(-(((np.linspace(0, room.height, LIGHT_GRID) - y) / reach) ** 2) / 2)
    pool = generator.uniform(0.68, 0.9) + generator.uniform(0.2, 0.36) * np.outer(down, across)
    warmth = generator.uniform(-0.07, 0.09)
    light = (pool[..., None] * np.array([1 + warmth, 1.0, 1 - warmth])).astype(np.float32)
    return np.asarray(cv2.resize(light, (room.width, room.height), interpolation=cv2.INTER_LINEAR), np.float32)


def window_box(room: Room, opening: Opening) -> Box:
    """An opening's box: x, y, width, height in whole pixels."""
    (left, top), _, (right, bottom), _ = np.rint(room.camera.project(on_back_wall(room, opening))).astype(int)
    return int(left), int(top), int(right - left), int(bottom - top)


def render_room(generator: np.random.Generator, seed: int) -> tuple[Images, list[Box]]:
    """Renders one bedroom; `seed` chooses the noise field, everything else comes from the generator."""
    room = random_room(generator)
    canvas = np.zeros((room.height, room.width, 3), np.uint8)
    paint_shell(canvas, room, generator)
    windows = draw_windows(room, generator)
    bed_centre = generator.uniform(-0.6, 0.6)
    paint_wall_things(canvas, room, windows, bed_centre, generator)
    paint_furniture(canvas, room.camera, room.depth, bed_centre, generator)
    lit = cv2.multiply(canvas, draw_light(room, windows, generator), dtype=cv2.CV_32F)
    image = add_noise(np.asarray(lit), generator.uniform(1.5, 5.0), generator, seed)
    return image, [window_box(room, opening) for opening in windows]
