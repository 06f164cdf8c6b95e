"""Furniture of a bedroom: bed, bedside tables, lamps, a rug and their shadows, painted from far to near."""

from dataclasses import dataclass

import cv2
import numpy as np

from dcgan.core.pixels import Images
from demo.patches import Colour, homely_colour, hsv, scaled
from demo.scene import Camera, Cuboid, Points, flat_rectangle, paint_polygon, paint_texture
from demo.surfaces import bedspread

SHADOW_SHRINK = 4  # shadows are soft, so they are painted on a coarser grid


@dataclass(frozen=True)
class Bed:
    """The bed's place and size, in metres; its headboard touches the wall at `wall`."""

    left: float
    right: float
    height: float
    near: float
    far: float
    wall: float


def draw_bed(wall: float, centre: float, generator: np.random.Generator) -> Bed:
    """Draws the size of a bed against the wall at distance `wall`."""
    half_width, far = generator.uniform(0.7, 1.0), wall - 0.1
    near = far - generator.uniform(1.8, 2.1)
    return Bed(centre - half_width, centre + half_width, generator.uniform(0.45, 0.6), near, far, wall)


def superellipse(x: float, y: float, half_width: float, half_height: float, z: float) -> Points:
    """An upright outline between ellipse and rectangle: (24, 3) metres."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    cosine, sine = np.cos(angles), np.sin(angles)
    across = x + half_width * np.sign(cosine) * np.sqrt(np.abs(cosine))
    up = y + half_height * np.sign(sine) * np.sqrt(np.abs(sine))
    return np.stack([across, up, np.full_like(across, z)], axis=1)


def paint_shadow(canvas: Images, camera: Camera, bed: Bed, generator: np.random.Generator) -> None:
    """Darkens floor and wall around the bed, softly."""
    height, width = canvas.shape[:2]
    shadow = np.zeros((height // SHADOW_SHRINK, width // SHADOW_SHRINK, 3), np.uint8)
    floor = flat_rectangle(bed.left - 0.12, bed.right + 0.12, 0.0, bed.near - 0.15, bed.wall)
    paint_polygon(shadow, camera.project(floor) / SHADOW_SHRINK, (255, 255, 255))
    soft = cv2.resize(cv2.GaussianBlur(shadow, (5, 5), 0), (width, height), interpolation=cv2.INTER_LINEAR)
    darkened = cv2.multiply(canvas, soft, scale=generator.uniform(0.35, 0.6) / 255)
    cv2.subtract(canvas, darkened, dst=canvas)


def paint_rug(canvas: Images, camera: Camera, bed: Bed, generator: np.random.Generator) -> None:
    """Lays a rug with a border before the bed."""
    colour = homely_colour(generator, (0.1, 0.7), (0.25, 0.8))
    centre, half = (bed.left + bed.right) / 2, generator.uniform(1.0, 1.5)
    far, near = bed.near + 0.6, max(bed.near - generator.uniform(0.3, 0.8), 0.75)
    for margin, share in ((0.0, 0.75), (0.08, 1.0)):
        rug = flat_rectangle(centre - half + margin, centre + half - margin, 0.005, near + margin, far)
        paint_polygon(canvas, camera.project(rug), scaled(colour, share))


def paint_lamp(canvas: Images, camera: Camera, x: float, base: float, z: float, generator: np.random.Generator) -> None:
    """Puts a small lamp with a tapered shade at x, standing at height `base`."""
    foot = np.array([[x - 0.03, base, z], [x + 0.03, base, z], [x + 0.03, base + 0.25, z], [x - 0.03, base + 0.25, z]])
    paint_polygon(canvas, camera.project(foot), (60, 50, 45))
    shade = np.array(
        [[x - 0.15, base + 0.22, z], [x + 0.15, base + 0.22, z], [x + 0.1, base + 0.42, z], [x - 0.1, base + 0.42, z]]
    )
    paint_polygon(canvas, camera.project(shade), hsv(0.12, generator.uniform(0.1, 0.5), generator.uniform(0.7, 1.0)))


def paint_bedside(canvas: Images, camera: Camera, bed: Bed, generator: np.random.Generator) -> None:
    """Puts a table, perhaps with a lamp, on either or both sides of the bed."""
    wood = hsv(generator.uniform(0.02, 0.12), generator.uniform(0.1, 0.6), generator.uniform(0.15, 0.7))
    has_lamp = generator.random() < 0.6
    size, height = generator.uniform(0.4, 0.5), generator.uniform(0.45, 0.6)
    sides = [(bed.left - 0.1 - size,), (bed.right + 0.1,), (bed.left - 0.1 - size, bed.right + 0.1)]
    for left in sides[generator.integers(3)]:
        far = bed.wall - 0.02
        Cuboid(left, left + size, 0.0, height, far - 0.4, far).paint(canvas, camera, wood)
        if has_lamp:
            paint_lamp(canvas, camera, left + size / 2, height, far - 0.2, generator)


def paint_bed(canvas: Images, camera: Camera, bed: Bed, generator: np.random.Generator) -> None:
    """Paints headboard, frame, mattress, blanket and pillows."""
    wood = hsv(generator.uniform(0.02, 0.12), generator.uniform(0.2, 0.7), generator.uniform(0.15, 0.6))
    sheet = hsv(generator.random(), generator.uniform(0, 0.12), generator.uniform(0.8, 0.95))
    board_top = generator.uniform(0.8, 1.1)
    left, right, near, far = bed.left, bed.right, bed.near, bed.far
    Cuboid(left - 0.05, right + 0.05, 0.0, board_top, far, bed.wall).paint(canvas, camera, wood)
    Cuboid(left, right, 0.08, 0.25, near, far).paint(canvas, camera, wood)
    Cuboid(left, right, 0.25, bed.height, near, far).paint(canvas, camera, sheet)
    paint_blanket(canvas, camera, bed, sheet, generator)
    paint_pillows(canvas, camera, bed, generator)


def paint_blanket(canvas: Images, camera: Camera, bed: Bed, lining: Colour, generator: np.random.Generator) -> None:
    """Spreads a blanket over the bed up to the pillows, sometimes with its end folded back."""
    cloth, fold = bedspread(generator), bed.far - generator.uniform(0.5, 0.75)
    cover = Cuboid(bed.left - 0.02, bed.right + 0.02, 0.15, bed.height + 0.03, bed.near - 0.02, fold)
    red, green, blue = cloth.mean(axis=(0, 1))
    cover.paint(canvas, camera, (red, green, blue))
    paint_texture(canvas, camera.project(flat_rectangle(cover.left, cover.right, cover.top, cover.near, fold)), cloth)
    if generator.random() < 0.6:
        band = flat_rectangle(cover.left, cover.right, cover.top, fold - generator.uniform(0.15, 0.5), fold)
        paint_polygon(canvas, camera.project(band), lining)


def paint_pillows(canvas: Images, camera: Camera, bed: Bed, generator: np.random.Generator) -> None:
    """Puts one or two pillows before the headboard."""
    colour = hsv(generator.random(), generator.uniform(0, 0.25), generator.uniform(0.7, 0.97))
    count = int(generator.integers(1, 3))
    share = (bed.right - bed.left) / count
    for index in range(count):
        x = bed.left + share * (index + 0.5)
        outline = superellipse(x, bed.height + 0.14, 0.4 * share, 0.15, bed.far - 0.25)
        paint_polygon(canvas, camera.project(outline), scaled(colour, 0.8))
        paint_polygon(canvas, camera.project(outline + np.array([0.0, 0.03, 0.0])), colour)


def paint_furniture(
    canvas: Images, camera: Camera, wall: float, bed_centre: float, generator: np.random.Generator
) -> None:
    """Furnishes the room from the back wall, at distance `wall`, to the front."""
    bed = draw_bed(wall, bed_centre, generator)
    paint_shadow(canvas, camera, bed, generator)
    if generator.random() < 0.35:
        paint_rug(canvas, camera, bed, generator)
    if generator.random() < 0.7:
        paint_bedside(canvas, camera, bed, generator)
    paint_bed(canvas, camera, bed, generator)
