"""Makes the generator forget windows: drops the feature maps that draw them (section 6.3.1, Figure 6).

Inputs:  a generator; what boxes windows: an attribute classifier's file, or annotations by hand (JSON,
         `make annotate`); `figures.windows.<name>` of params.yaml.
Outputs: a PNG, ten samples over the same ten with the maps dropped; a JSON: what boxed the windows, maps dropped of how
         many, how well the logistic regression separates window positions from random ones, share of samples with a
         window, how much pixels changed inside and outside the boxes (share of the pixel range), and the same after
         dropping as many maps at random (mean of ten draws). With a classifier also the share of samples with a window
         afterwards.
Published: 200 maps dropped; "the network mostly forgets to draw windows", replacing them with other objects.
"""

from pathlib import Path

from dcgan.core.files import write_json
from dcgan.core.pixels import write_png
from dcgan.core.seeding import numpy_generator
from dcgan.internals.attribute_classifiers import WindowClassifier, boxes_of
from dcgan.internals.boxes import Box, positions_inside
from dcgan.internals.figure_layout import draw_candidates
from dcgan.internals.window_removal import Removal, removal_figures, removal_picture, windows_left
from dcgan.models.networks import Generator
from workflow.annotation.file import Drawing, annotations_that_fit, by_hand
from workflow.engines.options import figure_parser, section_named
from workflow.engines.stage import load_params, prepare, run_stage
from workflow.params.figures import WindowsFigure


def main(arguments: list[str] | None = None) -> None:
    args = figure_parser(__doc__, "generator", "annotator", "figure", "metrics").parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.figures.windows, args.name, "figures.windows")
    seed = params.run.seed

    generator = Generator.from_file(args.generator, prepare(params.run))
    classifier, removal, boxes = boxed_samples(generator, args.generator, args.annotator, section, seed)
    random = numpy_generator(seed, "windows", args.name)
    fitted = removal.fit(boxes, section.strength, random)
    versions = removal.versions(fitted, random)
    size = generator.architecture.image_size
    inside = positions_inside(boxes, len(versions[0]), size, size)
    write_png(args.figure, removal_picture(versions, inside, section.shown, section.enlargement))
    metrics = {"annotated_by": "classifier" if classifier else "hand", "samples": len(inside), "boxes": len(boxes)}
    metrics |= removal_figures(fitted, versions, inside)
    write_json(args.metrics, metrics | (windows_left(classifier, versions) if classifier else {}))


def boxed_samples(
    generator: Generator, path: Path, annotator: Path, section: WindowsFigure, seed: int
) -> tuple[WindowClassifier | None, Removal, list[Box]]:
    """The classifier, if any; the samples; and boxes around their windows, by the classifier or by hand."""
    size = generator.architecture.image_size
    drawing = Drawing(seed=seed, samples=section.samples, statistics_batches=section.statistics_batches)
    if by_hand(annotator):
        annotations = annotations_that_fit(annotator, path, size, drawing)
        return None, removal_of(generator, annotations.drawing, section), annotations.boxes_in_pixels()
    classifier, removal = WindowClassifier.from_file(annotator), removal_of(generator, drawing, section)
    return classifier, removal, boxes_of(classifier.predict(removal.before), size)


def removal_of(generator: Generator, drawing: Drawing, section: WindowsFigure) -> Removal:
    """The samples, and the layer whose maps are dropped."""
    candidates = draw_candidates(generator, **drawing.model_dump())
    return Removal(generator, candidates, section.layer, section.statistics)


if __name__ == "__main__":
    run_stage(main)
