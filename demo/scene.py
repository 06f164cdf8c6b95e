"""A pinhole camera that looks at a room's back wall, and painting with it: polygons, cuboids, textured surfaces.

Metres; x to the right, y up from the floor, z away from the camera. The camera stands at x = 0, z = 0.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from dcgan.core.pixels import Images
from demo.patches import Colour, scaled

Points = npt.NDArray[np.float64]
SUBPIXEL_BITS = 4
TOP_LIGHT, FRONT_LIGHT, SIDE_LIGHT = 1.0, 0.78, 0.62


@dataclass(frozen=True)
class Camera:
    """Looks along z from `eye_height`; `focal` in pixels, the optical axis meets the image at (centre_x, centre_y)."""

    focal: float
    centre_x: float
    centre_y: float
    eye_height: float

    def project(self, points: Points) -> Points:
        """points: (n, 3) metres -> (n, 2) pixels."""
        scale = self.focal / points[:, 2]
        x = self.centre_x + points[:, 0] * scale
        y = self.centre_y + (self.eye_height - points[:, 1]) * scale
        return np.stack([x, y], axis=1)


def paint_polygon(canvas: Images, points: Points, colour: Colour) -> None:
    """Fills a polygon, (n, 2) pixels, with smooth edges."""
    corners = np.rint(points * (1 << SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillPoly(canvas, [corners], colour, cv2.LINE_AA, SUBPIXEL_BITS)


def wall_rectangle(left: float, right: float, bottom: float, top: float, z: float) -> Points:
    """The corners of an upright rectangle that faces the camera: top left, top right, bottom right, bottom left."""
    return np.array([[left, top, z], [right, top, z], [right, bottom, z], [left, bottom, z]])


def flat_rectangle(left: float, right: float, y: float, near: float, far: float) -> Points:
    """The corners of a level rectangle: far left, far right, near right, near left."""
    return np.array([[left, y, far], [right, y, far], [right, y, near], [left, y, near]])


def side_rectangle(x: float, bottom: float, top: float, near: float, far: float) -> Points:
    """The corners of an upright rectangle along the line of sight: near top, far top, far bottom, near bottom."""
    return np.array([[x, top, near], [x, top, far], [x, bottom, far], [x, bottom, near]])


@dataclass(frozen=True)
class Cuboid:
    """A box whose edges run along the axes."""

    left: float
    right: float
    bottom: float
    top: float
    near: float
    far: float

    def paint(self, canvas: Images, camera: Camera, colour: Colour) -> None:
        """Paints the faces that the camera sees, each with its own share of light."""
        if self.left > 0:
            self._face(canvas, camera, side_rectangle(self.left, self.bottom, self.top, self.near, self.far), colour)
        if self.right < 0:
            self._face(canvas, camera, side_rectangle(self.right, self.bottom, self.top, self.near, self.far), colour)
        if self.top < camera.eye_height:
            level = flat_rectangle(self.left, self.right, self.top, self.near, self.far)
            paint_polygon(canvas, camera.project(level), scaled(colour, TOP_LIGHT))
        front = wall_rectangle(self.left, self.right, self.bottom, self.top, self.near)
        paint_polygon(canvas, camera.project(front), scaled(colour, FRONT_LIGHT))

    def _face(self, canvas: Images, camera: Camera, corners: Points, colour: Colour) -> None:
        paint_polygon(canvas, camera.project(corners), scaled(colour, SIDE_LIGHT))


def paint_texture(canvas: Images, corners: Points, texture: Images) -> None:
    """Maps a texture, (h, w, 3), onto the quadrangle with the (4, 2) corners: its top left, top right and so on."""
    low = np.clip(np.floor(corners.min(axis=0)), 0, None).astype(int)
    high = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 1, canvas.shape[1::-1])
    if (high <= low).any():
        return
    height, width = texture.shape[:2]
    source = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], np.float32)
    transform = cv2.getPerspectiveTransform(source, (corners - low).astype(np.float32))
    part = np.ascontiguousarray(canvas[low[1] : high[1], low[0] : high[0]])
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    canvas[low[1] : high[1], low[0] : high[0]] = cv2.warpPerspective(
        texture, transform, size, dst=part, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
    )
