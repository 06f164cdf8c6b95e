"""Boxes on images, and which positions of a coarse map they cover.

Paper: section 6.3.1 (52 window boxes, drawn by hand on 150 samples).
Inputs: boxes in pixels of an image. Outputs: (N, S, S) bool, a position belongs to a box that covers its centre.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Box:
    """A rectangle on image number `image`, in pixels of that image."""

    image: int
    x: float
    y: float
    width: float
    height: float


def positions_inside(boxes: Sequence[Box], n_images: int, image_size: int, map_size: int) -> Positions:
    """Which positions of a feature map have their centre inside a box: (N, map_size, map_size) bool."""
    inside = np.zeros((n_images, map_size, map_size), np.bool_)
    centres = (np.arange(map_size) + 0.5) * image_size / map_size
    for box in boxes:
        rows = (centres >= box.y) & (centres < box.y + box.height)
        columns = (centres >= box.x) & (centres < box.x + box.width)
        inside[box.image] |= rows[:, None] & columns
    return inside
