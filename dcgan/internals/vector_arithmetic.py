"""Arithmetic with concepts: smiling woman - woman + man, in the latent space and, beside it, in pixels.

Paper: section 6.3.2, Figure 7: "experiments working on only single samples per concept were unstable", so z is averaged
over three exemplars, and sums of pixels give "noisy overlap". Inputs: samples of a generator; an attribute classifier
that reads which of them show a concept, or exemplars chosen by hand; a detector of overlays, which tells how near a
result is to real images. Outputs: pictures (H, W, 4) uint8, figures by name, outcomes. Published: pictures.
Differs: batch-norm statistics are estimated: a batch of nine neighbours has none of its own.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from dcgan.core.pixels import Images, enlarge, tile
from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.internals.attribute_classifiers import FaceClassifier
from dcgan.internals.concepts import (
    Concept,
    Floats,
    Numbers,
    as_attributes,
    confidence,
    describe,
    expected,
    most_typical,
    shows,
)
from dcgan.internals.figure_layout import Candidates, above, beside, sign, title
from dcgan.internals.latent_space import arithmetic, neighbourhood
from dcgan.internals.nearest_images import mean_distance
from dcgan.internals.overlays import OverlayDetector, as_bytes
from dcgan.models.networks import Generator

NEARNESS = ("mean_nearness", "single_nearness", "pixel_nearness")


@dataclass(frozen=True)
class Sum:
    """plus - minus + other. A concept is a mapping of attributes, or a name that a person gave it."""

    plus: Concept | str
    minus: Concept | str
    other: Concept | str

    @property
    def terms(self) -> tuple[Concept | str, Concept | str, Concept | str]:
        """The three concepts in their order."""
        return self.plus, self.minus, self.other

    def __str__(self) -> str:
        """(glasses) - (no glasses) + (no glasses), or with the names that a person gave."""
        plus, minus, other = map(describe, self.terms)
        return f"({plus}) - ({minus}) + ({other})"


@dataclass(frozen=True, kw_only=True)
class ArithmeticSettings:
    """How sums are formed, measured and drawn."""

    exemplars: int  # of each concept, whose z are averaged
    pool: int  # of most typical samples, from which a classifier's exemplars come
    triples: int  # random ones that successes are counted over
    reach: float  # of the noise that the neighbours of a result differ by
    enlargement: int
    seed: int


class Measured(NamedTuple):
    """Of one sum: figures by name, and what they are means of, (results,) by name."""

    figures: dict[str, float]
    outcomes: dict[str, Floats]


class Study(ABC):
    """Samples of a generator, and which of them are exemplars of a concept."""

    about: dict[str, Any]
    averaged: tuple[str, ...]  # figures whose mean over all sums is reported

    def __init__(
        self, generator: Generator, candidates: Candidates, settings: ArithmeticSettings, detector: OverlayDetector
    ) -> None:
        self.generator, self.settings, self.detector = generator, settings, detector
        self.z, self.images = candidates
        self.sample_nearness = float(detector.nearness(self.images).mean(dtype=np.float64))

    def draw(self, z: Tensor) -> Images:
        """Images of latents, each by itself."""
        return self.generator.draw(z)

    @abstractmethod
    def pools(self, terms: Sum) -> list[Numbers]:
        """For each of the three concepts, the numbers of samples that show it."""

    @abstractmethod
    def measure(self, terms: Sum, pools: Sequence[Numbers], number: int) -> Measured:
        """Figures of one sum."""

    def nearness(self, mean: Images, single: Images, pixels: Images) -> Measured:
        """How near the results of the three ways to form a sum are to real images."""
        results = {"mean": mean, "single": single, "pixels": pixels}
        near = {name: self.detector.nearness(images) for name, images in results.items()}
        return Measured(means_of(near, "nearness"), {f"nearness_{name}": values for name, values in near.items()})

    def work_out(self, terms: Sum, number: int) -> tuple[Images, Measured | None]:
        """The block of one sum, and its figures; no figures if too few exemplars have been chosen."""
        pools = self.pools(terms)
        if min(map(len, pools)) < self.settings.exemplars:
            return self.unfinished(terms), None
        return self.picture(terms, pools, number), self.measure(terms, pools, number)

    def unfinished(self, terms: Sum) -> Images:
        """A block for a sum that too few exemplars have been chosen for."""
        shown = 4 * self.settings.exemplars
        some = enlarge(tile(self.images[:shown], shown), self.settings.enlargement)
        return title(f"{terms}: exemplars have still to be chosen", some)

    def picture(self, terms: Sum, pools: Sequence[Numbers], number: int) -> Images:
        """Exemplars over the image of their mean z; the result amid eight neighbours; single z; the sum of pixels."""
        k = self.settings.enlargement
        chosen = [pool[: self.settings.exemplars] for pool in pools]
        parts: list[Images] = []
        for numbers, mark in zip(chosen, ("-", "+", "="), strict=True):
            mean = self.draw(self.z[numbers].mean(0, keepdim=True))
            column = enlarge(above([tile(self.images[numbers], 1), tile(mean, 1)], 4), k)
            parts += [column, sign(mark, column.shape[0], 28)]
        panel = enlarge(tile(self.panel(chosen, number), 3), k)
        parts += [panel, title("single z", enlarge(tile(self.singles(chosen), 1), k))]
        pixels = self.pixel_sums(chosen)
        parts.append(title("pixels", enlarge(above([tile(pixels[:1], 1), tile(pixels[1:], len(pixels) - 1)], 4), k)))
        return title(str(terms), beside(parts, 8))

    def panel(self, chosen: Sequence[Numbers], number: int) -> Images:
        """The image of the sum of mean z in the middle of eight neighbours: (9, H, W, C) uint8."""
        result = arithmetic(*(self.z[numbers] for numbers in chosen))
        random = torch_generator(self.settings.seed, "arithmetic", "neighbours", number)
        return self.draw(neighbourhood(result, self.settings.reach, 8, random))

    def singles(self, chosen: Sequence[Numbers]) -> Images:
        """The sum of one exemplar of each concept: the first of each, the second of each and so on."""
        return self.draw(arithmetic(*(self.z[numbers][:, None] for numbers in chosen)))

    def pixel_sums(self, chosen: Sequence[Numbers]) -> Images:
        """The same arithmetic in pixels: the sum of the mean images, then the sums of single images."""
        singles = pixel_sum([self.images[numbers][:, None] for numbers in chosen])
        return np.concatenate([pixel_sum([self.images[numbers][None] for numbers in chosen]), singles])


class ClassifiedStudy(Study):
    """An attribute classifier has read the samples: it chooses the most typical ones and counts successes."""

    averaged = ("mean_success", "single_success", "pixel_success", "chance", *NEARNESS)

    def __init__(
        self,
        generator: Generator,
        candidates: Candidates,
        settings: ArithmeticSettings,
        detector: OverlayDetector,
        classifier: FaceClassifier,
    ) -> None:
        super().__init__(generator, candidates, settings, detector)
        self.classifier, self.answers = classifier, classifier.predict(self.images)
        self.about = {"annotated_by": "classifier", "triples": settings.triples}

    def scores(self, terms: Sum) -> list[Floats]:
        """How surely each sample shows each of the three concepts: (N,) each."""
        attributes = self.classifier.attributes
        return [confidence(self.answers, attributes, as_attributes(term)) for term in terms.terms]

    def pools(self, terms: Sum) -> list[Numbers]:
        """The samples that are most typical of each concept."""
        return [most_typical(score, self.settings.pool) for score in self.scores(terms)]

    def measure(self, terms: Sum, pools: Sequence[Numbers], number: int) -> Measured:
        """How often random triples of exemplars give the expected attributes, and how near they are to real faces."""
        wanted = expected(*map(as_attributes, terms.terms))
        random = numpy_generator(self.settings.seed, "arithmetic", "triples", number)
        exemplars, triples = self.settings.exemplars, self.settings.triples
        drawn = [np.stack([random.choice(pool, exemplars, False) for _ in range(triples)]) for pool in pools]
        means = self.draw(arithmetic(*(self.z[chosen] for chosen in drawn)))
        singles = self.draw(arithmetic(*(self.z[chosen[:, :1]] for chosen in drawn)))
        pixels = pixel_sum([self.images[chosen] for chosen in drawn])
        results = {"mean": means, "single": singles, "pixels": pixels}
        outcomes = {name: self.success(self.classifier.predict(images), wanted) for name, images in results.items()}
        figures = means_of(outcomes, "success")
        of_samples = self.success(self.answers, wanted)
        outcomes["chance"] = random.choice(of_samples, triples)
        figures["chance"] = float(of_samples.mean(dtype=np.float64))
        scores = zip(self.scores(terms), pools, strict=True)
        figures["least_confidence_in_pools"] = float(min(score[pool].min() for score, pool in scores))
        near = self.nearness(means, singles, pixels)
        return Measured(figures | near.figures, outcomes | near.outcomes)

    def success(self, answers: Floats, wanted: Concept) -> Floats:
        """1 for images that show all attributes of a concept, by the classifier's answers: (N,)."""
        return shows(answers, self.classifier.attributes, wanted).astype(np.float32)


