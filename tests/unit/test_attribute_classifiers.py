"""Classifiers: targets from recorded truth, training on what is easily seen, files; and choosing exemplars by them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dcgan.core.files import InputError
from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.internals.attribute_classifiers import (
    ClassifierSettings,
    FaceClassifier,
    WindowClassifier,
    boxes_of,
    train_classifier,
    windowed,
)
from dcgan.internals.boxes import Box
from dcgan.internals.concepts import as_attributes, confidence, describe, expected, most_typical, shows
from dcgan.internals.ground_truth import face_targets, match_faces, window_targets, windows_on_crops


def bright_squares(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise with a bright 8x8 square, on the 8x8 grid, on every second image; and where it is."""
    random = numpy_generator(1, "squares")
    images = random.integers(0, 120, (n, 32, 32, 3), dtype=np.uint8)
    targets = np.zeros((n, 8, 8), np.float32)
    for number in range(0, n, 2):
        row, column = random.integers(0, 7, 2)
        images[number, 4 * row : 4 * row + 8, 4 * column : 4 * column + 8] = 250
        targets[number, row : row + 2, column : column + 2] = 1
    return images, targets


def trained_window_classifier(seed: int) -> WindowClassifier:
    images, targets = bright_squares(256)
    classifier = WindowClassifier(32, 4, 8).initialize(torch_generator(seed, "weights"))
    settings = ClassifierSettings(epochs=4, batch_size=32, learning_rate=0.01, noise=0.05)
    train_classifier(classifier, images, targets, settings, torch_generator(seed, "batches"))
    return classifier


def test_window_classifier_learns_where_bright_squares_are() -> None:
    images, targets = bright_squares(320)
    answers = trained_window_classifier(1).predict(images)[256:]
    assert answers.shape == (64, 8, 8)
    assert ((answers > 0.5) == (targets[256:] > 0.5)).mean() > 0.98
    assert (windowed(answers) == windowed(targets[256:])).mean() > 0.95


def test_less_than_a_batch_is_refused() -> None:
    """Without a step the classifier would be saved as it was drawn."""
    images, targets = bright_squares(32)
    classifier, before = (WindowClassifier(32, 4, 8).initialize(torch_generator(1, "weights")) for _ in range(2))
    settings = ClassifierSettings(epochs=1, batch_size=32, learning_rate=0.01, noise=0.05)
    train_classifier(classifier, images, targets, settings, torch_generator(1, "batches"))
    assert not np.array_equal(classifier.predict(images), before.predict(images))
    with pytest.raises(InputError, match="^batch_size is 33, and only 32 images are learned from$"):
        train_classifier(classifier, images, targets, replace(settings, batch_size=33), torch_generator(1, "batches"))


def test_training_depends_on_its_generators_only() -> None:
    images, _ = bright_squares(8)
    np.random.seed(3)  # noqa: NPY002  (the global generator must have no effect)
    assert np.array_equal(trained_window_classifier(2).predict(images), trained_window_classifier(2).predict(images))


def test_a_classifier_s_file_opens_as_that_classifier_only(tmp_path: Path) -> None:
    classifier = WindowClassifier(32, 4, 8).initialize(torch_generator(1, "weights"))
    classifier.save(tmp_path / "classifier.safetensors")
    images, _ = bright_squares(4)
    again = WindowClassifier.from_file(tmp_path / "classifier.safetensors")
    assert np.array_equal(again.predict(images), classifier.predict(images))
    first = (tmp_path / "classifier.safetensors").read_bytes()
    again.save(tmp_path / "classifier.safetensors")
    assert (tmp_path / "classifier.safetensors").read_bytes() == first
    with pytest.raises(InputError, match="expected a classifier of faces, found windows"):
        FaceClassifier.from_file(tmp_path / "classifier.safetensors")
    (tmp_path / "none").write_text("nothing")
    with pytest.raises(InputError, match="not a readable classifier"):
        WindowClassifier.from_file(tmp_path / "none")


