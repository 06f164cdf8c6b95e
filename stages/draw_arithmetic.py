"""Adds and subtracts concepts in the latent space: smiling woman - woman + man (section 6.3.2, Figure 7).

Inputs:  a generator; the image store it was trained on; what chooses exemplars: the attribute classifier of faces,
         which also counts successes, or annotations by hand (JSON, `make annotate`); `figures.arithmetic.<name>` of
         params.yaml.
Outputs: a PNG, one block per sum: exemplars of the three concepts with the image of their mean z under them, the result
         in the middle of eight neighbours, the results of single z, and the same sum of pixels; a JSON. With a
         classifier: over many random triples, how often the result shows all expected attributes, for the mean of three
         z, for single z, for pixels, and by chance. By hand: how far out sums lie, and how much the results of single z
         differ. Always: how near results of the three kinds are to real faces, beside samples and held-out real faces,
         0 to 1: the result has to be one face, not several over each other (dcgan/internals/overlays.py). Outcomes, (1,
         results over all sums), the same triples for all: `mean`, `single`, `pixels` and `chance`, 1 for a success, and
         `nearness_mean`, `nearness_single`, `nearness_pixels`. By hand only the last three, of the pictures shown: nine
         of mean z, and those of single z and of pixels; none before exemplars have been chosen.
Published: pictures; "experiments working on only single samples per concept were unstable"; pixels: "noisy overlap".
Differs: batch-norm statistics are estimated: a batch of nine neighbours has none of its own.
"""

from pathlib import Path

from dcgan.core.files import InputError, write_json
from dcgan.core.outcomes import write_outcomes
from dcgan.core.pixels import Images, write_png
from dcgan.data.image_store import ImageStore
from dcgan.internals.attribute_classifiers import FaceClassifier
from dcgan.internals.figure_layout import above
from dcgan.internals.overlays import OverlayDetector, fit_detector
from dcgan.internals.vector_arithmetic import (
    AnnotatedStudy,
    ArithmeticSettings,
    ClassifiedStudy,
    Study,
    Sum,
    all_figures,
    all_outcomes,
)
from dcgan.models.networks import Generator
from workflow.annotation.exemplars import draw_annotated
from workflow.annotation.file import concepts_of, missing_exemplars
from workflow.engines.options import figure_parser, section_named, settings_from
from workflow.engines.stage import load_params, prepare, run_stage
from workflow.params.figures import ArithmeticFigure


def main(arguments: list[str] | None = None) -> None:
    options = ("generator", "images", "annotator", "figure", "outcomes", "metrics")
    args = figure_parser(__doc__, *options).parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.figures.arithmetic, args.name, "figures.arithmetic")

    generator = Generator.from_file(args.generator, prepare(params.run))
    real = real_images(args.images, generator)
    detector, scale = fit_detector(real, section.learned, params.run.seed, generator.device)
    sums = [Sum(plus=one.plus, minus=one.minus, other=one.other) for one in section.sums]
    study = open_study(generator, args.generator, args.annotator, detector, section, params.run.seed)
    results = [study.work_out(terms, number) for number, terms in enumerate(sums)]
    measured = [one for _, one in results]
    write_png(args.figure, above([block for block, _ in results], 20))
    write_outcomes(args.outcomes, all_outcomes(measured))
    write_json(args.metrics, all_figures(study, measured) | scale)


def real_images(path: Path, generator: Generator) -> Images:
    """The images of a store; raises InputError if they are not of the generator's size, or not in colour."""
    store, size = ImageStore(path), generator.architecture.image_size
    if store.shape[1:] != (size, size, 3):
        raise InputError(f"{path}: images are {store.shape[1:]}, results are compared with {(size, size, 3)}")
    return store.images


def open_study(
    generator: Generator,
    path: Path,
    annotator: Path,
    detector: OverlayDetector,
    section: ArithmeticFigure,
    seed: int,
) -> Study:
    """The study that a classifier's file, or a file of annotations, makes possible."""
    settings = settings_from(section, ArithmeticSettings, seed=seed)
    candidates, annotations = draw_annotated(generator, path, annotator, section, seed)
    if annotations is None:
        classifier = FaceClassifier.from_file(annotator, generator.device)
        return ClassifiedStudy(generator, candidates, settings, detector, classifier)
    missing = "; ".join(missing_exemplars(concepts_of(section), annotations))
    return AnnotatedStudy(generator, candidates, settings, detector, annotations.concepts, missing)


if __name__ == "__main__":
    run_stage(main)
