"""Rendered things in CIFAR-10's and ImageNet's layouts: bytes, records, classes that shape alone tells apart."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

from demo.objects import CIFAR_CLASSES, CLASSES, write_objects
from tests.conftest import digests_below

SEED, OBJECTS, PICTURES = 4, 500, 460


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("objects")
    write_objects(path, SEED, OBJECTS, PICTURES, processes=1)
    return path


def read_records(path: Path) -> tuple[Any, Any]:
    records = np.frombuffer(path.read_bytes(), np.uint8).reshape(-1, 3073)
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), records[:, 0]


def read_train(folder: Path) -> tuple[Any, Any]:
    batches = [read_records(folder / "cifar-10-batches-bin" / f"data_batch_{number}.bin") for number in range(1, 6)]
    assert [len(labels) for _, labels in batches] == [OBJECTS // 5] * 5
    return np.concatenate([images for images, _ in batches]), np.concatenate([labels for _, labels in batches])


def shape_features(images: Any) -> Any:
    histogram = cv2.HOGDescriptor((32, 32), (16, 16), (8, 8), (8, 8), 9)
    return np.stack([histogram.compute(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)).ravel() for image in images])


def test_same_bytes_twice(folder: Path, tmp_path: Path) -> None:
    write_objects(tmp_path, SEED, OBJECTS, PICTURES, processes=1)
    found = digests_below(folder)
    assert digests_below(tmp_path) == found and len(found) == 7 + PICTURES


def test_cifar_layout(folder: Path) -> None:
    _, labels = read_train(folder)
    assert np.bincount(labels).tolist() == [OBJECTS // 10] * 10
    _, test_labels = read_records(folder / "cifar-10-batches-bin" / "test_batch.bin")
    assert len(test_labels) == OBJECTS // 5
    names = (folder / "cifar-10-batches-bin" / "batches.meta.txt").read_text().split()
    assert names == CIFAR_CLASSES


def test_imagenet_layout(folder: Path) -> None:
    synsets = sorted(path.name for path in (folder / "imagenet").iterdir())
    assert synsets == [f"n{number + 1:08d}" for number in range(len(CLASSES))]
    paths = sorted((folder / "imagenet").rglob("*.JPEG"))
    assert len(paths) == PICTURES
    sizes = np.array([cv2.imread(str(path)).shape[:2] for path in paths[::10]])
    assert sizes.min() >= 64
    assert sizes.max() <= 96
    assert (sizes[:, 0] != sizes[:, 1]).any()


def test_shape_tells_the_classes_and_colour_does_not(folder: Path) -> None:
    images, labels = read_train(folder)
    test_images, test_labels = read_records(folder / "cifar-10-batches-bin" / "test_batch.bin")
    by_shape = RidgeClassifier(1.0).fit(shape_features(images), labels)
    by_colour = RidgeClassifier(1.0).fit(images.mean(axis=(1, 2)), labels)
    assert by_shape.score(shape_features(test_images), test_labels) > 0.6
    assert by_colour.score(test_images.mean(axis=(1, 2)), test_labels) < 0.3
