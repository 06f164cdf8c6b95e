"""The moving picture of a training run: its frames, their order, and the same bytes again."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from dcgan.core.files import InputError
from dcgan.core.pixels import tile, write_png
from stages.animate_training import main


def animate(folder: Path, out: Path) -> None:
    main(["--name", "bedrooms", "--frames", str(folder), "--figure", str(out), "--metrics", f"{out}.json"])


def test_frames_in_the_order_of_images_seen_half_of_each_grid_enlarged(tmp_path: Path) -> None:
    for images in (25, 1, 5):
        samples = np.full((64, 6, 6, 3), 10 * images, np.uint8)
        samples[32:] = 0
        write_png(tmp_path / f"frames/frame-{images:010d}.png", tile(samples, 8))
    animate(tmp_path / "frames", tmp_path / "moving.png")
    with Image.open(tmp_path / "moving.png") as moving:
        frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(moving)]
    assert [set(frame.ravel().tolist()) for frame in frames] == [{255, 10}, {255, 50}, {255, 250}], "the first 4 rows"
    assert all(frame.shape == (2 * (4 * 8 + 2), 2 * (8 * 8 + 2), 3) for frame in frames)
    drawn = (32 * 6 * 6) / ((4 * 8 + 2) * (8 * 8 + 2))  # the rest is padding
    said = json.loads((tmp_path / "moving.png.json").read_text())
    expected = {"first_change": pytest.approx(drawn * 40 / 255), "last_change": pytest.approx(drawn * 200 / 255)}
    assert said == {"grids": 3, **expected}
    animate(tmp_path / "frames", tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "moving.png").read_bytes()


def test_one_grid_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_png(tmp_path / "frames/frame-0000000001.png", tile(np.zeros((64, 6, 6, 3), np.uint8), 8))
    animate(tmp_path / "frames", tmp_path / "still.png")
    assert "train.bedrooms.frame_images was never reached: one grid" in capsys.readouterr().err
    assert json.loads((tmp_path / "still.png.json").read_text()) == {"grids": 1}


def test_a_folder_without_grids(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no frame-"):
        animate(tmp_path, tmp_path / "moving.png")
    assert not (tmp_path / "moving.png").exists()
