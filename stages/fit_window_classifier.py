"""Trains the classifier that finds windows in bedrooms, on real images with recorded windows.

Paper: section 6.3.1, where boxes were drawn by hand on 150 samples.
Inputs:  an image store, uint8 (N, S, S, 3); a table of windows: key, x, y, width, height, image_width, image_height in
         pixels of the source image; `classifiers.windows.<name>` of params.yaml.
Outputs: a classifier (safetensors); a JSON of its accuracy on images it was not trained on.
Published: none.
"""

from dcgan.core.files import InputError, read_csv, write_json
from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.core.splits import hold_out
from dcgan.data.image_store import ImageStore
from dcgan.internals.attribute_classifiers import ClassifierSettings, WindowClassifier, train_classifier
from dcgan.internals.classifier_accuracy import window_accuracy
from dcgan.internals.ground_truth import window_targets, windows_on_crops
from workflow.engines.options import figure_parser, section_named, settings_from
from workflow.engines.stage import load_params, prepare, run_stage


def main(arguments: list[str] | None = None) -> None:
    args = figure_parser(__doc__, "images", "truth", "out", "metrics").parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.classifiers.windows, args.name, "classifiers.windows")
    seed = params.run.seed

    device = prepare(params.run)
    store = ImageStore(args.images)
    size = store.shape[1]
    boxes = windows_on_crops(read_csv(args.truth, {"key": str}), list(store.keys), size)
    if not boxes:
        raise InputError(f"{args.truth}: none of its windows is in an image of {args.images}; the keys differ")
    targets = window_targets(boxes, len(store), size, section.grid)
    count = round(len(store) * section.held_out)
    trained, held_out = hold_out(len(store), count, numpy_generator(seed, "classifier", args.name, "split"))
    classifier = WindowClassifier(size, width=section.width, grid=section.grid)
    classifier.initialize(torch_generator(seed, "classifier", args.name)).to(device)
    settings = settings_from(section, ClassifierSettings)
    random = torch_generator(seed, "classifier", args.name, "batches")
    train_classifier(classifier, store.images[trained], targets[trained], settings, random)
    classifier.save(args.out)
    write_json(args.metrics, window_accuracy(classifier.predict(store.images[held_out]), targets[held_out]))


if __name__ == "__main__":
    run_stage(main)
