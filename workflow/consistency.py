"""Combinations of parameters that cannot work together, though each value alone is allowed.

`impossible(params)` yields one line for each: key, value and what it would have to be. What is checked: shards are
numbered 0..n-1; a crop is not larger than what it is cut from; a network fits the images that it is trained on, as far
as params.yaml tells their size; features, judges and figures speak of sets and networks that there are.
"""

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from dcgan.architectures import ARCHITECTURES, Architecture, architecture_from
from workflow.params import Params, TrainedNetwork

CROP32 = 32
BY_HAND = ".json"  # a person's annotations, see workflow/annotations.py


class ImageKind(NamedTuple):
    """What params.yaml tells of the images in a store."""

    side: int
    channels: int
    labelled: bool


def impossible(params: Params) -> Iterator[str]:
    """One line for everything in the parameters that cannot be."""
    yield from wrong_shards("export", params.export.shards)
    yield from wrong_shards("crop_faces", params.crop_faces.shards)
    yield from wrong_shards("supervised", params.supervised.shards)
    yield from wrong_crops(params)
    stores = stores_that_are_made(params)
    for name, section in params.train.items():
        yield from wrong_network(f"train.{name}", section, stores)
        yield from wrong_training(f"train.{name}", section)
    yield from wrong_guidelines(params, stores)
    yield from wrong_features(params)
    yield from wrong_names(params)


def wrong_shards(section: str, shards: list[int]) -> Iterator[str]:
    """Shards are ranges of one order: number k of n is meant by k alone, so none may be missing."""
    if shards != list(range(len(shards))):
        yield f"{section}.shards: {shards} is not allowed (shards are numbered from 0 without a gap: 0, 1, 2, ...)"


def wrong_crops(params: Params) -> Iterator[str]:
    """The central crop of a face is cut from the resized box; YuNet needs its model."""
    faces = params.crop_faces
    if faces.image_size > faces.resize:
        yield f"crop_faces.image_size: {faces.image_size} is not allowed (at most crop_faces.resize, {faces.resize})"
    if faces.detector == "yunet" and faces.model is None:
        yield "crop_faces.model: null is not allowed (detector yunet needs the path of its ONNX file)"


def stores_that_are_made(params: Params) -> dict[str, ImageKind]:
    """Path of every image store that the DAG makes and its parameters describe."""
    filtered = params.export.image_size if params.deduplicate.filtered == "images" else CROP32
    stores = {
        "data/bedrooms/unique.h5": ImageKind(filtered, 3, labelled=False),
        "data/faces/crops.h5": ImageKind(params.crop_faces.image_size, 3, labelled=False),
    }
    for name, packed in params.pack.sets.items():
        kind = ImageKind(packed.image_size, 1 if packed.kind == "mnist" else 3, labelled=packed.kind != "celeba")
        for split in ("train", "test", "validation"):
            stores[f"data/packed/{name}/{split}.h5"] = kind
    return stores


def wrong_network(key: str, section: TrainedNetwork, stores: dict[str, ImageKind]) -> Iterator[str]:
    """A network makes images of one size, and has to be trained on images of that size."""
    architecture = ARCHITECTURES.get(section.network)
    if architecture is None:
        yield f"{key}.network: {section.network!r} is not allowed (one of {', '.join(ARCHITECTURES)})"
        return
    store = stores.get(section.images)
    if store is not None:
        yield from misfit(f"{key}.network: {section.network!r} is not allowed", architecture, section.images, store)
    elif is_made_by_the_dag(section.images):
        yield f"{key}.images: {section.images!r} is not allowed (stores that are made: {', '.join(stores)})"


def wrong_training(key: str, section: TrainedNetwork) -> Iterator[str]:
    """Numbers of one section that have to fit each other."""
    if section.decay_epochs > section.epochs:
        yield f"{key}.decay_epochs: {section.decay_epochs} is not allowed (at most {key}.epochs, {section.epochs})"
    if section.batch_size % section.processes:
        yield f"{key}.processes: {section.processes} is not allowed (has to divide batch_size, {section.batch_size})"
    if section.keep_images is not None and section.held_out < 2:
        yield f"{key}.keep_images: {section.keep_images} is not allowed (needs held_out images to judge weights by)"


def misfit(beginning: str, architecture: Architecture, images: str, store: ImageKind) -> Iterator[str]:
    """Where images and network differ."""
    if (architecture.image_size, architecture.channels) != (store.side, store.channels):
        yield (
            f"{beginning} (it makes {architecture.image_size} x {architecture.image_size} x {architecture.channels}, "
            f"the images in {images} are {store.side} x {store.side} x {store.channels})"
        )
    if architecture.classes and not store.labelled:
        yield f"{beginning} (it is conditional, and {images} has no labels)"


