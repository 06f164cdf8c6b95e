"""The map of a head: a face drawn over longitude and height, to be wrapped around an ellipsoid.

Longitude in degrees, 0 is the nose, positive towards the viewer's right; height from -1 (top of the skull) to 1 (chin).
Features that stand out from the ellipsoid (nose, glasses) are drawn a little further along when the head turns.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from dcgan.core.pixels import Images
from demo.patches import Colour, hsv, scaled

DEGREE_PIXELS, HALF_HEIGHT_PIXELS, REACH_DEGREES = 1.3, 96, 135
SUBPIXEL_BITS = 4
NOSE_PARALLAX, GLASSES_PARALLAX = 0.35, 0.12
EYE_LONGITUDE, EYE_HEIGHT, MOUTH_HEIGHT = 24.0, -0.06, 0.54
Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Person:
    """What stays the same in all photos of a person."""

    skin: Colour
    hair: Colour
    eyes: Colour
    has_long_hair: bool
    breadth: float
    brow: float
    nose: float
    fringe: float


@dataclass(frozen=True)
class Appearance:
    """What changes from photo to photo; pose in degrees, negative towards the viewer's left."""

    has_glasses: bool
    smiles: bool
    pose: float
    tilt: float
    light: tuple[float, float]
    clothes: Colour
    frame: Colour


def draw_person(generator: np.random.Generator) -> Person:
    """Draws a person."""
    depth = generator.random()
    skin = hsv(generator.uniform(0.045, 0.085), 0.28 + 0.27 * depth, generator.uniform(0.95, 1.0) - 0.36 * depth)
    hair = hsv(generator.uniform(0.03, 0.13), generator.uniform(0.2, 0.7), generator.uniform(0.08, 0.55))
    if generator.random() < 0.12:
        hair = hsv(0.1, 0.05, generator.uniform(0.42, 0.6))
    eyes = hsv(generator.choice([0.07, 0.3, 0.58]), 0.5, generator.uniform(0.15, 0.4))
    has_long_hair = bool(generator.random() < 0.5)
    breadth, brow, nose, fringe = generator.uniform((0.93, 0.7, 0.8, -0.1), (1.06, 1.3, 1.2, 0.1)).tolist()
    return Person(skin, hair, eyes, has_long_hair, breadth, brow, nose, fringe)


def draw_appearance(generator: np.random.Generator) -> Appearance:
    """Draws how a person looks in one photo."""
    light = (generator.uniform(-0.5, 0.5), generator.uniform(-0.6, -0.1))
    has_glasses, smiles = generator.random(2) < (0.4, 0.5)
    clothes = hsv(generator.random(), generator.uniform(0.1, 0.8), generator.uniform(0.15, 0.9))
    frame = hsv(generator.random(), generator.uniform(0, 0.6), generator.uniform(0.03, 0.2))
    pose, tilt = generator.uniform(-30, 30), generator.uniform(-5, 5)
    return Appearance(bool(has_glasses), bool(smiles), pose, tilt, light, clothes, frame)


class HeadMap:
    """A canvas over longitude and height."""

    def __init__(self, colour: Colour) -> None:
        width, height = int(2 * REACH_DEGREES * DEGREE_PIXELS), 2 * HALF_HEIGHT_PIXELS
        self.pixels: Images = np.zeros((height, width, 3), np.uint8)
        cv2.rectangle(self.pixels, (0, 0), (width, height), colour, cv2.FILLED)

    def polygon(self, longitudes: npt.ArrayLike, heights: npt.ArrayLike, colour: Colour) -> None:
        """Fills a polygon."""
        x = (np.asarray(longitudes, np.float64) + REACH_DEGREES) * DEGREE_PIXELS
        y = (np.asarray(heights, np.float64) + 1) * HALF_HEIGHT_PIXELS
        corners = np.rint(np.stack([x, y], axis=-1) * (1 << SUBPIXEL_BITS)).astype(np.int32)
        cv2.fillPoly(self.pixels, [corners], colour, cv2.LINE_AA, SUBPIXEL_BITS)

    def ellipse(self, longitude: float, height: float, half_width: float, half_height: float, colour: Colour) -> None:
        """Fills an ellipse."""
        self.polygon(*outline(longitude, height, half_width, half_height, 1.0), colour)

    def shade(self, longitudes: Points, heights: Points, share: float) -> None:
        """Darkens the rectangle around an outline, as tinted glass does, to a share of its light."""
        left, right = ((np.array([longitudes.min(), longitudes.max()]) + REACH_DEGREES) * DEGREE_PIXELS).astype(int)
        top, bottom = ((np.array([heights.min(), heights.max()]) + 1) * HALF_HEIGHT_PIXELS).astype(int)
        pane = self.pixels[top:bottom, left:right]
        pane[:] = cv2.convertScaleAbs(pane, alpha=share)

    def soften(self, side: int) -> None:
        """Blurs everything drawn so far: every point becomes the mean of the square around it."""
        self.pixels = np.asarray(cv2.blur(self.pixels, (side, side)), np.uint8)


