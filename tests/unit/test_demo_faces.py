"""Rendered faces: bytes, recorded attributes, and that OpenCV's detector takes them for faces."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from dcgan.core.seeding import numpy_generator
from demo.faces import write_faces
from demo.heads import draw_appearance, draw_person
from demo.people import Place, paint_person

SEED, PHOTOS = 5, 64
CENTRE, UNIT = 100, 55


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("faces")
    write_faces(path, SEED, PHOTOS, processes=1)
    return path


@pytest.fixture(scope="module")
def attributes(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "attributes.csv")


def overlap(box: Any, other: Any) -> float:
    width = min(box[0] + box[2], other[0] + other[2]) - max(box[0], other[0])
    height = min(box[1] + box[3], other[1] + other[3]) - max(box[1], other[1])
    common = max(width, 0) * max(height, 0)
    return float(common / (box[2] * box[3] + other[2] * other[3] - common))


def test_same_bytes_twice(folder: Path, tmp_path: Path) -> None:
    write_faces(tmp_path, SEED, 12, processes=2)
    photos = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.jpg"))
    assert len(photos) == 12
    for photo in photos:
        assert (tmp_path / photo).read_bytes() == (folder / photo).read_bytes()


def test_attributes_are_complete(folder: Path, attributes: pd.DataFrame) -> None:
    columns = ["photo", "x", "y", "width", "height", "glasses", "smile", "pose", "hair"]
    assert list(attributes.columns) == columns
    assert all((folder / "photos" / photo).is_file() for photo in attributes["photo"])
    assert set(attributes["glasses"]) == set(attributes["smile"]) == {0, 1}
    assert set(attributes["hair"]) == {"short", "long"}
    assert attributes["pose"].between(-30, 30).all()
    assert attributes["pose"].min() < -15 < 15 < attributes["pose"].max()


def test_detector_finds_the_faces(folder: Path, attributes: pd.DataFrame) -> None:
    detector = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    found = []
    for photo, faces in attributes.groupby("photo"):
        grey = cv2.imread(str(folder / "photos" / str(photo)), cv2.IMREAD_GRAYSCALE)
        boxes = detector.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=5, minSize=(32, 32))
        for face in faces[["x", "y", "width", "height"]].to_numpy():
            found.append(max((overlap(face, box) for box in boxes), default=0.0) > 0.4)
    assert len(found) >= 55
    assert np.mean(found) >= 0.95


def render(**changes: Any) -> Any:
    """One fixed person on grey, as signed numbers."""
    generator = numpy_generator(3, "person")
    person, appearance = draw_person(generator), draw_appearance(generator)
    appearance = replace(appearance, **{"pose": 0.0, "tilt": 0.0, "smiles": False, "has_glasses": False, **changes})
    photo = np.full((250, 200, 3), 128, np.uint8)
    box = paint_person(photo, Place(CENTRE, CENTRE, UNIT), person, appearance)
    return photo.astype(int), box


def centre_of_change(before: Any, after: Any) -> tuple[float, float]:
    rows, columns = np.nonzero(np.abs(after - before).sum(axis=2) > 30)
    return float(columns.mean()), float(rows.mean())


@pytest.mark.parametrize("pose", [-25.0, 25.0])
def test_features_move_with_the_pose(pose: float) -> None:
    plain, box = render(pose=pose)
    glasses, _ = render(pose=pose, has_glasses=True)
    x, y = centre_of_change(plain, glasses)
    # Glasses hide the far temple, so their centre moves less than the eyes do.
    assert (x - CENTRE) * np.sign(pose) > 0.05 * UNIT
    assert abs(y - CENTRE) < 0.2 * UNIT
    assert (box[0] + box[2] / 2 - CENTRE) * np.sign(pose) > 0.2 * UNIT


def test_a_smile_changes_the_mouth_only() -> None:
    x, y = centre_of_change(render()[0], render(smiles=True)[0])
    assert abs(x - CENTRE) < 3
    assert y > CENTRE + 0.5 * UNIT
