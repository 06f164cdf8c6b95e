"""How often an attribute classifier is right on images that it was not trained on.

Inputs: its answers and the targets of dcgan/internals/ground_truth.py, (N, G, G) for windows and (N, attributes + 1)
for faces. Outputs: shares and degrees by name, each beside what a constant answer gets. Published: none.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dcgan.internals.attribute_classifiers import windowed
from dcgan.internals.concepts import THRESHOLD, Floats

FRONT_DEGREES = 10.0  # a pose of less looks to the front


def window_accuracy(probabilities: Floats, targets: Floats) -> dict[str, Any]:
    """How often a position, and a whole image, is classified rightly, beside the share that "no window" gets."""
    found, true = probabilities > THRESHOLD, targets > THRESHOLD
    found_in_image, true_in_image = windowed(probabilities), windowed(targets)
    return {
        "images": len(targets),
        "position_accuracy": float((found == true).mean()),
        "position_share_without": float(1 - true.mean()),
        "image_accuracy": float((found_in_image == true_in_image).mean()),
        "image_share_with": float(true_in_image.mean()),
        "found_share": float(found_in_image[true_in_image].mean()) if true_in_image.any() else None,
        "false_share": float(found_in_image[~true_in_image].mean()) if not np.all(true_in_image) else None,
    }


def face_accuracy(answers: Floats, targets: Floats, attributes: Sequence[str]) -> dict[str, Any]:
    """Share of right answers per attribute beside that of the commoner value, and the error of the pose."""
    figures: dict[str, Any] = {"held_out": len(targets)}
    for column, name in enumerate(attributes):
        true = targets[:, column] > THRESHOLD
        figures[f"{name}_accuracy"] = float(((answers[:, column] > THRESHOLD) == true).mean())
        figures[f"{name}_commoner"] = float(max(true.mean(), 1 - true.mean()))
    errors = np.abs(answers[:, -1] - targets[:, -1])
    figures["pose_mean_error_degrees"] = float(errors.mean())
    figures["pose_spread_degrees"] = float(targets[:, -1].std())
    turned = [np.digitize(column[:, -1], [-FRONT_DEGREES, FRONT_DEGREES]) for column in (answers, targets)]
    figures["pose_left_front_right_accuracy"] = float((turned[0] == turned[1]).mean())
    return figures
