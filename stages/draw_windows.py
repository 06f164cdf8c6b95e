"""Makes the generator forget windows: drops the feature maps that draw them (section 6.3.1, Figure 6).

Inputs:  a generator; who boxes windows: a classifier's file, or annotations by hand (JSON, `make annotate`);
         `figures.windows.<name>` of params.yaml.
Outputs: a PNG, ten samples over the same ten with the maps dropped; a JSON: who judged, maps dropped of how many, how
         well the logistic regression tells window positions from random ones, share of samples with a window, how much
         pixels changed inside and outside the boxes (share of the pixel range), and the same after dropping as many
         maps at random (mean of ten draws). With a classifier also the share of samples that have a window afterwards.
Published: 200 maps dropped; "the network mostly forgets to draw windows", replacing them with other objects.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from dcgan.core.files import write_json
from dcgan.core.pixels import Images, enlarge, tile, write_png
from dcgan.core.seeding import numpy_generator
from dcgan.internals.attribute_classifiers import WindowClassifier, boxes_of, windowed
from dcgan.internals.boxes import Box, positions_inside
from dcgan.internals.figure_layout import above, draw, draw_candidates, title
from dcgan.internals.window_removal import MapWeights, change, fit_maps, images_without, layer_number
from dcgan.models.networks import Generator
from dcgan.models.pixel_range import to_uint8
from workflow.annotation.file import Drawing, annotations_that_fit, by_hand
from workflow.engines.figure_options import figure_parser, section_named
from workflow.engines.stage import load_params, prepare, run_stage
from workflow.params.figures import WindowsFigure

RANDOM_DRAWS = 10


def main(arguments: list[str] | None = None) -> None:
    args = figure_parser(__doc__, "generator", "annotator", "figure", "metrics").parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.figures.windows, args.name, "figures.windows")
    seed = params.run.seed

    device = prepare(params.run)
    generator = Generator.from_file(args.generator, device)
    size = generator.architecture.image_size
    drawing = Drawing(seed=seed, samples=section.samples, statistics_batches=section.statistics_batches)
    if by_hand(args.annotator):
        said = annotations_that_fit(args.annotator, args.generator, size, drawing)
        classifier, removal, boxes = None, Removal(generator, section, said.drawing), said.boxes_in_pixels()
    else:
        classifier, removal = WindowClassifier.from_file(args.annotator), Removal(generator, section, drawing)
        boxes = boxes_of(classifier.predict(removal.before), size)
    random = numpy_generator(seed, "windows", args.name)
    fitted = removal.fit(boxes, random)
    images = [removal.before, removal.without(fitted.positive)]
    images += [removal.without(maps) for maps in random_maps(fitted, random)]
    inside = positions_inside(boxes, len(images[0]), size, size)
    write_png(args.figure, picture(images[0], images[1], inside.any(axis=(1, 2)), section))
    figures = {
        "annotated_by": "hand" if classifier is None else "classifier",
        "samples": len(images[0]),
        "boxes": len(boxes),
    }
    write_json(
        args.metrics,
        figures | measured(fitted, images, inside) | (seen_after(classifier, images) if classifier else {}),
    )


class Removal:
    """The samples of a generator, and the same with feature maps of one layer dropped."""

    def __init__(self, generator: Generator, section: WindowsFigure, drawing: Drawing) -> None:
        self.generator, self.section = generator, section
        self.size = generator.architecture.image_size
        z, self.before = draw_candidates(generator, drawing.samples, drawing.statistics_batches, drawing.seed)
        self.z = z.to(next(generator.parameters()).device)
        if section.statistics == "batch":
            self.before = draw(generator, self.z, "batch")

    @torch.no_grad()
    def fit(self, boxes: list[Box], random: np.random.Generator) -> MapWeights:
        """Which maps of the layer tell the boxes from the rest of the samples."""
        number = layer_number(self.generator, self.section.layer)
        activations = self.generator.until(self.z, number, statistics=self.section.statistics)
        inside = positions_inside(boxes, len(self.z), self.size, activations.shape[2])
        return fit_maps(activations, inside, self.section.strength, random)

    def without(self, maps: npt.NDArray[np.int64]) -> Images:
        """The samples without some maps: (N, H, W, C) uint8."""
        images = images_without(self.generator, self.z, self.section.layer, maps, self.section.statistics)
        return to_uint8(images, self.generator.architecture.pixel_range)


def random_maps(fitted: MapWeights, random: np.random.Generator) -> list[npt.NDArray[np.int64]]:
    """As many maps as are dropped, at random, several times: what dropping any maps does."""
    orders = [random.permutation(len(fitted.weights)) for _ in range(RANDOM_DRAWS)]
    return [np.sort(order[: len(fitted.positive)]) for order in orders]


def measured(fitted: MapWeights, images: list[Images], inside: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """What can be said whoever drew the boxes; `images` are before, after, and after each draw of random maps."""
    changes, *at_random = (change(images[0], version, inside) for version in images[1:])
    random_changes = np.mean(at_random, axis=0)
    return {
        "maps": len(fitted.weights),
        "maps_dropped": len(fitted.positive),
        "maps_dropped_published": 200,
        "position_accuracy": fitted.accuracy,
        "share_with_window": float(inside.any(axis=(1, 2)).mean()),
        "change_inside_boxes": changes[0],
        "change_outside_boxes": changes[1],
        "change_inside_boxes_random_maps": float(random_changes[0]),
        "change_outside_boxes_random_maps": float(random_changes[1]),
    }


def seen_after(classifier: WindowClassifier, images: list[Images]) -> dict[str, float]:
    """Where a classifier still sees a window: it can look at any image, a person has looked at the samples as they
    were."""
    after, *at_random = (float(windowed(classifier.predict(version)).mean()) for version in images[1:])
    return {
        "share_with_window_without_maps": after,
        "share_with_window_without_random_maps": float(np.mean(at_random)),
    }


def picture(before: Images, after: Images, with_window: npt.NDArray[np.bool_], section: WindowsFigure) -> Images:
    """The first samples that have a window (all samples where none has), over the same without the maps."""
    chosen = np.concatenate([np.flatnonzero(with_window), np.flatnonzero(~with_window)])[: section.shown]
    below = "the same z, window maps dropped" if with_window.any() else "the same z; no window has been boxed"
    rows = [
        title(text, enlarge(tile(images[chosen], section.shown), section.enlargement))
        for text, images in (("samples", before), (below, after))
    ]
    return above(rows, 4)


if __name__ == "__main__":
    run_stage(main)