def test_face_classifier_reads_an_attribute_and_a_pose() -> None:
    random = numpy_generator(4, "faces")
    images = random.integers(0, 60, (400, 16, 16, 3), dtype=np.uint8)
    targets = np.stack([random.integers(0, 2, 400), random.uniform(-30, 30, 400)], axis=1).astype(np.float32)
    for image, (attribute, pose) in zip(images, targets, strict=True):
        image[:4] = 255 if attribute else 0
        column = round(8 + pose / 30 * 6)
        image[8:, column - 1 : column + 1] = 250
    classifier = FaceClassifier(16, 8, ["hat"], 30.0).initialize(torch_generator(4, "weights"))
    settings = ClassifierSettings(epochs=12, batch_size=32, learning_rate=0.01, noise=0.02)
    train_classifier(classifier, images[:320], targets[:320], settings, torch_generator(4, "batches"))
    answers = classifier.predict(images[320:])
    assert ((answers[:, 0] > 0.5) == (targets[320:, 0] > 0.5)).mean() > 0.95
    assert np.abs(answers[:, 1] - targets[320:, 1]).mean() < 5


def test_boxes_surround_connected_positions() -> None:
    answers = np.zeros((2, 8, 8), np.float32)
    answers[0, 1:3, 2:5] = 0.9
    answers[0, 6, 6] = 0.6
    assert boxes_of(answers, 32) == [Box(0, 8, 4, 12, 8), Box(0, 24, 24, 4, 4)]


def test_windows_follow_the_central_crop() -> None:
    table = pd.DataFrame(
        [("b", 100, 64, 64, 64, 343, 256), ("gone", 0, 0, 9, 9, 256, 256), ("a", 32, 107, 32, 64, 256, 342)],
        columns=["key", "x", "y", "width", "height", "image_width", "image_height"],
    )
    boxes = windows_on_crops(table, ["a", "b"], 32)
    # The crop of "b" begins at x 43.5, that of "a" at y 43; 256 pixels become 32.
    assert boxes == [Box(1, (100 - 43.5) / 8, 8, 8, 8), Box(0, 4, 8, 4, 8)]
    targets = window_targets(boxes, 2, 32, 8)
    assert targets[0].sum() == 1 * 2 and targets[0, 2:4, 1].all()
    with pytest.raises(InputError, match="no column image_width"):
        windows_on_crops(table.drop(columns="image_width"), ["a"], 32)


def test_detections_are_matched_to_the_faces_they_show() -> None:
    faces = pd.DataFrame(
        {"key": ["p", "p", "q"], "x": [0, 100, 0], "y": 0, "width": 50, "height": 50, "hat": [0, 1, 1], "pose": 5.0}
    )
    detections = pd.DataFrame(
        {"key": ["q", "p", "p", "r"], "x": [60, 98, 4, 0], "y": [0, 2, 0, 0], "width": 50, "height": 50}
    )
    matches = match_faces(detections, faces, 0.3)
    assert matches.tolist() == [-1, 1, 0, -1]
    assert face_targets(faces.iloc[matches[1:3]], ["hat"]).tolist() == [[1, 5], [0, 5]]


ANSWERS = np.array([[0.9, 0.2, 0], [0.6, 0.1, 0], [0.4, 0.9, 0]], np.float32)
ATTRIBUTES = ["glasses", "smile"]


def test_confidence_is_that_of_the_least_sure_attribute() -> None:
    concept = {"glasses": 1, "smile": 0}
    assert confidence(ANSWERS, ATTRIBUTES, concept).tolist() == pytest.approx([0.8, 0.6, 0.1])  # type: ignore[arg-type]
    assert shows(ANSWERS, ATTRIBUTES, concept).tolist() == [True, True, False]  # type: ignore[arg-type]
    assert most_typical(confidence(ANSWERS, ATTRIBUTES, {"smile": 1}), 2).tolist() == [2, 0]
    with pytest.raises(InputError, match="hat: the classifier knows only glasses, smile"):
        confidence(ANSWERS, ATTRIBUTES, {"hat": 1})


def test_a_name_means_nothing_to_a_classifier() -> None:
    assert as_attributes({"smile": 1}) == {"smile": 1}
    with pytest.raises(InputError, match="'smiling woman' is a name"):
        as_attributes("smiling woman")


def test_what_a_sum_should_show() -> None:
    assert expected({"smile": 1, "man": 0}, {"smile": 0, "man": 0}, {"smile": 0, "man": 1}) == {"smile": 1, "man": 1}
    with pytest.raises(InputError, match="neither 0 nor 1"):
        expected({"smile": 1}, {"smile": 0}, {"smile": 1})
    with pytest.raises(InputError, match="the same attributes"):
        expected({"smile": 1}, {"man": 0}, {"smile": 1})
    assert describe({"smile": 1, "long_hair": 0}) == "smile, no long hair"
