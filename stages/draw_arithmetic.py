"""Adds and subtracts concepts in the latent space: smiling woman - woman + man (section 6.3.2, Figure 7).

Inputs:  a generator; the judge of faces, which chooses exemplars and judges results in place of a person;
         `figures.arithmetic.<name>` of params.yaml.
Outputs: a PNG, a block a sum: exemplars of the three concepts with the image of their mean z under them, the result in
         the middle of eight neighbours, and the same sum of pixels; a JSON: over many random triples, how often the
         result shows all expected attributes, for the mean of three z, for single z, for pixels, and by chance.
Published: pictures; "experiments working on only single samples per concept were unstable".
Differs: batch-norm statistics are estimated: a batch of nine neighbours has none of its own.
"""

from typing import Any

import numpy as np
from torch import Tensor

from dcgan.concepts import Concept, Numbers, confidence, describe, expected, most_typical, shows
from dcgan.drawing import above, beside, draw, estimate_generator, sign, title
from dcgan.files import write_json
from dcgan.judges import FaceJudge
from dcgan.latents import arithmetic, neighbourhood
from dcgan.networks import Generator
from dcgan.pixels import Images, enlarge, tile, write_png
from dcgan.random import numpy_generator, torch_generator
from workflow.figures import figure_parser, section_named
from workflow.params import ArithmeticFigure, Sum
from workflow.stage import load_params, prepare, run_stage

PARTS = ("plus", "minus", "other")


def main(arguments: list[str] | None = None) -> None:
    args = figure_parser(__doc__, "generator", "judge", "figure", "metrics").parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.figures.arithmetic, args.name, "figures.arithmetic")
    seed = params.run.seed

    device = prepare(params.run)
    study = Study(Generator.from_file(args.generator, device), FaceJudge.from_file(args.judge), section, seed)
    blocks: list[Images] = []
    metrics: dict[str, Any] = {"triples": section.triples, "exemplars": section.exemplars}
    for number, terms in enumerate(section.sums):
        pools = study.pools(terms)
        blocks.append(study.picture(terms, pools, number))
        metrics |= {f"sum{number + 1}_{name}": value for name, value in study.measure(terms, pools, number).items()}
    for name in ("mean_success", "single_success", "pixel_success", "chance"):
        metrics[name] = float(np.mean([metrics[f"sum{n + 1}_{name}"] for n in range(len(section.sums))]))
    write_png(args.figure, above(blocks, 20))
    write_json(args.metrics, metrics)


class Study:
    """A generator, a judge, and many samples that the judge has read."""

    def __init__(self, generator: Generator, judge: FaceJudge, section: ArithmeticFigure, seed: int) -> None:
        self.generator, self.judge, self.section, self.seed = generator, judge, section, seed
        estimate_generator(generator, section.statistics_batches, torch_generator(seed, "arithmetic", "statistics"))
        self.z = generator.draw_latents(section.candidates, torch_generator(seed, "arithmetic", "candidates"))
        self.images = self.draw(self.z)
        self.answers = judge.predict(self.images)

    def draw(self, z: Tensor) -> Images:
        """Images of latents, each by itself."""
        return draw(self.generator, z, "estimated")

    def pools(self, terms: Sum) -> list[Numbers]:
        """For each of the three concepts, the numbers of the samples that are most typical of it."""
        scores = [confidence(self.answers, self.judge.attributes, getattr(terms, part)) for part in PARTS]
        return [most_typical(score, self.section.pool) for score in scores]

    def measure(self, terms: Sum, pools: list[Numbers], number: int) -> dict[str, float]:
        """How often random triples of exemplars give the expected attributes."""
        wanted = expected(terms.plus, terms.minus, terms.other)
        random = numpy_generator(self.seed, "arithmetic", "triples", number)
        drawn = [
            np.stack([random.choice(pool, self.section.exemplars, False) for _ in range(self.section.triples)])
            for pool in pools
        ]
        means = arithmetic(*(self.z[chosen] for chosen in drawn))
        singles = arithmetic(*(self.z[chosen[:, :1]] for chosen in drawn))
        surest = [confidence(self.answers, self.judge.attributes, getattr(terms, part)) for part in PARTS]
        return {
            "mean_success": self.share(self.draw(means), wanted),
            "single_success": self.share(self.draw(singles), wanted),
            "pixel_success": self.share(pixel_sum([self.images[chosen] for chosen in drawn]), wanted),
            "chance": self.share(self.images, wanted),
            "least_confidence_in_pools": float(min(s[pool].min() for s, pool in zip(surest, pools, strict=True))),
        }

    def share(self, images: Images, wanted: Concept) -> float:
        """Share of images that show all of a concept."""
        return float(shows(self.judge.predict(images), self.judge.attributes, wanted).mean())

    def picture(self, terms: Sum, pools: list[Numbers], number: int) -> Images:
        """One block of the figure."""
        k = self.section.enlargement
        chosen = [pool[: self.section.exemplars] for pool in pools]
        parts: list[Images] = []
        for numbers, mark in zip(chosen, ("-", "+", "="), strict=True):
            column = above(
                [tile(self.images[numbers], 1), tile(self.draw(self.z[numbers].mean(0, keepdim=True)), 1)], 4
            )
            column = enlarge(column, k)
            parts += [column, sign(mark, column.shape[0], 28)]
        result = arithmetic(*(self.z[numbers] for numbers in chosen))
        random = torch_generator(self.seed, "arithmetic", "neighbours", number)
        panel = self.draw(neighbourhood(result, self.section.reach, 8, random))
        parts += [enlarge(tile(panel, 3), k), enlarge(self.pixel_rows(chosen), k)]
        text = f"({describe(terms.plus)}) - ({describe(terms.minus)}) + ({describe(terms.other)})"
        return title(text, beside(parts, 8))

    def pixel_rows(self, chosen: list[Numbers]) -> Images:
        """The sum of the mean images, and the mean of the sums of single images: the same arithmetic in pixels."""
        triples = [self.images[numbers][:, None] for numbers in chosen]
        singles = pixel_sum(triples)
        means = pixel_sum([self.images[numbers][None] for numbers in chosen])
        return above([tile(means, 1), tile(singles, len(singles))], 4)


def pixel_sum(terms: list[Images]) -> Images:
    """plus - minus + other of mean images: (N, M, H, W, C) uint8 each -> (N, H, W, C) uint8, cut to 0 and 255."""
    plus, minus, other = (images.astype(np.float32).mean(1) for images in terms)
    pixels: Images = np.clip(np.rint(plus - minus + other), 0, 255).astype(np.uint8)
    return pixels


if __name__ == "__main__":
    run_stage(main)
