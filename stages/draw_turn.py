"""Turns heads: moves faces along the vector from faces looking left to faces looking right (section 6.3.2, Figure 8).

Inputs:  a generator; what finds the faces that look left and right: the attribute classifier of faces, which also
         measures poses, or annotations by hand (JSON, `make annotate`); `figures.turn.<name>` of params.yaml.
Outputs: a PNG: the mean left face and the mean right face, and five random faces in 11 steps, the middle one as it
         was; a JSON: of how many random faces the pose grows with every step, the mean rank correlation of pose and
         step, how far a head turns, and the same along random directions of the same length. A classifier reads poses
         in degrees. By hand a pose is how far an image has come from the mean of the pictures that look left to that of
         those that look right, 0 to 1: the person's own choice is the measure. Outcomes, (1, faces): `turned` and
         `random_direction`, 1 if the pose grows with every step; none before exemplars have been chosen.
Published: pictures; "we were able to reliably transform their pose".
Differs: batch-norm statistics are estimated: the 11 steps of a face have none of their own.
"""

from pathlib import Path

from dcgan.core.files import write_json
from dcgan.core.outcomes import write_outcomes
from dcgan.core.pixels import write_png
from dcgan.internals.attribute_classifiers import FaceClassifier
from dcgan.internals.turn import AnnotatedTurn, ClassifiedTurn, Turn, TurnSettings
from dcgan.models.networks import Generator
from workflow.annotation.exemplars import draw_annotated
from workflow.annotation.file import concepts_of, missing_exemplars
from workflow.engines.options import figure_parser, section_named, settings_from
from workflow.engines.stage import load_params, prepare, run_stage
from workflow.params.figures import TurnFigure


def main(arguments: list[str] | None = None) -> None:
    args = figure_parser(__doc__, "generator", "annotator", "figure", "outcomes", "metrics").parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.figures.turn, args.name, "figures.turn")

    generator = Generator.from_file(args.generator, prepare(params.run))
    turn, missing = open_turn(generator, args.generator, args.annotator, section, params.run.seed)
    if missing:
        write_png(args.figure, turn.unfinished(missing))
        write_outcomes(args.outcomes, {})
        write_json(args.metrics, {"annotated_by": turn.annotated_by, "missing": missing})
        return
    turned, tracks = turn.turn_faces()
    write_png(args.figure, turn.picture(turned))
    write_outcomes(args.outcomes, turn.outcomes(tracks))
    write_json(args.metrics, turn.figures(tracks))


def open_turn(generator: Generator, path: Path, annotator: Path, section: TurnFigure, seed: int) -> tuple[Turn, str]:
    """The samples with a classifier's file or a file of annotations, and which exemplars have still to be chosen."""
    settings = settings_from(section, TurnSettings, seed=seed)
    candidates, annotations = draw_annotated(generator, path, annotator, section, seed)
    if annotations is None:
        classifier = FaceClassifier.from_file(annotator, generator.device)
        return ClassifiedTurn(generator, candidates, settings, classifier), ""
    missing = "; ".join(missing_exemplars(concepts_of(section), annotations))
    return AnnotatedTurn(generator, candidates, settings, annotations.concepts), missing


if __name__ == "__main__":
    run_stage(main)
