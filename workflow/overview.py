"""README's picture out of the current run's figures: `make overview` writes docs/images/overview.png.

Input: PNGs under results/figures. Output: one PNG, (H, 1024, 3) uint8: samples of bedrooms and faces side by side, then
windows removed, then arithmetic beside a face turned; the same bytes for the same figures.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from dcgan.drawing import beside
from dcgan.files import InputError
from dcgan.pixels import Images, write_png
from workflow.stage import run_stage

WIDTH = 1024
ROWS = (
    ("samples_bedrooms.png", "samples_faces.png"),
    ("windows_bedrooms.png",),
    ("arithmetic_faces.png", "turn_faces.png"),
)


def main(arguments: list[str] | None = None) -> None:
    """Stacks the figures; raises InputError where one is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figures", type=Path, default=Path("results/figures"))
    parser.add_argument("--out", type=Path, default=Path("docs/images/overview.png"))
    args = parser.parse_args(arguments)
    rows = [beside([fitted(args.figures / name, WIDTH // len(names)) for name in names], gap=0) for names in ROWS]
    write_png(args.out, np.vstack(rows))


def fitted(path: Path, width: int) -> Images:
    """A picture at the given width, (H, width, 3) uint8 RGB."""
    picture = cv2.imread(str(path))
    if picture is None:
        raise InputError(f"{path}: no such figure; `make repro` makes it")
    height = round(picture.shape[0] * width / picture.shape[1])
    resized = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(resized, cv2.COLOR_BGR2RGB), np.uint8)


if __name__ == "__main__":
    run_stage(main)
