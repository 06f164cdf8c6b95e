"""Combinations that only a stage behind a training would refuse: figures, samples with labels, exports.

Rules as in workflow/params/consistency.py; `make check` and the start of both engines ask them, stages do not.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

from dcgan.core.files import InputError
from dcgan.internals.concepts import expected
from dcgan.models.architectures import ARCHITECTURES, Architecture
from workflow.params.consistency import Rule, labelled, made_by_a_stage, misfits
from workflow.params.figures import by_hand
from workflow.params.image_kinds import FIGURES_WITH_IMAGES, SPLITS, ImageKind, kinds_of_images, labelled_folders
from workflow.params.rows import PackedRows
from workflow.params.sections import Params

FIGURES_OF_Z = ("walk", "guided", "windows", "arithmetic", "turn")


def found_out_late(
    params: Params, packed: Mapping[str, PackedRows], own: Mapping[str, ImageKind] | None = None
) -> Iterator[Rule]:
    """Every such rule. packed: the labelled sets that are known, by their folder; own: stores that no stage makes."""
    sets, stores = kinds_of_images(params, own or {})
    rows = {name: row for name, one in params.train.items() if (row := ARCHITECTURES.get(one.network))}
    yield from too_many_classes(params, rows, packed)
    yield from parts_of_figures(params, rows)
    yield from images_of_figures(params, rows, stores)
    yield from classifiers_of_figures(params, rows, stores)
    yield from sums(params)
    yield from neighbours(params, rows, sets)
    yield from unlike_splits(params, stores)
    yield from measured_networks(params, rows)


def measured_networks(params: Params, rows: Mapping[str, Architecture]) -> Iterator[Rule]:
    """Most figures draw by z alone; the space that quality and walks are measured in is one of colour images."""
    for figure in FIGURES_OF_Z:
        for name in sorted(getattr(params.figures, figure).keys() & rows.keys()):
            row = rows[name]
            yield row.classes > 0, f"figures.{figure}.{name}", row.name, "a network that needs no labels"
    for key, sections in (("quality.sets", params.quality.sets), ("figures.walk", params.figures.walk)):
        for name in sorted(sections.keys() & rows.keys()):
            yield rows[name].channels != 3, f"{key}.{name}", rows[name].name, "a network of colour images"


def too_many_classes(
    params: Params, rows: Mapping[str, Architecture], packed: Mapping[str, PackedRows]
) -> Iterator[Rule]:
    """A conditional network knows a number of classes."""
    for name, row in rows.items():
        folder = params.train[name].images.rpartition("/")[0]
        classes = packed[folder].classes if folder in packed else 0
        known = f"it knows {row.classes} classes, {folder} has {classes}"
        yield 0 < row.classes < classes, f"train.{name}.network", row.name, known


def parts_of_figures(params: Params, rows: Mapping[str, Architecture]) -> Iterator[Rule]:
    """A figure shows what its network has: grids of the training, layers."""
    shown = params.figures
    for name in (name for name in shown.animation if name in params.train):
        grids = f"figures.animation.{name} is made of these grids"
        yield params.train[name].frame_images is None, f"train.{name}.frame_images", None, grids
    for name in (name for name in shown.guided if name in rows):
        yield layer(f"figures.guided.{name}.layer", shown.guided[name].layer, rows[name], "discriminator")
    for name in (name for name in shown.windows if name in rows):
        yield layer(f"figures.windows.{name}.layer", shown.windows[name].layer, rows[name], "generator")


def layer(key: str, number: int, row: Architecture, network: Literal["generator", "discriminator"]) -> Rule:
    """A convolution layer that a network has, counted from the image or, if negative, from the other end.

    The generator's is counted from its image backwards, and -1, the image, has no maps to look at.
    """
    count = len(row.generator_layers if network == "generator" else row.discriminator_layers)
    first, last = -count, -2 if network == "generator" else count - 1
    has = f"the {network} of {row.name} has {count} convolution layers"
    allowed = f"{first} to {last}, as {has}" if first <= last else f"none, as {has}"
    return not first <= number <= last, key, number, allowed


def images_of_figures(
    params: Params, rows: Mapping[str, Architecture], stores: Mapping[str, ImageKind]
) -> Iterator[Rule]:
    """A figure compares samples with real images of their size."""
    figures = {f"figures.{one}": getattr(params.figures, one) for one in FIGURES_WITH_IMAGES}
    for kind, sections in {"quality.sets": params.quality.sets, **figures}.items():
        for name, section in sections.items():
            key = f"{kind}.{name}.images"
            yield made_by_a_stage(key, section.images, stores)
            if name in rows:
                yield from misfits(key, section.images, rows[name].name, section.images, stores.get(section.images))


def classifiers_of_figures(
    params: Params, rows: Mapping[str, Architecture], stores: Mapping[str, ImageKind]
) -> Iterator[Rule]:
    """A classifier looks at samples of the size that it has learned from."""
    learned = {
        f"data/classifiers/{kind}_{name}.safetensors": section.images
        for kind, sections in params.classifiers
        for name, section in sections.items()
    }
    for figure in ("windows", "arithmetic", "turn"):
        for name, section in getattr(params.figures, figure).items():
            images = learned.get(section.annotator)
            if name in rows and images is not None:
                key = f"figures.{figure}.{name}.annotator"
                yield from misfits(key, section.annotator, rows[name].name, images, stores.get(images))


def sums(params: Params) -> Iterator[Rule]:
    """The three concepts of a sum name the same attributes, and their sum is again one."""
    for name, section in params.figures.arithmetic.items():
        for number, one in enumerate(section.sums if not by_hand(section.annotator) else ()):
            if isinstance(one.plus, dict) and isinstance(one.minus, dict) and isinstance(one.other, dict):
                try:
                    expected(one.plus, one.minus, one.other)
                except InputError as error:
                    yield True, f"figures.arithmetic.{name}.sums.{number}", one.model_dump(), str(error)


def neighbours(params: Params, rows: Mapping[str, Architecture], sets: Mapping[str, ImageKind]) -> Iterator[Rule]:
    """Samples with labels come from a conditional network, and are compared with images of its size."""
    made = {f"data/networks/{name}/generator.safetensors": rows.get(name) for name in params.train}
    made |= {
        f"data/networks/published_{name}/generator.safetensors": ARCHITECTURES.get(one.architecture)
        for name, one in params.published.items()
    }
    for name, one in params.neighbours.items():
        key = f"neighbours.{name}"
        yield made_by_a_stage(f"{key}.generator", one.generator, made)
        yield from labelled(f"{key}.images", one.images, sets)
        if (row := made.get(one.generator)) is not None:
            yield (
                row.classes == 0,
                f"{key}.generator",
                one.generator,
                "a conditional network; its samples have no labels",
            )
            yield from misfits(f"{key}.generator", one.generator, row.name, one.images, sets.get(one.images))


def unlike_splits(params: Params, stores: Mapping[str, ImageKind]) -> Iterator[Rule]:
    """The splits of a labelled set are of one kind, also if no stage has made them."""
    for key, folder, _ in labelled_folders(params):
        kinds = {split: str(kind) for split in SPLITS if (kind := stores.get(f"{folder}/{split}.h5")) is not None}
        told = ", ".join(f"{split} {kind}" for split, kind in kinds.items())
        yield len(set(kinds.values())) > 1, key, folder, f"its splits have to be alike, and are {told}"
