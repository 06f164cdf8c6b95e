"""Trains the classifier that says where in a bedroom there is a window, on real images with recorded windows.

Paper: section 6.3.1, where boxes were drawn by hand on 150 samples.
Inputs:  an image store, uint8 (N, S, S, 3); a table of windows: key, x, y, width, height, image_width, image_height in
         pixels of the source image; `classifiers.windows.<name>` of params.yaml.
Outputs: a classifier (safetensors); a JSON of its accuracy on images it was not trained on.
Published: none.
"""

from typing import Any

import numpy as np
import pandas as pd

from dcgan.core.files import write_json
from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.data.image_store import ImageStore
from dcgan.internals.attribute_classifiers import THRESHOLD, Floats, WindowClassifier, split, train_classifier, windowed
from dcgan.internals.ground_truth import window_targets, windows_on_crops
from workflow.engines.figure_options import figure_parser, section_named
from workflow.engines.stage import load_params, prepare, run_stage


def main(arguments: list[str] | None = None) -> None:
    args = figure_parser(__doc__, "images", "truth", "out", "metrics").parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.classifiers.windows, args.name, "classifiers.windows")
    seed = params.run.seed

    prepare(params.run)
    store = ImageStore(args.images)
    size = store.shape[1]
    boxes = windows_on_crops(pd.read_csv(args.truth), list(store.keys), size)
    targets = window_targets(boxes, len(store), size, section.grid)
    trained, held_out = split(len(store), section.held_out, numpy_generator(seed, "classifier", args.name, "split"))
    classifier = WindowClassifier(size, section.width, section.grid)
    classifier.initialize(torch_generator(seed, "classifier", args.name))
    train_classifier(
        classifier,
        store.images[trained],
        targets[trained],
        section.epochs,
        section.batch_size,
        section.learning_rate,
        section.noise,
        torch_generator(seed, "classifier", args.name, "batches"),
    )
    classifier.save(args.out)
    write_json(args.metrics, accuracy(classifier.predict(store.images[held_out]), targets[held_out]))


def accuracy(probabilities: Floats, targets: Floats) -> dict[str, Any]:
    """How often the classifier is right, at a position and about a whole image, beside what "no window" always
    gives."""
    said, true = probabilities > THRESHOLD, targets > THRESHOLD
    said_image, true_image = windowed(probabilities), windowed(targets)
    return {
        "images": len(targets),
        "position_accuracy": float((said == true).mean()),
        "position_share_without": float(1 - true.mean()),
        "image_accuracy": float((said_image == true_image).mean()),
        "image_share_with": float(true_image.mean()),
        "found_share": float(said_image[true_image].mean()) if true_image.any() else None,
        "false_share": float(said_image[~true_image].mean()) if not np.all(true_image) else None,
    }


if __name__ == "__main__":
    run_stage(main)
