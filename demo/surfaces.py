"""Walls, floors, windows and cloth seen face on: small textures that rooms map into their perspective."""

import cv2
import numpy as np
import numpy.typing as npt

from dcgan.core.pixels import Images
from demo.patches import Colour, Floats, homely_colour, hsv, natural_patch

TEXTURE_SIDE = 96
Tones = npt.NDArray[np.float32]


def coloured(tones: Tones, colour: Colour) -> Images:
    """tones: (h, w) shares of light around 1 -> (h, w, 3) uint8 of that colour."""
    return np.asarray(cv2.merge([cv2.convertScaleAbs(tones, alpha=channel) for channel in colour]), np.uint8)


def cloudy(generator: np.random.Generator, cells: int, amount: float) -> Tones:
    """Smooth random tones of mean 1, with `cells` x `cells` independent values."""
    coarse = generator.uniform(1 - amount, 1 + amount, (cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (TEXTURE_SIDE, TEXTURE_SIDE), interpolation=cv2.INTER_LINEAR), np.float32)


def wallpaper(generator: np.random.Generator) -> Images:
    """A wall: plain plaster, stripes, panelling below or a band of another colour; (96, 96, 3) uint8."""
    colour = homely_colour(generator, (0.03, 0.5), (0.42, 0.78))
    tones = cloudy(generator, 5, 0.05)
    kind = generator.choice(["plain", "stripes", "panels", "two colours"], p=[0.5, 0.2, 0.15, 0.15])
    if kind == "stripes":
        wave = np.sin(np.arange(TEXTURE_SIDE) * 2 * np.pi / generator.uniform(6, 16))
        tones *= 1 + generator.uniform(0.04, 0.14) * np.sign(wave)[None].astype(np.float32)
    wall = coloured(tones, colour)
    border = int(TEXTURE_SIDE * generator.uniform(0.55, 0.72))
    if kind == "panels":
        wall[border:] = coloured(tones[border:], hsv(0.1, 0.08, generator.uniform(0.55, 0.75)))
    elif kind == "two colours":
        wall[border:] = coloured(tones[border:], homely_colour(generator, (0.1, 0.5), (0.3, 0.7)))
    return wall


def planks(generator: np.random.Generator) -> Images:
    """A wooden floor whose boards run away from the camera; (96, 96, 3) uint8."""
    boards = int(generator.integers(8, 20))
    coarse = generator.uniform(0.86, 1.1, (4, boards)).astype(np.float32)
    tones = np.asarray(cv2.resize(coarse, (TEXTURE_SIDE, TEXTURE_SIDE), interpolation=cv2.INTER_NEAREST), np.float32)
    tones *= generator.uniform(0.95, 1.05, (1, TEXTURE_SIDE)).astype(np.float32)
    colour = hsv(generator.uniform(0.03, 0.11), generator.uniform(0.25, 0.65), generator.uniform(0.3, 0.72))
    return coloured(tones, colour)


def carpet(generator: np.random.Generator) -> Images:
    """A carpet with a short pile; (96, 96, 3) uint8."""
    tones = generator.uniform(0.92, 1.08, (TEXTURE_SIDE, TEXTURE_SIDE)).astype(np.float32) * cloudy(generator, 4, 0.06)
    return coloured(tones, homely_colour(generator, (0.03, 0.4), (0.3, 0.72)))


def floor_tiles(generator: np.random.Generator) -> Images:
    """Square tiles in two tones; (96, 96, 3) uint8."""
    tiles = int(generator.integers(5, 10))
    board = (np.indices((tiles, tiles)).sum(axis=0) % 2).astype(np.float32)
    tones = cv2.resize(board, (TEXTURE_SIDE, TEXTURE_SIDE), interpolation=cv2.INTER_NEAREST)
    return coloured(1 - generator.uniform(0.08, 0.35) * tones, homely_colour(generator, (0.02, 0.3), (0.45, 0.78)))


def flooring(generator: np.random.Generator) -> Images:
    """A floor of boards, carpet or tiles; (96, 96, 3) uint8."""
    return [planks, planks, carpet, carpet, floor_tiles][generator.integers(5)](generator)


def daylight(generator: np.random.Generator, height: int, width: int) -> Images:
    """The bright view from a window, sky above and sometimes hazy land below; (height, width, 3) uint8."""
    zenith = np.array(hsv(generator.uniform(0.5, 0.62), generator.uniform(0.02, 0.22), 0.97), np.float32)
    horizon = np.array(hsv(generator.uniform(0.1, 0.6), generator.uniform(0.0, 0.08), 1.0), np.float32)
    share = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    view: Floats = np.broadcast_to(zenith * (1 - share) + horizon * share, (height, width, 3)).copy()
    if generator.random() < 0.4:
        land = height - int(height * generator.uniform(0.1, 0.3))
        view[land:] = 0.65 * view[land:] + 0.35 * natural_patch(generator, height - land, width)
    return view.astype(np.uint8)


def picture(generator: np.random.Generator) -> Images:
    """The content of a picture frame: a darkened part of a photograph; (48, 48, 3) uint8."""
    painting = cv2.convertScaleAbs(natural_patch(generator, 48, 48), alpha=generator.uniform(0.4, 0.8))
    return np.asarray(painting, np.uint8)


def bedspread(generator: np.random.Generator) -> Images:
    """A blanket, plain, striped or checked: (96, 96, 3) uint8."""
    tones = cloudy(generator, 6, 0.06)
    wave = np.sign(np.sin(np.linspace(0, 2 * np.pi * generator.uniform(2, 6), TEXTURE_SIDE))).astype(np.float32)
    contrast = generator.uniform(0.06, 0.3)
    is_striped, is_checked = generator.random(2) < 0.4
    if is_striped:
        tones *= 1 - contrast * (wave[None] > 0)
    if is_checked:
        tones *= 1 - contrast * (wave[:, None] > 0)
    return coloured(tones, homely_colour(generator, (0.05, 0.75), (0.4, 0.95)))


def fabric(generator: np.random.Generator, colour: Colour) -> Images:
    """Cloth with folds that hang down: (96, 96, 3) uint8."""
    folds = generator.uniform(2, 5)
    wave = np.sin(np.linspace(0, 2 * np.pi * folds, TEXTURE_SIDE) + generator.uniform(0, 6))
    return coloured(np.tile(0.92 + 0.12 * wave, (TEXTURE_SIDE, 1)).astype(np.float32), colour)
