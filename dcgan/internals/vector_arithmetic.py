"""Arithmetic with concepts: smiling woman - woman + man, in the latent space and, beside it, in pixels.

Paper: section 6.3.2, Figure 7: "experiments working on only single samples per concept were unstable", so z is averaged
over three exemplars. Inputs: samples of a generator, and an attribute classifier that reads which of them show a
concept, or exemplars chosen by hand. Outputs: pictures (H, W, 3) uint8, figures by name. Published: pictures.
Differs: batch-norm statistics are estimated: a batch of nine neighbours has none of its own.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

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
from dcgan.internals.figure_layout import Candidates, above, beside, draw, sign, title
from dcgan.internals.latent_space import arithmetic, neighbourhood
from dcgan.internals.nearest_images import mean_distance
from dcgan.models.networks import Generator


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
        """(glasses) - (no glasses) + (long hair, no glasses)."""
        plus, minus, other = map(describe, self.terms)
        return f"({plus}) - ({minus}) + ({other})"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How sums are formed, measured and drawn."""

    exemplars: int  # of each concept, whose z are averaged
    pool: int  # of most typical samples, from which a classifier's exemplars come
    triples: int  # random ones that successes are counted over
    reach: float  # of the noise that the neighbours of a result differ by
    enlargement: int
    seed: int


class Study(ABC):
    """Samples of a generator, and which of them are exemplars of a concept."""

    about: dict[str, Any]
    averaged: tuple[str, ...]  # figures whose mean over all sums is reported

    def __init__(self, generator: Generator, candidates: Candidates, settings: Settings) -> None:
        self.generator, self.settings = generator, settings
        self.z, self.images = candidates

    def draw(self, z: Tensor) -> Images:
        """Images of latents, each by itself."""
        return draw(self.generator, z, "estimated")

    @abstractmethod
    def pools(self, terms: Sum) -> list[Numbers]:
        """For each of the three concepts, the numbers of samples that show it."""

    @abstractmethod
    def measure(self, terms: Sum, pools: Sequence[Numbers], number: int) -> dict[str, float]:
        """Figures of one sum."""

    def work_out(self, terms: Sum, number: int) -> tuple[Images, dict[str, float] | None]:
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
        result = arithmetic(*(self.z[numbers] for numbers in chosen))
        random = torch_generator(self.settings.seed, "arithmetic", "neighbours", number)
        panel = self.draw(neighbourhood(result, self.settings.reach, 8, random))
        parts += [enlarge(tile(panel, 3), k), title("single z", enlarge(tile(self.singles(chosen), 1), k))]
        parts.append(title("pixels", enlarge(self.pixel_rows(chosen), k)))
        return title(str(terms), beside(parts, 8))

    def singles(self, chosen: Sequence[Numbers]) -> Images:
        """The sum of one exemplar of each concept: the first of each, the second of each and so on."""
        return self.draw(arithmetic(*(self.z[numbers][:, None] for numbers in chosen)))

    def pixel_rows(self, chosen: Sequence[Numbers]) -> Images:
        """The same arithmetic in pixels: the sum of the mean images, then the sums of single images."""
        singles = pixel_sum([self.images[numbers][:, None] for numbers in chosen])
        means = pixel_sum([self.images[numbers][None] for numbers in chosen])
        return above([tile(means, 1), tile(singles, len(singles))], 4)


