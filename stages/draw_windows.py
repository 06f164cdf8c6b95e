"""Makes the generator forget windows: drops the feature maps that draw them (section 6.3.1, Figure 6).

Inputs:  a generator; what boxes windows: an attribute classifier's file, or annotations by hand (JSON,
         `make annotate`); `figures.windows.<name>` of params.yaml.
Outputs: a PNG, ten new samples over the same ten with the maps dropped; a JSON: what boxed the windows, maps dropped of
         how many (mean over draws), how well the logistic regression separates window positions from random ones, share
         of new samples with a window, before and after, how much pixels change inside and outside windows (share of the
         pixel range), and the same for as many random maps; differences with 95 % intervals over draws and samples.
         Maps are chosen on the samples that were boxed and dropped from new ones. By hand, only the boxed samples have
         boxes: then these are measured, and how many windows are left is not known. Outcomes, (draws, images):
         `left` and `left_random`, of the images with a window before, 1 if one is left; `change` and `change_random`,
         of all images, the change outside windows. By hand the first two are missing, and all before anything is boxed.
         A JSON of the regression, which explore_networks ranks maps by: `layer`, `weights`, the mean over draws of each
         map's; empty before anything is boxed.
Published: 200 maps dropped; "the network mostly forgets to draw windows", replacing them with other objects.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from dcgan.core.files import write_json
from dcgan.core.outcomes import write_outcomes
from dcgan.core.pixels import Images, write_png
from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.internals.attribute_classifiers import WindowClassifier, boxes_of
from dcgan.internals.boxes import Box, positions_inside
from dcgan.internals.figure_layout import Candidates
from dcgan.internals.window_removal import (
    MapWeights,
    Removal,
    effect_figures,
    effect_of,
    effect_outcomes,
    random_maps,
    removal_picture,
)
from dcgan.models.networks import Generator
from workflow.annotation.exemplars import draw_annotated
from workflow.engines.options import figure_parser, section_named
from workflow.engines.stage import load_params, prepare, run_stage
from workflow.params.figures import WindowsFigure

PUBLISHED_MAPS = 200


def main(arguments: list[str] | None = None) -> None:
    options = ("generator", "annotator", "figure", "outcomes", "weights", "metrics")
    args = figure_parser(__doc__, *options).parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.figures.windows, args.name, "figures.windows")
    seed = params.run.seed

    generator = Generator.from_file(args.generator, prepare(params.run))
    size = generator.architecture.image_size
    classifier, boxed, boxes = boxed_samples(generator, args.generator, args.annotator, section, seed)
    removal = Removal(generator, section.layer, section.statistics)
    randoms = [numpy_generator(seed, "windows", args.name, number) for number in range(section.draws)]
    fits = [removal.fit(boxed.z, boxes, section.strength, random) for random in randoms]

    z, before, boxes_measured = boxed.z, boxed.images, boxes
    if classifier is not None:
        z, before = new_samples(generator, section, seed)
        boxes_measured = boxes_of(classifier.predict(before), size)
    windows = positions_inside(boxes_measured, len(before), size, size)
    without_windows = [removal.without(z, fitted.positive) for fitted in fits]
    without_any = (
        removal.without(z, random_maps(fitted, random)) for fitted, random in zip(fits, randoms, strict=True)
    )
    of_windows = effect_of(before, without_windows, windows, classifier)
    of_any = effect_of(before, without_any, windows, classifier)
    write_outcomes(args.outcomes, effect_outcomes(of_windows, of_any, windows) if boxes else {})
    weights = np.mean([fitted.weights for fitted in fits], axis=0)
    write_json(args.weights, {"layer": section.layer, "weights": weights.tolist() if boxes else []})
    write_png(args.figure, removal_picture(before, without_windows[0], windows, section.shown, section.enlargement))
    counts: dict[str, float | str] = {
        "annotated_by": "classifier" if classifier else "hand",
        "samples": len(boxed.images),
        "boxes": len(boxes),
    }
    counts |= {"samples_measured": len(before), "draws": section.draws}
    counts |= {"share_with_window": float(windows.any(axis=(1, 2)).mean())}
    random = numpy_generator(seed, "windows", args.name, "interval")
    write_json(args.metrics, counts | figures_of_fits(fits) | effect_figures(of_windows, of_any, random))


def figures_of_fits(fits: Sequence[MapWeights]) -> dict[str, float | None]:
    """How many maps are dropped, and how well the regressions separate windows on images they did not learn from."""
    accuracies = [fitted.accuracy for fitted in fits if fitted.accuracy is not None]
    return {
        "maps": len(fits[0].weights),
        "maps_dropped": float(np.mean([len(fitted.positive) for fitted in fits])),
        "maps_dropped_published": PUBLISHED_MAPS,
        "position_accuracy": float(np.mean(accuracies)) if accuracies else None,
    }


def boxed_samples(
    generator: Generator, path: Path, annotator: Path, section: WindowsFigure, seed: int
) -> tuple[WindowClassifier | None, Candidates, list[Box]]:
    """The classifier, if any; the samples; and boxes around their windows, by the classifier or by hand."""
    size = generator.architecture.image_size
    candidates, annotations = draw_annotated(generator, path, annotator, section, seed)
    if annotations is not None:
        return None, candidates, [Box(**box.model_dump()) for box in annotations.boxes]
    classifier = WindowClassifier.from_file(annotator, generator.device)
    if section.statistics == "batch":
        candidates = Candidates(candidates.z, generator.draw(candidates.z, statistics="batch"))
    return classifier, candidates, boxes_of(classifier.predict(candidates.images), size)


def new_samples(generator: Generator, section: WindowsFigure, seed: int) -> tuple[Tensor, Images]:
    """Samples that the maps were not chosen on: z (N, Z) and images (N, H, W, C) uint8."""
    z = generator.draw_latents(section.measured, torch_generator(seed, "windows", "new samples"))
    return z, generator.draw(z, statistics=section.statistics)


if __name__ == "__main__":
    run_stage(main)
