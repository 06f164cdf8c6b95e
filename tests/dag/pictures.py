"""A folder of small pictures of one's own: discs, crosses and stripes in three class folders."""

from pathlib import Path

import cv2
import numpy as np

from dcgan.core.pixels import Images

KINDS = ("crosses", "discs", "stripes")


def picture(kind: str, random: np.random.Generator) -> Images:
    """One shape on a plain ground, (H, W, 3) uint8 of some odd size."""
    height, width = (int(side) for side in random.integers(60, 120, 2))
    ground, colour = random.integers(0, 100, 3), tuple(int(value) for value in random.integers(150, 256, 3))
    image = np.ascontiguousarray(np.broadcast_to(ground, (height, width, 3)).astype(np.uint8))
    x, y, radius = width // 2, height // 2, int(random.integers(12, 28))
    if kind == "discs":
        cv2.circle(image, (x, y), radius, colour, -1)
    elif kind == "crosses":
        cv2.line(image, (x - radius, y), (x + radius, y), colour, 7)
        cv2.line(image, (x, y - radius), (x, y + radius), colour, 7)
    else:
        image[:: int(random.integers(4, 9))] = colour
    return image


def write_pictures(folder: Path, count: int, classes: bool = True) -> Path:
    """So many JPEG files, in class folders or side by side, and a text that is none."""
    random = np.random.default_rng(1)
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        path = folder / (kind if classes else "") / f"{kind}-{number:04}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), picture(kind, random))
    (folder / (KINDS[0] if classes else "") / "notes.txt").write_text("no picture")
    return folder