def wrong_guidelines(params: Params, stores: dict[str, ImageKind]) -> Iterator[str]:
    """The sweep is over images that are trained on anyway, and compares with one variant that changes nothing."""
    guidelines = params.guidelines
    yield from unknown("guidelines.sets", guidelines.sets, params.train, "train")
    for name in (name for name in guidelines.sets if name in params.train):
        if params.train[name].images != guidelines.images:
            yield f"guidelines.images: {guidelines.images!r} is not allowed (train.{name}.images is another)"
    if [variant.changes() for variant in guidelines.variants.values()].count({}) != 1:
        yield "guidelines.variants: exactly one has to change nothing, such as `published: {}`"
    architecture = ARCHITECTURES.get(guidelines.network)
    if architecture is None or architecture.classes:
        allowed = ", ".join(name for name, row in ARCHITECTURES.items() if not row.classes)
        yield f"guidelines.network: {guidelines.network!r} is not allowed (one of {allowed})"
        return
    if guidelines.sets and guidelines.images in stores:
        beginning = f"guidelines.network: {guidelines.network!r} is not allowed"
        yield from misfit(beginning, architecture, guidelines.images, stores[guidelines.images])
    for name, variant in guidelines.variants.items() if guidelines.sets else ():
        rows = {key: value for key, value in variant.changes().items() if key in Architecture.__dataclass_fields__}
        try:
            architecture_from(architecture.description | rows)
        except ValueError as error:
            yield f"guidelines.variants.{name}: {error}"


def is_made_by_the_dag(path: str) -> bool:
    """Whether a store lies where only stages write: such a path has to be one that a stage makes."""
    return PurePosixPath(path).parts[:2] in {("data", folder) for folder in ("bedrooms", "faces", "packed")}


def wrong_names(params: Params) -> Iterator[str]:
    """Sections that speak of a network or a judge by name."""
    networks = list(params.train)
    for figure, sections in params.figures:
        yield from unknown(f"figures.{figure}", sections, networks, "train")
    yield from unknown("judge.windows", params.judge.windows, networks, "train")
    yield from unknown("judge.faces", params.judge.faces, networks, "train")
    yield from wrong_judges(params)


def wrong_judges(params: Params) -> Iterator[str]:
    """A figure rests on a judge that is trained, or on a person's annotations; each has its way of naming concepts."""
    of_windows = {f"data/judges/windows_{name}.safetensors" for name in params.judge.windows}
    of_faces = {f"data/judges/faces_{name}.safetensors" for name in params.judge.faces}
    figures = params.figures
    for kind, sections, made in (
        ("windows", figures.windows, of_windows),
        ("arithmetic", figures.arithmetic, of_faces),
        ("turn", figures.turn, of_faces),
    ):
        for name, section in sections.items():
            yield from unknown_path(f"figures.{kind}.{name}.judge", section.judge, "data/judges/", made)
    for name, windows in figures.windows.items():
        if windows.statistics == "batch" and windows.judge.endswith(BY_HAND):
            yield f"figures.windows.{name}.statistics: 'batch' is not allowed (boxes by hand lie on estimated samples)"
    for name, arithmetic in figures.arithmetic.items():
        terms = [term for one in arithmetic.sums for term in (one.plus, one.minus, one.other)]
        for term in (term for term in terms if isinstance(term, str) and not arithmetic.judge.endswith(BY_HAND)):
            yield f"figures.arithmetic.{name}.sums: {term!r} is not allowed (a judge needs attributes: {{smile: 1}})"


def wrong_features(params: Params) -> Iterator[str]:
    """Features come from a network that is trained or was imported, classifiers from features that are made."""
    folders = [*params.train, *(f"published_{name}" for name in params.published)]
    made = {f"data/networks/{folder}/discriminator.safetensors" for folder in folders}
    for name, section in params.features.items():
        yield from unknown_path(f"features.{name}.discriminator", section.discriminator, "data/networks/", made)
    made = {f"data/features/{name}" for name in params.features} | {f"data/features/kmeans_{n}" for n in params.kmeans}
    for name, svm in params.svm.items():
        yield from unknown_path(f"svm.{name}.features", svm.features, "data/features/", made)
    if params.supervised.network not in ARCHITECTURES:
        allowed = ", ".join(ARCHITECTURES)
        yield f"supervised.network: {params.supervised.network!r} is not allowed (one of {allowed})"


def unknown_path(key: str, path: str, folder: str, made: set[str]) -> Iterator[str]:
    """A path where only stages write has to be one that a stage makes."""
    if path.startswith(folder) and path not in made:
        yield f"{key}: {path!r} is not allowed (what is made there: {', '.join(sorted(made)) or 'nothing'})"


def unknown(section: str, used: Iterable[str], known: Iterable[str], where: str) -> Iterator[str]:
    """Names in one section that another one would have to have."""
    known = list(known)
    for name in used:
        if name not in known:
            yield f"{section}.{name}: {name!r} is not allowed ({where} has {', '.join(known) or 'nothing'})"
