"""Rendered bedrooms: bytes, format, planted near-duplicates, window boxes."""

from pathlib import Path
from typing import Any

import cv2
import lmdb
import numpy as np
import pandas as pd
import pytest

from demo.bedrooms import KINDS, write_bedrooms

SEED, ROOMS, DUPLICATES = 7, 40, 10


def read_values(folder: Path) -> dict[str, bytes]:
    with lmdb.open(str(folder), readonly=True, lock=False) as environment, environment.begin() as transaction:
        return {bytes(key).decode(): bytes(value) for key, value in transaction.cursor()}


def decode(value: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(value, np.uint8), cv2.IMREAD_COLOR)


def small_crop(image: Any) -> Any:
    """The central square at 32 x 32, as float."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    return cv2.resize(square, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bedrooms")
    write_bedrooms(path, SEED, ROOMS, DUPLICATES, processes=1)
    return path


@pytest.fixture(scope="module")
def values(folder: Path) -> dict[str, bytes]:
    return read_values(folder / "bedroom_train_lmdb")


def test_same_bytes_twice(folder: Path, tmp_path: Path) -> None:
    write_bedrooms(tmp_path, SEED, ROOMS, DUPLICATES, processes=1)
    for name in ("bedroom_train_lmdb/data.mdb", "truth.csv", "windows.csv"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name


def test_lsun_layout(folder: Path, values: dict[str, bytes]) -> None:
    assert [path.name for path in (folder / "bedroom_train_lmdb").iterdir()] == ["data.mdb"]
    assert len(values) == ROOMS + DUPLICATES
    assert all(len(key) == 40 and int(key, 16) >= 0 for key in values)
    assert {value[:2] for value in values.values()} == {b"\xff\xd8", b"RI"}
    shapes = [decode(value).shape for value in values.values()]
    assert {min(shape[:2]) for shape in shapes} == {256}
    assert all(256 <= max(shape[:2]) <= 342 for shape in shapes)


def test_planted_duplicates_are_near_and_others_are_not(folder: Path, values: dict[str, bytes]) -> None:
    truth = pd.read_csv(folder / "truth.csv")
    assert len(truth) == DUPLICATES
    assert set(truth["kind"]) == set(KINDS)
    assert not set(truth["duplicate_of"]) & set(truth["key"])
    crops = {key: small_crop(decode(value)) for key, value in values.items()}
    originals = [key for key in crops if key not in set(truth["key"])]
    for row in truth.itertuples():
        distances = {key: np.abs(crops[row.key] - crops[key]).mean() for key in originals}
        assert min(distances, key=lambda key: distances[key]) == row.duplicate_of, row.kind
        assert distances[row.duplicate_of] < 16, row.kind


def test_planted_keys_are_spread(folder: Path) -> None:
    truth = pd.read_csv(folder / "truth.csv")
    assert len({key[0] for key in truth["key"]}) >= 5


def test_window_boxes_lie_on_bright_windows(folder: Path, values: dict[str, bytes]) -> None:
    windows = pd.read_csv(folder / "windows.csv")
    assert 0.4 < windows["key"].nunique() / len(values) < 0.8
    is_bright = []
    for row in windows.itertuples():
        image = decode(values[row.key]).astype(np.float32)
        assert (row.image_height, row.image_width) == image.shape[:2]
        inside = np.zeros(image.shape[:2], bool)
        inside[row.y : row.y + row.height, row.x : row.x + row.width] = True
        around = cv2.dilate(inside.astype(np.uint8), np.ones((25, 25))).astype(bool) & ~inside
        is_bright.append(image[inside].mean() > image[around].mean() + 15)
    assert np.mean(is_bright) > 0.9


def test_windows_cover_six_pixels_of_a_small_crop(folder: Path) -> None:
    windows = pd.read_csv(folder / "windows.csv")
    left = np.maximum(windows["x"], (windows["image_width"] - 256) // 2)
    right = np.minimum(windows["x"] + windows["width"], (windows["image_width"] + 256) // 2)
    top = np.maximum(windows["y"], (windows["image_height"] - 256) // 2)
    bottom = np.minimum(windows["y"] + windows["height"], (windows["image_height"] + 256) // 2)
    assert ((right - left) / 8).min() >= 6
    assert ((bottom - top) / 8).min() >= 6
