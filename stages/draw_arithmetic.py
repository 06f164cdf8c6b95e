"""Adds and subtracts concepts in the latent space: smiling woman - woman + man (section 6.3.2, Figure 7).

Inputs:  a generator; what chooses exemplars: the attribute classifier of faces, which also counts successes, or
         annotations by hand (JSON, `make annotate`); `figures.arithmetic.<name>` of params.yaml.
Outputs: a PNG, one block per sum: exemplars of the three concepts with the image of their mean z under them, the result
         in the middle of eight neighbours, the results of single z, and the same sum of pixels; a JSON. With a
         classifier: over many random triples, how often the result shows all expected attributes, for the mean of three
         z, for single z, for pixels, and by chance. By hand: how far out sums lie, and how much the results of single z
         differ.
Published: pictures; "experiments working on only single samples per concept were unstable".
Differs: batch-norm statistics are estimated: a batch of nine neighbours has none of its own.
"""

from pathlib import Path

from dcgan.core.files import write_json
from dcgan.core.pixels import write_png
from dcgan.internals.attribute_classifiers import FaceClassifier
from dcgan.internals.concepts import describe
from dcgan.internals.figure_layout import above, draw_candidates
from dcgan.internals.vector_arithmetic import AnnotatedStudy, ClassifiedStudy, Settings, Study, Sum, all_figures
from dcgan.models.networks import Generator
from workflow.annotation.file import Drawing, annotations_that_fit, by_hand, missing_exemplars
from workflow.engines.options import figure_parser, section_named
from workflow.engines.stage import load_params, prepare, run_stage
from workflow.params.figures import ArithmeticFigure


def main(arguments: list[str] | None = None) -> None:
    args = figure_parser(__doc__, "generator", "annotator", "figure", "metrics").parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.figures.arithmetic, args.name, "figures.arithmetic")

    generator = Generator.from_file(args.generator, prepare(params.run))
    sums = [Sum(plus=one.plus, minus=one.minus, other=one.other) for one in section.sums]
    study = open_study(generator, args.generator, args.annotator, sums, section, params.run.seed)
    results = [study.work_out(terms, number) for number, terms in enumerate(sums)]
    write_png(args.figure, above([block for block, _ in results], 20))
    write_json(args.metrics, all_figures(study, [figures for _, figures in results]))


def open_study(
    generator: Generator, path: Path, annotator: Path, sums: list[Sum], section: ArithmeticFigure, seed: int
) -> Study:
    """The study that a classifier's file, or a file of annotations, makes possible."""
    drawing = Drawing(seed=seed, samples=section.candidates, statistics_batches=section.statistics_batches)
    settings = Settings(
        exemplars=section.exemplars,
        pool=section.pool,
        triples=section.triples,
        reach=section.reach,
        enlargement=section.enlargement,
        seed=seed,
    )
    if not by_hand(annotator):
        candidates = draw_candidates(generator, **drawing.model_dump())
        return ClassifiedStudy(generator, candidates, settings, FaceClassifier.from_file(annotator))
    annotations = annotations_that_fit(annotator, path, generator.architecture.image_size, drawing)
    candidates = draw_candidates(generator, **annotations.drawing.model_dump())
    concepts = {describe(term): section.exemplars for one in sums for term in one.terms}
    missing = "; ".join(missing_exemplars(concepts, annotations))
    return AnnotatedStudy(generator, candidates, settings, annotations.concepts, missing)


if __name__ == "__main__":
    run_stage(main)
