"""The moving picture of a training run: its frames, their order, and the same bytes again."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from dcgan.files import InputError
from dcgan.pixels import write_png
from stages.animate_training import main


def animate(folder: Path, out: Path) -> None:
    main(["--name", "bedrooms", "--frames", str(folder), "--figure", str(out), "--metrics", f"{out}.json"])


def test_frames_in_the_order_of_images_seen_twice_enlarged(tmp_path: Path) -> None:
    for images in (25, 1, 5):
        write_png(tmp_path / f"frames/frame-{images:010d}.png", np.full((8, 12, 3), 10 * images, np.uint8))
    animate(tmp_path / "frames", tmp_path / "moving.png")
    with Image.open(tmp_path / "moving.png") as moving:
        frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(moving)]
    assert [frame[0, 0, 0] for frame in frames] == [10, 50, 250]
    assert all(frame.shape == (16, 24, 3) for frame in frames)
    said = json.loads((tmp_path / "moving.png.json").read_text())
    assert said == {"grids": 3, "first_change": pytest.approx(40 / 255), "last_change": pytest.approx(200 / 255)}
    animate(tmp_path / "frames", tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "moving.png").read_bytes()


def test_a_folder_without_grids(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no frame-"):
        animate(tmp_path, tmp_path / "moving.png")
    assert not (tmp_path / "moving.png").exists()
