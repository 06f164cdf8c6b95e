"""The page on which generators run and samples are annotated: results/explore.html, and what `make annotate` serves.

Inputs: generators; the samples that a person annotates, if any. Output: the text of one HTML page, without a reference
to another file. Each generator is in it with its batch norm folded into float16 weights (dcgan/models/portable.py), and
so is z of the samples to annotate, so that they are drawn again, to within a grey level, and can be played with.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcgan.core.files import InputError
from dcgan.core.seeding import torch_generator
from workflow.annotation.file import Annotations, AnnotationTask, empty_annotations
from workflow.params.sections import Explore
from workflow.report.page import fill_template

if TYPE_CHECKING:
    from dcgan.internals.figure_layout import Candidates
    from dcgan.models.networks import Generator

TITLE = "DCGAN, to play with"
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Sheet:
    """Samples of a generator, what a person is to find on them, and annotations in which nothing has been found yet."""

    task: AnnotationTask
    empty: Annotations
    samples: "Candidates"

    def about(self) -> dict[str, Any]:
        """What the page's script needs; z as base64 of little-endian float32, (samples, latent size)."""
        return {
            "network": self.task.network,
            "file": self.task.path.as_posix(),
            "samples": len(self.samples.z),
            "goals": self.task.goals(),
            "plays": self.task.plays,
            "empty": self.empty.model_dump(),
            "z": base64.b64encode(self.samples.z.cpu().numpy().astype("<f4").tobytes()).decode(),
        }


def draw_sheet(task: AnnotationTask, path: Path, generator: "Generator") -> Sheet:
    """Draws the samples; it fills the generator's statistics, with which the page has to draw them again."""
    from dcgan.internals.figure_layout import draw_candidates

    empty = empty_annotations(path, generator.architecture.image_size, task.drawing)
    return Sheet(task, empty, draw_candidates(generator, **task.drawing.model_dump()))


def explorer_page(
    generators: Mapping[str, "Generator"], sheets: Sequence[Sheet], explore: Explore, seed: int, served: bool
) -> str:
    """The page of those generators that a browser can draw with; why the others are left out stands in it.

    served: `make annotate` saves what is annotated, and shows samples as PNG; there a generator that is annotated may
    have any size. Raises InputError if there would be nothing on the page.
    """
    annotated = {sheet.task.network for sheet in sheets}
    networks, left_out = [], {}
    for name, generator in generators.items():
        limit = None if served and name in annotated else explore.max_megabytes
        batches = None if name in annotated else explore.statistics_batches
        try:
            networks.append(portable_network(name, generator, limit, batches, seed))
        except InputError as error:
            left_out[name] = str(error)
    shown = [one for one in sheets if served or one.task.network not in left_out]
    if not networks and not shown:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise InputError(f"explore: no generator can be shown ({reasons})")
    return fill_template(
        "explore.html.j2",
        title=TITLE,
        networks=networks,
        left_out=left_out,
        count=explore.count,
        desks=[sheet.about() for sheet in shown],
        served=served,
    )


def portable_network(
    name: str, generator: "Generator", max_megabytes: float | None, statistics_batches: int | None, seed: int
) -> dict[str, Any]:
    """A generator for the page's script; raises InputError if it is too large or cannot be folded.

    statistics_batches: of how many batches its statistics are estimated; None if they have been.
    """
    from dcgan.models.folded import folded_bytes
    from dcgan.models.portable import portable

    megabytes = folded_bytes(generator) / MEGABYTE
    if max_megabytes is not None and megabytes > max_megabytes:
        raise InputError(f"its generator has {megabytes:.1f} MB, above explore.max_megabytes")
    random = torch_generator(seed, "explore", name)
    if statistics_batches is not None:
        generator.estimate(statistics_batches, random)
    return portable(name, generator, random)