class AnnotatedStudy(Study):
    """Exemplars chosen by hand: nobody counts successes, but why single z are unstable can be measured.

    concepts: numbers of the samples that show each concept; missing: which concepts have too few, in words.
    """

    averaged = ("mean_length", "single_length", "single_spread", *NEARNESS)

    def __init__(
        self,
        generator: Generator,
        candidates: Candidates,
        settings: ArithmeticSettings,
        detector: OverlayDetector,
        concepts: Mapping[str, Sequence[int]],
        missing: str,
    ) -> None:
        super().__init__(generator, candidates, settings, detector)
        self.concepts = concepts
        self.about = {"annotated_by": "hand", "missing": missing}

    def pools(self, terms: Sum) -> list[Numbers]:
        """The samples that a person chose for each concept."""
        return [np.array(self.concepts.get(describe(term), []), np.int64) for term in terms.terms]

    def measure(self, terms: Sum, pools: Sequence[Numbers], number: int) -> Measured:
        """Length of sums over that of samples' z, and how much single z's results differ, over how samples do.

        A sum of three means has the spread of one z. A sum of three z has three times the variance, so it lies 1.7
        times as far out, where the generator was never trained. How near to real images: the results that the picture
        shows, of mean z with their neighbours.
        """
        chosen = [pool[: self.settings.exemplars] for pool in pools]
        length = self.z.norm(dim=1).mean()
        singles = torch.stack([self.z[a] - self.z[b] + self.z[c] for a, b, c in product(*chosen)])
        figures = {
            "mean_length": float(arithmetic(*(self.z[numbers] for numbers in chosen)).norm() / length),
            "single_length": float(singles.norm(dim=1).mean() / length),
            "single_spread": mean_distance(self.draw(singles)) / max(mean_distance(self.images), 1e-9),
        }
        near = self.nearness(self.panel(chosen, number), self.singles(chosen), self.pixel_sums(chosen))
        return Measured(figures | near.figures, near.outcomes)