class ClassifiedStudy(Study):
    """An attribute classifier has read the samples: it chooses the most typical ones and counts successes."""

    averaged = ("mean_success", "single_success", "pixel_success", "chance")

    def __init__(
        self, generator: Generator, candidates: Candidates, settings: Settings, classifier: FaceClassifier
    ) -> None:
        super().__init__(generator, candidates, settings)
        self.classifier, self.answers = classifier, classifier.predict(self.images)
        self.about = {"annotated_by": "classifier", "triples": settings.triples}

    def scores(self, terms: Sum) -> list[Floats]:
        """How surely each sample shows each of the three concepts: (N,) each."""
        attributes = self.classifier.attributes
        return [confidence(self.answers, attributes, as_attributes(term)) for term in terms.terms]

    def pools(self, terms: Sum) -> list[Numbers]:
        """The samples that are most typical of each concept."""
        return [most_typical(score, self.settings.pool) for score in self.scores(terms)]

    def measure(self, terms: Sum, pools: Sequence[Numbers], number: int) -> dict[str, float]:
        """How often random triples of exemplars give the expected attributes."""
        wanted = expected(*map(as_attributes, terms.terms))
        random = numpy_generator(self.settings.seed, "arithmetic", "triples", number)
        exemplars, triples = self.settings.exemplars, self.settings.triples
        drawn = [np.stack([random.choice(pool, exemplars, False) for _ in range(triples)]) for pool in pools]
        means = arithmetic(*(self.z[chosen] for chosen in drawn))
        singles = arithmetic(*(self.z[chosen[:, :1]] for chosen in drawn))
        scores = self.scores(terms)
        return {
            "mean_success": self.share(self.draw(means), wanted),
            "single_success": self.share(self.draw(singles), wanted),
            "pixel_success": self.share(pixel_sum([self.images[chosen] for chosen in drawn]), wanted),
            "chance": self.share(self.images, wanted),
            "least_confidence_in_pools": float(min(s[pool].min() for s, pool in zip(scores, pools, strict=True))),
        }

    def share(self, images: Images, wanted: Concept) -> float:
        """Share of images that show all attributes of a concept."""
        return float(shows(self.classifier.predict(images), self.classifier.attributes, wanted).mean())


class AnnotatedStudy(Study):
    """Exemplars chosen by hand: nobody counts successes, but why single z are unstable can be measured.

    concepts: numbers of the samples that show each concept; missing: which concepts have too few, in words.
    """

    averaged = ("mean_length", "single_length", "single_spread")

    def __init__(
        self,
        generator: Generator,
        candidates: Candidates,
        settings: Settings,
        concepts: Mapping[str, Sequence[int]],
        missing: str,
    ) -> None:
        super().__init__(generator, candidates, settings)
        self.concepts = concepts
        self.about = {"annotated_by": "hand", "missing": missing}

    def pools(self, terms: Sum) -> list[Numbers]:
        """The samples that a person chose for each concept."""
        return [np.array(self.concepts.get(describe(term), []), np.int64) for term in terms.terms]

    def measure(self, terms: Sum, pools: Sequence[Numbers], number: int) -> dict[str, float]:
        """Length of sums over that of samples' z, and how much single z's results differ, over how samples do.

        A sum of three means has the spread of one z. A sum of three z has three times the variance, so it lies 1.7
        times as far out, where the generator was never trained.
        """
        chosen = [pool[: self.settings.exemplars] for pool in pools]
        length = self.z.norm(dim=1).mean()
        singles = torch.stack([self.z[a] - self.z[b] + self.z[c] for a, b, c in product(*chosen)])
        return {
            "mean_length": float(arithmetic(*(self.z[numbers] for numbers in chosen)).norm() / length),
            "single_length": float(singles.norm(dim=1).mean() / length),
            "single_spread": mean_distance(self.draw(singles)) / max(mean_distance(self.images), 1e-9),
        }


def pixel_sum(terms: Sequence[Images]) -> Images:
    """plus - minus + other of mean images: (N, M, H, W, C) uint8 each -> (N, H, W, C) uint8, cut to 0 and 255."""
    plus, minus, other = (images.astype(np.float32).mean(1) for images in terms)
    pixels: Images = np.clip(np.rint(plus - minus + other), 0, 255).astype(np.uint8)
    return pixels


def all_figures(study: Study, measured: Sequence[dict[str, float] | None]) -> dict[str, Any]:
    """Figures of every sum by its number, and their means over the sums that could be drawn."""
    drawn = [figures for figures in measured if figures is not None]
    metrics: dict[str, Any] = {"exemplars": study.settings.exemplars, **study.about}
    for number, figures in enumerate(measured, 1):
        metrics |= {f"sum{number}_{name}": value for name, value in (figures or {}).items()}
    metrics["sums_drawn"] = len(drawn)
    for name in study.averaged if drawn else ():
        metrics[name] = float(np.mean([figures[name] for figures in drawn]))
    return metrics
