"""Trains the classifier that reads a face: glasses, smile, hair and pose, on real crops with recorded attributes.

Paper: section 6.3.2, where exemplars of concepts were chosen, and results judged, by eye.
Inputs:  a store of crops, uint8 (N, S, S, 3); detections.csv, whose kept rows are the crops in order; a table of
         recorded faces: photo, x, y, width, height, attributes, pose in degrees (negative: to the viewer's left);
         `classifiers.faces.<name>` of params.yaml.
Outputs: a classifier (safetensors); a JSON of its accuracy on crops it was not trained on.
Published: none.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dcgan.core.files import InputError, write_json
from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.data.image_store import ImageStore
from dcgan.internals.attribute_classifiers import FaceClassifier, Floats, split, train_classifier
from dcgan.internals.ground_truth import face_targets, match_faces
from workflow.engines.figure_options import figure_parser, section_named
from workflow.engines.stage import load_params, prepare, run_stage
from workflow.params.sections import FaceClassifierSection

FRONT_DEGREES = 10.0


def main(arguments: list[str] | None = None) -> None:
    args = figure_parser(__doc__, "images", "detections", "truth", "out", "metrics").parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.classifiers.faces, args.name, "classifiers.faces")
    seed = params.run.seed

    prepare(params.run)
    store = ImageStore(args.images)
    crops, targets = known_faces(store, args.detections, args.truth, section)
    trained, held_out = split(len(crops), section.held_out, numpy_generator(seed, "classifier", args.name, "split"))
    classifier = FaceClassifier(store.shape[1], section.width, section.attributes, section.pose_range)
    classifier.initialize(torch_generator(seed, "classifier", args.name))
    train_classifier(
        classifier,
        store.images[crops[trained]],
        targets[trained],
        section.epochs,
        section.batch_size,
        section.learning_rate,
        section.noise,
        torch_generator(seed, "classifier", args.name, "batches"),
    )
    classifier.save(args.out)
    figures = accuracy(classifier.predict(store.images[crops[held_out]]), targets[held_out], section.attributes)
    write_json(args.metrics, {"crops": len(store), "crops_with_truth": len(crops), **figures})


def known_faces(
    store: ImageStore, detections_path: Path, truth_path: Path, section: FaceClassifierSection
) -> tuple["np.ndarray[Any, np.dtype[np.int64]]", Floats]:
    """Numbers of the crops that show a recorded face, and what is recorded of it."""
    detections = pd.read_csv(detections_path)
    kept = detections[detections["kept"].astype(bool)].reset_index(drop=True)
    if len(kept) != len(store):
        raise InputError(f"{detections_path}: {len(kept)} kept detections, but {store.path} has {len(store)} crops")
    faces = pd.read_csv(truth_path).rename(columns={"photo": "key"})
    if "hair" in faces.columns:
        faces["long_hair"] = (faces["hair"] == "long").astype(int)
    matches = match_faces(kept, faces, section.overlap)
    crops = np.flatnonzero(matches >= 0)
    if len(crops) == 0:
        raise InputError(f"{truth_path}: no recorded face lies where {detections_path} found one")
    return crops, face_targets(faces.iloc[matches[crops]], section.attributes)


def accuracy(answers: Floats, targets: Floats, attributes: list[str]) -> dict[str, Any]:
    """Share of right answers an attribute beside that of the commoner value, and the pose's error."""
    figures: dict[str, Any] = {"held_out": len(targets)}
    for column, name in enumerate(attributes):
        true = targets[:, column] > 0.5
        figures[f"{name}_accuracy"] = float(((answers[:, column] > 0.5) == true).mean())
        figures[f"{name}_commoner"] = float(max(true.mean(), 1 - true.mean()))
    errors = np.abs(answers[:, -1] - targets[:, -1])
    figures["pose_mean_error_degrees"] = float(errors.mean())
    figures["pose_spread_degrees"] = float(targets[:, -1].std())
    turned = [np.digitize(column[:, -1], [-FRONT_DEGREES, FRONT_DEGREES]) for column in (answers, targets)]
    figures["pose_left_front_right_accuracy"] = float((turned[0] == turned[1]).mean())
    return figures


if __name__ == "__main__":
    run_stage(main)
