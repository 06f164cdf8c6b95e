"""Outlines that drawn things are made of: polygons in the square from -1 to 1, y down, each with its tone."""

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Part = tuple[Points, int]
# The tone of a part: main colour, second colour, dark, light.
MAIN, SECOND, DARK, LIGHT = range(4)


def polygon(tone: int, *corners: tuple[float, float]) -> Part:
    """A polygon."""
    return np.array(corners, np.float64), tone


def box(tone: int, left: float, top: float, right: float, bottom: float) -> Part:
    """An upright rectangle."""
    return polygon(tone, (left, top), (right, top), (right, bottom), (left, bottom))


def oval(tone: int, x: float, y: float, half_width: float, half_height: float, turn: float = 0.0) -> Part:
    """An ellipse, turned by an angle in radians."""
    angles = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    along, across = half_width * np.cos(angles), half_height * np.sin(angles)
    cosine, sine = np.cos(turn), np.sin(turn)
    return np.stack([x + along * cosine - across * sine, y + along * sine + across * cosine], axis=1), tone


def ring(tone: int, x: float, y: float, radius: float, inner: float, start: float, stop: float) -> Part:
    """A part of a ring between two angles in radians."""
    angles = np.linspace(start, stop, 14)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.concatenate([circle * radius, circle[::-1] * inner]) + np.array([x, y]), tone
