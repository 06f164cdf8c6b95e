"""How far an attribute classifier is right, by hand: the report's numbers on the classifiers rest on these alone."""

import numpy as np
import pytest

from dcgan.internals.classifier_accuracy import face_accuracy, window_accuracy


def test_windows_by_hand() -> None:
    """Five images of 2 x 2 positions: a window found, one missed, one where there is none, and twice nothing."""
    targets, answers = np.zeros((5, 2, 2), np.float32), np.full((5, 2, 2), 0.1, np.float32)
    targets[0, 0], answers[0, 0] = 1, 0.9
    targets[1, 1, 1] = 1
    answers[2, 0, 0] = 0.6
    assert window_accuracy(answers, targets) == pytest.approx(
        {
            "images": 5,
            "position_accuracy": 18 / 20,
            "position_share_without": 17 / 20,
            "image_accuracy": 3 / 5,
            "image_share_with": 2 / 5,
            "found_share": 1 / 2,
            "false_share": 1 / 3,
        }
    )
    assert window_accuracy(answers[2:3], targets[2:3])["false_share"] == 1
    assert window_accuracy(answers[:1], targets[:1])["found_share"] == 1
    assert window_accuracy(answers[:1], targets[:1])["false_share"] is None
    assert window_accuracy(answers[2:], targets[2:])["found_share"] is None


def test_faces_by_hand() -> None:
    """A quarter wears glasses, three quarters smile: always "no", or always "yes", is right as often."""
    targets = np.array([[1, 1, -20], [0, 1, 0], [0, 1, 0], [0, 0, 20]], np.float32)
    answers = np.array([[0.9, 0.2, -15], [0.8, 0.9, 5], [0.1, 0.9, -15], [0.2, 0.7, 20]], np.float32)
    assert face_accuracy(answers, targets, ["glasses", "smile"]) == pytest.approx(
        {
            "held_out": 4,
            "glasses_accuracy": 3 / 4,
            "glasses_commoner": 3 / 4,
            "smile_accuracy": 2 / 4,
            "smile_commoner": 3 / 4,
            "pose_mean_error_degrees": (5 + 5 + 15 + 0) / 4,
            "pose_spread_degrees": 200**0.5,
            "pose_left_front_right_accuracy": 3 / 4,
        }
    )
