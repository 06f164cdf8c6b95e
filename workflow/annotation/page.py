"""The page on which generators run and samples are annotated: results/explore.html, and what `make annotate` serves.

Inputs: generators; the samples that a person annotates, if any. Output: the text of one HTML page, without a reference
to another file. Each generator is in it with its batch norm folded into float16 weights (dcgan/models/portable.py), and
so is z of the samples to annotate, so that they are drawn again, to within a grey level, and can be played with.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dcgan.core.files import InputError, read_json
from dcgan.core.seeding import torch_generator
from workflow.annotation.file import Annotations, AnnotationTask, empty_annotations
from workflow.params.sections import Explore
from workflow.report.page import fill_template

if TYPE_CHECKING:
    from dcgan.internals.figure_layout import Candidates
    from dcgan.models.networks import Generator

TITLE = "DCGAN, to play with"
MEGABYTE = 1_000_000
Weights = Mapping[str, Any]  # `layer` and `weights`, one per feature map


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
            "byHand": self.task.by_hand,
            "empty": self.empty.model_dump(),
            "z": base64.b64encode(self.samples.z.cpu().numpy().astype("<f4").tobytes()).decode(),
        }


def draw_sheet(task: AnnotationTask, path: Path, generator: "Generator") -> Sheet:
    """Draws the samples; it fills the generator's statistics, with which the page has to draw them again."""
    from dcgan.internals.figure_layout import draw_candidates

    empty = empty_annotations(path, generator.architecture.image_size, task.drawing)
    return Sheet(task, empty, draw_candidates(generator, **task.drawing.model_dump()))


def explorer_page(
    generators: Mapping[str, "Generator"],
    sheets: Sequence[Sheet],
    explore: Explore,
    seed: int,
    served: bool,
    origin: str = "",
    weights: Mapping[str, Weights] = MappingProxyType({}),
) -> str:
    """The page of those generators that a browser can draw with; why the others are left out stands in it.

    served: `make annotate` saves what is annotated, and shows samples as PNG; there a generator that is annotated may
    have any size. origin: of which run they are. weights: what maps are ranked by until somebody boxes something.
    Raises InputError if there would be nothing on the page, or weights do not fit.
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
    for network in networks:
        if weights.get(name := network["name"], {}).get("weights"):
            network["about"]["regression"] = regression(network["about"], weights[name])
    shown = [one for one in sheets if served or one.task.network not in left_out]
    if not networks and not shown:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise InputError(f"explore: no generator can be shown ({reasons})")
    return fill_template(
        "explore.html.j2",
        title=TITLE,
        origin=origin,
        networks=networks,
        left_out=left_out,
        count=explore.count,
        desks=[sheet.about() for sheet in shown],
        served=served,
    )


def regression(about: Mapping[str, Any], learned: Weights) -> Weights:
    """The same weights, with the layer as the page counts: its first is the projection, of which no map is drawn."""
    layer = learned["layer"] % (len(about["layers"]) - 1) + 1
    maps = about["layers"][layer]["shape"][-1]
    if len(learned["weights"]) != maps:
        raise InputError(f"{about['name']}: {len(learned['weights'])} weights of feature maps, its layer has {maps}")
    return {"layer": layer, "weights": learned["weights"]}


def learned_weights(folder: Path, names: Iterable[str]) -> dict[str, Weights]:
    """What stages/draw_windows.py has written of networks, of those that there is something of."""
    files = {name: folder / f"{name}.json" for name in names}
    return {name: read_json(path) for name, path in files.items() if path.is_file()}


def origin_of(files: Mapping[str, Path]) -> str:
    """The seed of generators, as their files say it; empty if one does not."""
    from dcgan.core.tensor_files import read_description

    found = [read_description(path, "network") for path in files.values()]
    if not all("run" in one for one in found):
        return ""
    return f"seed {' and '.join(map(str, sorted({one['run']['seed'] for one in found})))}"


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