def outline(
    longitude: float, height: float, half_width: float, half_height: float, roundness: float
) -> tuple[Points, Points]:
    """Longitudes and heights around an ellipse (roundness 1) or a rounded rectangle (less)."""
    angles = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    cosine, sine = np.cos(angles), np.sin(angles)
    across = longitude + half_width * np.sign(cosine) * np.abs(cosine) ** roundness
    return across, height + half_height * np.sign(sine) * np.abs(sine) ** roundness


def draw_head_map(person: Person, appearance: Appearance) -> Images:
    """Draws skin, features, glasses and hair of one head: (192, 351, 3) uint8."""
    head = HeadMap(person.skin)
    draw_soft_shadows(head, person)
    head.soften(9)
    draw_nose(head, person, appearance)
    draw_hair(head, person)
    head.soften(3)
    draw_mouth(head, person, appearance)
    for side in (-1, 1):
        draw_eye(head, person, side)
    if appearance.has_glasses:
        draw_glasses(head, appearance)
    return head.pixels


def draw_soft_shadows(head: HeadMap, person: Person) -> None:
    """Darkens eye sockets, temples and the chin's underside; lightens forehead and cheeks."""
    head.ellipse(0, -0.4, 36, 0.15, scaled(person.skin, 1.12))
    for side in (-1, 1):
        head.ellipse(side * EYE_LONGITUDE, EYE_HEIGHT - 0.03, 17, 0.15, scaled(person.skin, 0.5))
        head.ellipse(side * 29, 0.26, 16, 0.16, scaled(person.skin, 1.15))
    head.ellipse(0, MOUTH_HEIGHT, 16, 0.1, scaled(person.skin, 0.9))
    head.polygon([-135, 135, 135, -135], [0.92, 0.92, 1.0, 1.0], scaled(person.skin, 0.7))


def draw_nose(head: HeadMap, person: Person, appearance: Appearance) -> None:
    """Draws a lit ridge, a shaded side and the nostrils; the tip moves further than the face when the head turns."""
    tip, width = NOSE_PARALLAX * appearance.pose, 8.5 * person.nose
    far = float(np.sign(appearance.pose)) or 1.0
    head.polygon([-4, 4, tip + width, tip - width], [-0.1, -0.1, 0.33, 0.33], scaled(person.skin, 0.94))
    head.polygon([0, far * 4, tip + far * width, tip + far * 2], [-0.1, -0.1, 0.34, 0.34], scaled(person.skin, 0.78))
    head.polygon([-2.5, 2.5, tip + 4, tip - 4], [-0.15, -0.15, 0.26, 0.26], scaled(person.skin, 1.16))
    head.ellipse(tip, 0.355, width, 0.035, scaled(person.skin, 0.62))
    for side in (-1, 1):
        head.ellipse(tip + side * 0.55 * width, 0.345, 2.6, 0.025, scaled(person.skin, 0.35))


def draw_eye(head: HeadMap, person: Person, side: int) -> None:
    """Draws brow, lid, white and iris of one eye."""
    x = side * EYE_LONGITUDE
    brow = np.array([-12.0, -2, 12, 11, -2, -12])
    heights = EYE_HEIGHT - 0.19 + np.array([0.03, -0.02, 0.03, 0.055, 0.03, 0.065]) * person.brow
    head.polygon(x + side * brow, heights, scaled(person.hair, 0.7))
    head.ellipse(x, EYE_HEIGHT, 11, 0.066, scaled(person.skin, 0.35))
    head.ellipse(x, EYE_HEIGHT + 0.012, 9.5, 0.046, (225.0, 220.0, 215.0))
    head.ellipse(x, EYE_HEIGHT + 0.005, 5.0, 0.05, person.eyes)
    head.ellipse(x, EYE_HEIGHT + 0.005, 2.4, 0.026, (10.0, 10.0, 10.0))


