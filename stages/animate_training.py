"""Shows training as a moving picture: grids of samples of the same z, one after the other.

Inputs:  a folder of grids, frame-<images>.png, as `train_dcgan` writes them every `frame_images` images;
         `figures.animation.<name>` of params.yaml.
Outputs: an animated PNG, endlessly repeated, the last grid held longer; every browser shows it, without a player. A
         JSON: how many grids, and how much samples of the same z changed between the first two and the last two,
         mean absolute difference as a share of the pixel range.
Published: none as a moving picture; Figures 2 and 3 are moments of it.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from dcgan.files import InputError, replace_when_done, write_json
from workflow.figures import figure_parser, section_named
from workflow.stage import load_params, run_stage


def main(arguments: list[str] | None = None) -> None:
    args = figure_parser(__doc__, "frames", "figure", "metrics").parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.figures.animation, args.name, "figures.animation")
    frames = read_frames(args.frames, section.enlargement)
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
    pixels = [np.asarray(frame, np.float32) / 255 for frame in frames]
    return [float(np.abs(after - before).mean()) for before, after in pairwise(pixels)]


def read_frames(folder: Path, enlargement: int) -> list[Image.Image]:
    """The grids in the order of images seen, enlarged; raises InputError where there is none or one is broken."""
    paths = sorted(folder.glob("frame-*.png"))
    if not paths:
        raise InputError(f"{folder}: no frame-*.png in it; is train.<name>.frame_images null?")
    try:
        frames = [Image.open(path).convert("RGB") for path in paths]
    except (OSError, UnidentifiedImageError) as error:
        raise InputError(f"{folder}: a grid cannot be read ({error})") from error
    size = (frames[0].width * enlargement, frames[0].height * enlargement)
    return [frame.resize(size, Image.Resampling.NEAREST) for frame in frames]


if __name__ == "__main__":
    run_stage(main)
