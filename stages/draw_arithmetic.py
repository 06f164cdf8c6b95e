"""Adds and subtracts concepts in the latent space: smiling woman - woman + man (section 6.3.2, Figure 7).

Inputs:  a generator; who chooses exemplars: the classifier of faces, which also judges results, or annotations by hand
         (JSON, `make annotate`); `figures.arithmetic.<name>` of params.yaml.
Outputs: a PNG, a block a sum: exemplars of the three concepts with the image of their mean z under them, the result in
         the middle of eight neighbours, what single z give, and the same sum of pixels; a JSON. With a classifier: over
         many random triples, how often the result shows all expected attributes, for the mean of three z, for single z,
         for pixels, and by chance. By hand: how far out sums lie, and how much the results of single z differ.
Published: pictures; "experiments working on only single samples per concept were unstable".
Differs: batch-norm statistics are estimated: a batch of nine neighbours has none of its own.
"""

from abc import ABC, abstractmethod
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dcgan.core.files import write_json
from dcgan.core.pixels import Images, enlarge, tile, write_png
from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.internals.attribute_classifiers import FaceClassifier
from dcgan.internals.concepts import Concept, Numbers, confidence, describe, expected, most_typical, shows
from dcgan.internals.figure_layout import above, beside, draw, draw_candidates, sign, title
from dcgan.internals.latent_space import arithmetic, neighbourhood
from dcgan.internals.memorization import mean_distance
from dcgan.models.networks import Generator
from workflow.annotation.file import Annotations, Drawing, annotations_that_fit, by_hand, missing_exemplars
from workflow.engines.figure_options import figure_parser, section_named
from workflow.engines.stage import load_params, prepare, run_stage
from workflow.params.figures import ArithmeticFigure, Sum


def main(arguments: list[str] | None = None) -> None:
    args = figure_parser(__doc__, "generator", "annotator", "figure", "metrics").parse_args(arguments)
    params = load_params(args.params)
    section = section_named(params.figures.arithmetic, args.name, "figures.arithmetic")

    device = prepare(params.run)
    study = open_study(
        Generator.from_file(args.generator, device), args.generator, args.annotator, section, params.run.seed
    )
    blocks: list[Images] = []
    metrics: dict[str, Any] = {"exemplars": section.exemplars, **study.about}
    measured = []
    for number, terms in enumerate(section.sums):
        pools = study.pools(terms)
        if min(map(len, pools)) < section.exemplars:
            blocks.append(study.unfinished(terms))
            continue
        blocks.append(study.picture(terms, pools, number))
        measured.append(study.measure(terms, pools, number))
        metrics |= {f"sum{number + 1}_{name}": value for name, value in measured[-1].items()}
    metrics["sums_drawn"] = len(measured)
    for name in study.averaged if measured else ():
        metrics[name] = float(np.mean([figures[name] for figures in measured]))
    write_png(args.figure, above(blocks, 20))
    write_json(args.metrics, metrics)


class Study(ABC):
    """A generator and the samples among which exemplars of concepts are."""

    about: dict[str, Any]
    averaged: tuple[str, ...]

    def __init__(self, generator: Generator, section: ArithmeticFigure, drawing: Drawing, seed: int) -> None:
        self.generator, self.section, self.seed = generator, section, seed
        self.z, self.images = draw_candidates(generator, drawing.samples, drawing.statistics_batches, drawing.seed)

    def draw(self, z: Tensor) -> Images:
        """Images of latents, each by itself."""
        return draw(self.generator, z, "estimated")

    @abstractmethod
    def pools(self, terms: Sum) -> list[Numbers]:
        """For each of the three concepts, the numbers of samples that show it."""

    @abstractmethod
    def measure(self, terms: Sum, pools: list[Numbers], number: int) -> dict[str, float]:
        """Figures of one sum."""

    def unfinished(self, terms: Sum) -> Images:
        """A block for a sum that too few exemplars have been chosen for."""
        some = tile(self.images[: 4 * self.section.exemplars], 4 * self.section.exemplars)
        return title(
            f"{sum_in_words(terms)}: exemplars have still to be chosen", enlarge(some, self.section.enlargement)
        )

    def picture(self, terms: Sum, pools: list[Numbers], number: int) -> Images:
        """One block of the figure."""
        k = self.section.enlargement
        chosen = [pool[: self.section.exemplars] for pool in pools]
        parts: list[Images] = []
        for numbers, mark in zip(chosen, ("-", "+", "="), strict=True):
            mean = self.draw(self.z[numbers].mean(0, keepdim=True))
            column = enlarge(above([tile(self.images[numbers], 1), tile(mean, 1)], 4), k)
            parts += [column, sign(mark, column.shape[0], 28)]
        result = arithmetic(*(self.z[numbers] for numbers in chosen))
        random = torch_generator(self.seed, "arithmetic", "neighbours", number)
        panel = self.draw(neighbourhood(result, self.section.reach, 8, random))
        parts += [enlarge(tile(panel, 3), k), title("single z", enlarge(tile(self.singles(chosen), 1), k))]
        parts.append(title("pixels", enlarge(self.pixel_rows(chosen), k)))
        return title(sum_in_words(terms), beside(parts, 8))

    def singles(self, chosen: list[Numbers]) -> Images:
        """What one exemplar of each concept gives, the first of each, the second of each and so on."""
        return self.draw(arithmetic(*(self.z[numbers][:, None] for numbers in chosen)))

    def pixel_rows(self, chosen: list[Numbers]) -> Images:
        """The sum of the mean images, and the mean of the sums of single images: the same arithmetic in pixels."""
        triples = [self.images[numbers][:, None] for numbers in chosen]
        singles = pixel_sum(triples)
        means = pixel_sum([self.images[numbers][None] for numbers in chosen])
        return above([tile(means, 1), tile(singles, len(singles))], 4)