def draw_mouth(head: HeadMap, person: Person, appearance: Appearance) -> None:
    """Draws closed lips, or a smile that shows the teeth."""
    red, green, blue = scaled(person.skin, 0.75)
    lips = (min(255.0, red * 1.1), green * 0.72, blue * 0.78)
    across = np.linspace(-1, 1, 13)
    if not appearance.smiles:
        head.polygon(*band(across * 15, MOUTH_HEIGHT, 0.028 * (1 - across**2), 0.05 * (1 - across**2)), lips)
        head.polygon(*band(across * 15, MOUTH_HEIGHT, 0.004, 0.012), scaled(lips, 0.5))
        return
    curve = MOUTH_HEIGHT + 0.07 - 0.12 * across**2
    opening = 1 - across**2
    head.polygon(*band(across * 22, curve, 0.045 * opening + 0.01, 0.09 * opening + 0.015), lips)
    head.polygon(*band(across * 19, curve, 0.015 * opening, 0.065 * opening), (238.0, 234.0, 226.0))
    for side in (-1, 1):
        head.polygon(np.array([22.5, 25, 22.5]) * side, [0.4, 0.46, 0.52], scaled(person.skin, 0.68))


def band(across: Points, middle: npt.ArrayLike, above: npt.ArrayLike, below: npt.ArrayLike) -> tuple[Points, Points]:
    """The outline of a band around a curve: forth along its upper edge and back along its lower."""
    upper = np.broadcast_to(np.asarray(middle) - above, across.shape)
    lower = np.broadcast_to(np.asarray(middle) + below, across.shape)
    return np.concatenate([across, across[::-1]]), np.concatenate([upper, lower[::-1]])


def draw_hair(head: HeadMap, person: Person) -> None:
    """Covers crown and sides; long hair comes further forward and hides the ears."""
    sides, end = (62.0, 1.0) if person.has_long_hair else (80.0, 0.1)
    for side in (-1, 1):
        longitudes = np.array([0, 25, 45, sides - 4, sides, sides + 4, 136, 136, 0]) * side
        lift = side * person.fringe
        heights = [-0.6, -0.58 + lift / 2, -0.5 + lift, -0.3 + lift / 2, 0.0, end, end, -1.0, -1.0]
        head.polygon(longitudes, heights, person.hair)
        head.polygon(np.array([100, 136, 136, 100]) * side, [-1, -1, 0.75, 0.75], scaled(person.hair, 0.85))
    head.ellipse(400 * person.fringe, -0.8, 30, 0.06, scaled(person.hair, 1.2))


def draw_glasses(head: HeadMap, appearance: Appearance) -> None:
    """Draws rims, bridge and temples before the eyes."""
    middle = GLASSES_PARALLAX * appearance.pose
    for side in (-1, 1):
        x = middle + side * (EYE_LONGITUDE + 0.5)
        outer = np.stack(outline(x, EYE_HEIGHT + 0.01, 17.0, 0.15, 0.7), axis=-1)
        inner = np.stack(outline(x, EYE_HEIGHT + 0.01, 14.0, 0.12, 0.7), axis=-1)
        head.shade(*outline(x, EYE_HEIGHT + 0.01, 16, 0.14, 0.7), 0.84)
        ring = np.concatenate([outer, outer[:1], inner[:1], inner[::-1]])
        head.polygon(ring[:, 0], ring[:, 1], appearance.frame)
        temple = x + side * np.array([16, 70, 70, 16])
        head.polygon(temple, EYE_HEIGHT + np.array([-0.055, -0.045, -0.02, -0.015]), appearance.frame)
    head.polygon(
        middle + np.array([-8, 8, 8, -8]), EYE_HEIGHT + np.array([-0.05, -0.05, -0.01, -0.01]), appearance.frame
    )
