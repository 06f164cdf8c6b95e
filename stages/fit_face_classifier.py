"""Trains the classifier that reads a face: glasses, smile, hair and pose, on real crops with recorded attributes.

Paper: section 6.3.2, where exemplars of concepts were chosen, and results judged, by eye.
Inputs:  a store of crops, uint8 (N, S, S, 3); detections.csv, whose kept rows are the crops in order; a table of
         recorded faces: photo, x, y, width, height, attributes, pose in degrees (negative: to the viewer's left);
         `classifiers.faces.<name>` of params.yaml.
Outputs: a classifier (safetensors); a JSON of its accuracy on crops it was not trained on.
Published: none.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcgan.core.files import InputError, read_csv, write_json
from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.core.splits import hold_out
from dcgan.data.image_store import ImageStore
from dcgan.internals.attribute_classifiers import ClassifierSettings, FaceClassifier, train_classifier
from dcgan.internals.classifier_accuracy import face_accuracy
from dcgan.internals.ground_truth import Floats, faces_with_truth
from workflow.engines.options import figure_parser, section_named, settings_from
from workflow.engines.stage import load_params, prepare, run_stage
from workflow.params.sections import FaceClassifierSection


def main(arguments: list[str] | None = None) -> None:
    args = figure_parser(__doc__, "images", "detections", "truth", "out", "metrics").parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.classifiers.faces, args.name, "classifiers.faces")
    seed = params.run.seed

    device = prepare(params.run)
    store = ImageStore(args.images)
    crops, targets = known_faces(store, args.detections, args.truth, section)
    count = round(len(crops) * section.held_out)
    trained, held_out = hold_out(len(crops), count, numpy_generator(seed, "classifier", args.name, "split"))
    classifier = FaceClassifier(
        store.shape[1], width=section.width, attributes=section.attributes, pose_range=section.pose_range
    )
    classifier.initialize(torch_generator(seed, "classifier", args.name)).to(device)
    settings = settings_from(section, ClassifierSettings)
    random = torch_generator(seed, "classifier", args.name, "batches")
    train_classifier(classifier, store.images[crops[trained]], targets[trained], settings, random)
    classifier.save(args.out)
    answers = classifier.predict(store.images[crops[held_out]])
    figures = face_accuracy(answers, targets[held_out], section.attributes)
    write_json(args.metrics, {"crops": len(store), "crops_with_truth": len(crops), **figures})


def known_faces(
    store: ImageStore, detections_path: Path, truth_path: Path, section: FaceClassifierSection
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Numbers of the crops that show a recorded face, and its targets; raises InputError if there is none."""
    detections = read_csv(detections_path, {"key": str, "kept": bool})
    on_crops = detections[detections["kept"]].reset_index(drop=True)
    if len(on_crops) != len(store):
        raise InputError(f"{detections_path}: {len(on_crops)} kept detections, but {store.path} has {len(store)} crops")
    faces = read_csv(truth_path, {"photo": str}).rename(columns={"photo": "key"})
    if "hair" in faces.columns:
        faces["long_hair"] = (faces["hair"] == "long").astype(int)
    crops, targets = faces_with_truth(on_crops, faces, section.attributes, section.overlap)
    if len(crops) == 0:
        raise InputError(f"{truth_path}: no recorded face lies where {detections_path} found one")
    return crops, targets


if __name__ == "__main__":
    run_stage(main)