class ClassifiedStudy(Study):
    """A classifier has read the samples: it chooses the most typical ones and counts successes."""

    averaged = ("mean_success", "single_success", "pixel_success", "chance")

    def __init__(
        self, generator: Generator, classifier: FaceClassifier, section: ArithmeticFigure, drawing: Drawing
    ) -> None:
        super().__init__(generator, section, drawing, drawing.seed)
        self.classifier, self.answers = classifier, classifier.predict(self.images)
        self.about = {"annotated_by": "classifier", "triples": section.triples}

    def scores(self, terms: Sum) -> list[Any]:
        """How surely each sample shows each of the three concepts."""
        return [confidence(self.answers, self.classifier.attributes, term) for term in parts_of(terms)]

    def pools(self, terms: Sum) -> list[Numbers]:
        """The samples that are most typical of each concept."""
        return [most_typical(score, self.section.pool) for score in self.scores(terms)]

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
        surest = self.scores(terms)
        return {
            "mean_success": self.share(self.draw(means), wanted),
            "single_success": self.share(self.draw(singles), wanted),
            "pixel_success": self.share(pixel_sum([self.images[chosen] for chosen in drawn]), wanted),
            "chance": self.share(self.images, wanted),
            "least_confidence_in_pools": float(min(s[pool].min() for s, pool in zip(surest, pools, strict=True))),
        }

    def share(self, images: Images, wanted: Concept) -> float:
        """Share of images that show all of a concept."""
        return float(shows(self.classifier.predict(images), self.classifier.attributes, wanted).mean())


class StudyByHand(Study):
    """A person has chosen exemplars. Nobody counts successes, but why single z are unstable can be measured."""

    averaged = ("mean_length", "single_length", "single_spread")

    def __init__(self, generator: Generator, said: Annotations, section: ArithmeticFigure, seed: int) -> None:
        super().__init__(generator, section, said.drawing, seed)
        self.said = said
        concepts = {describe(term): section.exemplars for terms in section.sums for term in parts_of(terms)}
        self.about = {"annotated_by": "hand", "missing": "; ".join(missing_exemplars(concepts, said))}

    def pools(self, terms: Sum) -> list[Numbers]:
        """The samples that a person chose for each concept."""
        return [np.array(self.said.concepts.get(describe(term), []), np.int64) for term in parts_of(terms)]

    def measure(self, terms: Sum, pools: list[Numbers], number: int) -> dict[str, float]:
        """Length of sums over that of samples' z, and how much single z's results differ, over how samples do.

        A sum of three means has the spread of one z, a sum of three z three times the variance, so it lies 1.7 times as
        far out, where the generator was never trained.
        """
        chosen = [pool[: self.section.exemplars] for pool in pools]
        length = self.z.norm(dim=1).mean()
        singles = torch.stack([self.z[a] - self.z[b] + self.z[c] for a, b, c in product(*chosen)])
        return {
            "mean_length": float(arithmetic(*(self.z[numbers] for numbers in chosen)).norm() / length),
            "single_length": float(singles.norm(dim=1).mean() / length),
            "single_spread": mean_distance(self.draw(singles)) / max(mean_distance(self.images), 1e-9),
        }


def open_study(generator: Generator, path: Path, classifier: Path, section: ArithmeticFigure, seed: int) -> Study:
    """The study that what `classifier` names makes possible."""
    drawing = Drawing(seed=seed, samples=section.candidates, statistics_batches=section.statistics_batches)
    if not by_hand(classifier):
        return ClassifiedStudy(generator, FaceClassifier.from_file(classifier), section, drawing)
    said = annotations_that_fit(classifier, path, generator.architecture.image_size, drawing)
    return StudyByHand(generator, said, section, seed)


def parts_of(terms: Sum) -> tuple[Any, Any, Any]:
    """The three concepts of a sum."""
    return terms.plus, terms.minus, terms.other


def sum_in_words(terms: Sum) -> str:
    """(glasses) - (no glasses) + (long hair, no glasses)."""
    plus, minus, other = map(describe, parts_of(terms))
    return f"({plus}) - ({minus}) + ({other})"


def pixel_sum(terms: list[Images]) -> Images:
    """plus - minus + other of mean images: (N, M, H, W, C) uint8 each -> (N, H, W, C) uint8, cut to 0 and 255."""
    plus, minus, other = (images.astype(np.float32).mean(1) for images in terms)
    pixels: Images = np.clip(np.rint(plus - minus + other), 0, 255).astype(np.uint8)
    return pixels


if __name__ == "__main__":
    run_stage(main)