def means_of(outcomes: Mapping[str, Floats], what: str) -> dict[str, float]:
    """The mean of each array of outcomes: `pixel_success` of pixels."""
    return {f"{name.removesuffix('s')}_{what}": float(one.mean(dtype=np.float64)) for name, one in outcomes.items()}


def pixel_sum(terms: Sequence[Images]) -> Images:
    """plus - minus + other of mean images: (N, M, H, W, C) uint8 each -> (N, H, W, C) uint8, cut to 0 and 255."""
    plus, minus, other = (images.astype(np.float32).mean(1) for images in terms)
    return as_bytes(plus - minus + other)


def all_outcomes(measured: Sequence[Measured | None]) -> dict[str, Floats]:
    """The outcomes of all sums that could be drawn, one sum after the other: (results,) by name."""
    drawn = [one.outcomes for one in measured if one is not None]
    return {name: np.concatenate([outcomes[name] for outcomes in drawn]) for name in (drawn[0] if drawn else ())}


def all_figures(study: Study, measured: Sequence[Measured | None]) -> dict[str, Any]:
    """Figures of every sum by its number, and their means over the sums that could be drawn."""
    drawn = [one.figures for one in measured if one is not None]
    metrics: dict[str, Any] = {"exemplars": study.settings.exemplars, **study.about}
    for number, one in enumerate(measured, 1):
        metrics |= {f"sum{number}_{name}": value for name, value in (one.figures if one else {}).items()}
    metrics |= {"sums_drawn": len(drawn), "sample_nearness": study.sample_nearness}
    for name in study.averaged if drawn else ():
        metrics[name] = float(np.mean([figures[name] for figures in drawn]))
    return metrics
