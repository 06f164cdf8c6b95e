"""Combinations of parameters that cannot work together, though each value alone is allowed.

`impossible(params)` yields one line for each: key, value and what it would have to be. What is checked: shards are
numbered 0..n-1; a crop is not larger than what it is cut from; a network fits the images that it is trained on, as far
as params.yaml tells their size; features, classifiers and figures speak of sets and networks that there are.
"""

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from dcgan.models.architectures import ARCHITECTURES, Architecture, architecture_from
from workflow.params.figures import ArithmeticFigure
from workflow.params.sections import FaceClassifierSection, Params, TrainedNetwork

CROP32 = 32
BY_HAND = ".json"  # a person's annotations, see workflow/annotation/file.py


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
    yield from wrong_features(params, stores)
    yield from wrong_svm(params)
    yield from wrong_supervised(params, stores)
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
        yield f"{key}.keep_images: {section.keep_images} is not allowed (needs held_out images to compare weights by)"


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
    """Sections that speak of a network or a classifier by name."""
    networks = list(params.train)
    for figure, sections in params.figures:
        yield from unknown(f"figures.{figure}", sections, networks, "train")
    yield from unknown("onnx", params.onnx, networks, "train")
    yield from unknown("classifiers.windows", params.classifiers.windows, networks, "train")
    yield from unknown("classifiers.faces", params.classifiers.faces, networks, "train")
    yield from wrong_annotators(params)


def wrong_annotators(params: Params) -> Iterator[str]:
    """A figure rests on a classifier that is trained, or on a person's annotations; each has its way of naming
    concepts."""
    of_windows = {f"data/classifiers/windows_{name}.safetensors" for name in params.classifiers.windows}
    of_faces = {f"data/classifiers/faces_{name}.safetensors" for name in params.classifiers.faces}
    figures = params.figures
    for kind, sections, made in (
        ("windows", figures.windows, of_windows),
        ("arithmetic", figures.arithmetic, of_faces),
        ("turn", figures.turn, of_faces),
    ):
        for name, section in sections.items():
            yield from unknown_path(f"figures.{kind}.{name}.annotator", section.annotator, "data/classifiers/", made)
    for name, windows in figures.windows.items():
        if windows.statistics == "batch" and windows.annotator.endswith(BY_HAND):
            yield f"figures.windows.{name}.statistics: 'batch' is not allowed (boxes by hand lie on estimated samples)"
    for name, arithmetic in figures.arithmetic.items():
        if not arithmetic.annotator.endswith(BY_HAND):
            yield from wrong_sums(f"figures.arithmetic.{name}.sums", arithmetic, params.classifiers.faces)


def wrong_sums(key: str, arithmetic: ArithmeticFigure, classifiers: dict[str, FaceClassifierSection]) -> Iterator[str]:
    """A classifier knows the attributes that it learns, and nothing by another name."""
    classifier = classifiers.get(PurePosixPath(arithmetic.annotator).stem.removeprefix("faces_"))
    for term in (term for one in arithmetic.sums for term in (one.plus, one.minus, one.other)):
        if isinstance(term, str):
            yield f"{key}: {term!r} is not allowed (a classifier needs attributes: {{smile: 1}})"
        elif classifier is not None:
            yield from unknown(key, term, classifier.attributes, "the classifier")


def wrong_features(params: Params, stores: dict[str, ImageKind]) -> Iterator[str]:
    """Features come from a network that is trained or was imported, and that fits the images."""
    rows = {name: section.network for name, section in params.train.items()}
    rows |= {f"published_{name}": section.architecture for name, section in params.published.items()}
    made = {f"data/networks/{name}/discriminator.safetensors": row for name, row in rows.items()}
    for name, section in params.features.items():
        key, path = f"features.{name}.discriminator", section.discriminator
        yield from unknown_path(key, path, "data/networks/", set(made))
        yield from wrong_set(f"features.{name}.images", section.images, stores)
        if made.get(path) in ARCHITECTURES:
            yield from wrong_classifier(f"{key}: {path!r}", ARCHITECTURES[made[path]], section.images, stores)
    for name, kmeans in params.kmeans.items():
        yield from wrong_set(f"kmeans.{name}.images", kmeans.images, stores)


def wrong_svm(params: Params) -> Iterator[str]:
    """Classifiers learn from features that are made; validation rows only where they were held out of train."""
    images = {f"data/features/{name}": section.images for name, section in params.features.items()}
    images |= {f"data/features/kmeans_{name}": section.images for name, section in params.kmeans.items()}
    validated = {f"data/packed/{name}" for name, packed in params.pack.sets.items() if packed.validation}
    for name, section in params.svm.items():
        yield from unknown_path(f"svm.{name}.features", section.features, "data/features/", set(images))
        if section.learn_validation and images.get(section.features) in validated:
            yield f"svm.{name}.learn_validation: True is not allowed (the set has a validation split of its own)"


def wrong_supervised(params: Params, stores: dict[str, ImageKind]) -> Iterator[str]:
    """The supervised CNN has a discriminator's row, without labels at its input, and images that fit it."""
    section = params.supervised
    if section.network not in ARCHITECTURES:
        yield f"supervised.network: {section.network!r} is not allowed (one of {', '.join(ARCHITECTURES)})"
        return
    yield from wrong_set("supervised.images", section.images, stores)
    beginning, row = f"supervised.network: {section.network!r}", ARCHITECTURES[section.network]
    yield from wrong_classifier(beginning, row, section.images, stores)
    if len(section.shards) > section.trials:
        yield f"supervised.shards: {section.shards} is not allowed (more shards than supervised.trials)"


def wrong_set(key: str, folder: str, stores: dict[str, ImageKind]) -> Iterator[str]:
    """A folder of labelled splits has to be one that is packed, where it lies among these."""
    made = {str(PurePosixPath(path).parent) for path in stores if path.startswith("data/packed/")}
    yield from unknown_path(key, folder, "data/packed/", made)
    store = stores.get(f"{folder}/train.h5")
    if store is not None and not store.labelled:
        yield f"{key}: {folder!r} is not allowed (its images have no labels)"


def wrong_classifier(
    beginning: str, architecture: Architecture, folder: str, stores: dict[str, ImageKind]
) -> Iterator[str]:
    """Where a discriminator that shall tell labels by the image alone does not fit the images of a labelled set."""
    if architecture.classes:
        yield f"{beginning} is not allowed (it is conditional: it asks for the label that is to be found)"
    elif f"{folder}/train.h5" in stores:
        yield from misfit(f"{beginning} is not allowed", architecture, folder, stores[f"{folder}/train.h5"])


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
