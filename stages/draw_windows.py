"""Makes the generator forget windows: drops the feature maps that draw them (section 6.3.1, Figure 6).

Inputs:  a generator; the judge of windows, which boxes them in place of a person; `figures.windows.<name>` of
         params.yaml.
Outputs: a PNG, ten samples over the same ten with the maps dropped; a JSON: maps dropped of how many, how well the
         logistic regression tells window positions from random ones, share of samples with a window before and after,
         how much pixels changed inside and outside the boxes (share of the pixel range), and, for comparison, the same
         after dropping as many maps at random.
Published: 200 maps dropped; "the network mostly forgets to draw windows", replacing them with other objects.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from dcgan.boxes import Box, positions_inside
from dcgan.drawing import above, draw, estimate_generator, title
from dcgan.files import write_json
from dcgan.judges import WindowJudge, boxes_of, windowed
from dcgan.networks import Generator
from dcgan.pixels import Images, enlarge, tile, to_uint8, write_png
from dcgan.random import numpy_generator, torch_generator
from dcgan.windows import MapWeights, change, fit_maps, images_without, layer_number
from workflow.figures import figure_parser, section_named
from workflow.params import WindowsFigure
from workflow.stage import load_params, prepare, run_stage


def main(arguments: list[str] | None = None) -> None:
    args = figure_parser(__doc__, "generator", "judge", "figure", "metrics").parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.figures.windows, args.name, "figures.windows")
    seed = params.run.seed

    device = prepare(params.run)
    judge = WindowJudge.from_file(args.judge)
    removal = Removal(Generator.from_file(args.generator, device), section, seed)
    boxes = boxes_of(judge.predict(removal.before), removal.size)
    random = numpy_generator(seed, "windows", args.name)
    fitted = removal.fit(boxes, random)
    at_random = np.sort(random.permutation(len(fitted.weights))[: len(fitted.positive)])
    images = [removal.before, removal.without(fitted.positive), removal.without(at_random)]
    seen = [windowed(judge.predict(version)) for version in images]
    write_png(args.figure, picture(images[0], images[1], seen[0], section))
    inside = positions_inside(boxes, section.samples, removal.size, removal.size)
    counts = {"samples": section.samples, "boxes": len(boxes), "maps": len(fitted.weights)}
    write_json(args.metrics, counts | figures(fitted, seen, images, inside))


class Removal:
    """The samples of a generator, and the same with feature maps of one layer dropped."""

    def __init__(self, generator: Generator, section: WindowsFigure, seed: int) -> None:
        self.generator, self.section = generator, section
        self.size = generator.architecture.image_size
        if section.statistics == "estimated":
            estimate_generator(generator, section.statistics_batches, torch_generator(seed, "windows", "statistics"))
        device = next(generator.parameters()).device
        self.z = generator.draw_latents(section.samples, torch_generator(seed, "windows", "samples")).to(device)
        self.before = draw(generator, self.z, section.statistics)

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


def figures(
    fitted: MapWeights, seen: list[npt.NDArray[np.bool_]], images: list[Images], inside: npt.NDArray[np.bool_]
) -> dict[str, Any]:
    """What the JSON says: `seen` and `images` are before, after, and after dropping random maps."""
    before, after, after_random = images
    changes, random_changes = change(before, after, inside), change(before, after_random, inside)
    return {
        "maps_dropped": len(fitted.positive),
        "maps_dropped_published": 200,
        "position_accuracy": fitted.accuracy,
        "share_with_window": float(seen[0].mean()),
        "share_with_window_without_maps": float(seen[1].mean()),
        "share_with_window_without_random_maps": float(seen[2].mean()),
        "change_inside_boxes": changes[0],
        "change_outside_boxes": changes[1],
        "change_inside_boxes_random_maps": random_changes[0],
        "change_outside_boxes_random_maps": random_changes[1],
    }


def picture(before: Images, after: Images, with_window: npt.NDArray[np.bool_], section: WindowsFigure) -> Images:
    """The first samples that have a window (all samples where none has), over the same without the maps."""
    chosen = np.concatenate([np.flatnonzero(with_window), np.flatnonzero(~with_window)])[: section.shown]
    rows = [
        title(text, enlarge(tile(images[chosen], section.shown), section.enlargement))
        for text, images in (("samples", before), ("the same z, window maps dropped", after))
    ]
    return above(rows, 4)


if __name__ == "__main__":
    run_stage(main)
