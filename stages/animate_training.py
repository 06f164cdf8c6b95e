"""Shows training as a moving picture: grids of samples of the same z, one after the other.

Inputs:  a folder of grids, frame-<images>.png, as `train_dcgan` writes them every `frame_images` images;
         `figures.animation.<name>` of params.yaml.
Outputs: an animated PNG of their first rows, endlessly repeated, the last grid held longer; every browser shows it,
         without a player. A JSON: how many grids, and how much samples of the same z changed between the first two and
         the last two, mean absolute difference as a share of the pixel range.
Published: none as a moving picture; Figures 2 and 3 are moments of it.
"""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from dcgan.core.files import InputError, replace_when_done, write_json
from workflow.engines.options import figure_parser, section_named
from workflow.engines.stage import load_params, run_stage

GRID_ROWS, GRID_PADDING = 8, 2  # of what train_dcgan draws: 64 samples, two transparent pixels around each


def main(arguments: list[str] | None = None) -> None:
    args = figure_parser(__doc__, "frames", "figure", "metrics").parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.figures.animation, args.name, "figures.animation")
    frames = [part_of(frame, section.rows, section.enlargement) for frame in read_frames(args.frames)]
    if len(frames) == 1:  # of the end of the training, which always makes one
        print(f"train.{args.name}.frame_images was never reached: one grid, which does not move", file=sys.stderr)
    durations = [section.frame_milliseconds] * (len(frames) - 1) + [section.last_frame_milliseconds]
    with replace_when_done(args.figure) as partial:
        # blend 0: a frame replaces the one before it; loop 0: for ever.
        frames[0].save(
            partial, "PNG", save_all=True, append_images=frames[1:], duration=durations, loop=0, blend=0, disposal=0
        )
    moved = changes(frames)
    figures = {"first_change": moved[0], "last_change": moved[-1]} if moved else {}
    write_json(args.metrics, {"grids": len(frames), **figures})


def changes(frames: list[Image.Image]) -> list[float]:
    """Mean absolute difference of each grid from the one before it, as a share of the pixel range."""
    pixels = [np.asarray(frame.convert("RGB"), np.float32) / 255 for frame in frames]
    return [float(np.abs(after - before).mean()) for before, after in pairwise(pixels)]


def read_frames(folder: Path) -> list[Image.Image]:
    """The grids in the order of images seen; raises InputError if there is none or one is broken."""
    paths = sorted(folder.glob("frame-*.png"))
    if not paths:
        raise InputError(f"{folder}: no frame-*.png in it; is train.<name>.frame_images null?")
    try:
        return [Image.open(path).convert("RGBA") for path in paths]
    except (OSError, UnidentifiedImageError) as error:
        raise InputError(f"{folder}: a grid cannot be read ({error})") from error


def part_of(grid: Image.Image, rows: int, enlargement: int) -> Image.Image:
    """The first rows of a grid of eight, and each of its pixels several times; a whole moving grid is a large file."""
    height = min(rows, GRID_ROWS) * (grid.height - GRID_PADDING) // GRID_ROWS + GRID_PADDING
    part = grid.crop((0, 0, grid.width, height))
    return part.resize((part.width * enlargement, part.height * enlargement), Image.Resampling.NEAREST)


if __name__ == "__main__":
    run_stage(main)
