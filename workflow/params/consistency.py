"""Combinations of parameters that cannot work together, though each value alone is allowed.

`impossible(params)` yields one line per such value: key, value and what it would have to be. Checked: shards are
numbered 0..n-1; a crop is not larger than what it is cut from; a network fits the images that it is trained on, as far
as params.yaml tells their size; a path where only stages write is one that a stage makes; features, classifiers and
figures name sets and networks that there are. Every rule is a row: whether it is broken, key, value, what is allowed.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import PurePosixPath
from typing import Any

from dcgan.models.architectures import ARCHITECTURES, Architecture, architecture_from
from workflow.params.figures import ArithmeticFigure, by_hand
from workflow.params.image_kinds import ImageKind, kinds_of_images
from workflow.params.sections import CropFaces, FaceClassifierSection, Params, TrainedNetwork
from workflow.params.spelling import one_of
from workflow.params.unknown import rests_on_unknown

Rule = tuple[bool, str, Any, str]
OF_STAGES = {
    ("data", name) for name in ("bedrooms", "faces", "packed", "autoencoder", "networks", "features", "classifiers")
}


def impossible(params: Params) -> Iterator[str]:
    """One line for everything in the parameters that cannot be."""
    yield from broken(combinations(params))


def combinations(params: Params, own: Mapping[str, ImageKind] | None = None) -> Iterator[Rule]:
    """Every rule of this module. own: image stores that no stage makes, as far as somebody has looked into them."""
    sets, stores = kinds_of_images(params, own or {})
    return chain(
        preparation(params),
        *(training(f"train.{name}", section, stores) for name, section in params.train.items()),
        guidelines(params, stores),
        features(params, sets),
        supervised(params, sets),
        autoencoders(params, stores),
        *(known(section, used, params.train, "train") for section, used in named_by_a_network(params)),
        annotators(params),
    )


def broken(rules: Iterable[Rule]) -> Iterator[str]:
    """One line for every rule that is broken, unless it rests on a value that the schema refuses."""
    for is_broken, key, value, allowed in rules:
        line = f"{key}: {'null' if value is None else repr(value)} is not allowed ({allowed})"
        if is_broken and not rests_on_unknown(line):
            yield line


def preparation(params: Params) -> Iterator[Rule]:
    """Shard k of n is named by k alone, so none may be missing; splits are named once."""
    for section, switch in (("export", "sets"), ("crop_faces", "sets"), ("supervised", "results")):
        shards, names = getattr(params, section).shards, getattr(getattr(params, section), switch)
        gaps = shards != list(range(len(shards)))
        yield gaps, f"{section}.shards", shards, "shards are numbered from 0 without a gap: 0, 1, 2, ..."
        half = f"has to be empty if and only if {section}.{switch} is, {names}"
        yield bool(shards) != bool(names), f"{section}.shards", shards, half
    explore = params.explore
    nothing = bool(explore.pages) and not explore.networks
    yield nothing, "explore.networks", [], "explore.pages has a page: a network or more"
    twice = len(set(explore.networks)) < len(explore.networks)
    yield twice, "explore.networks", explore.networks, "each network once"
    for name, one in params.pack.sets.items():
        own, key = one.kind not in ("folder", "cifar10"), f"pack.sets.{name}"
        yield own and one.splits is not None, f"{key}.splits", one.splits, f"kind {one.kind} has splits of its own"
        for split, count in (("validation", one.validation), ("test", one.test)):
            twice = count > 0 and one.splits is not None and split in one.splits
            yield twice, f"{key}.{split}", count, f"0, as {key}.splits names a folder"
    if params.crop_faces.sets:
        yield from detection(params.crop_faces)


def detection(faces: CropFaces) -> Iterator[Rule]:
    """A crop is cut from its box; a detector has its model."""
    largest = f"at most crop_faces.resize, {faces.resize}"
    yield faces.image_size > faces.resize, "crop_faces.image_size", faces.image_size, largest
    no_model = faces.detector == "yunet" and faces.model is None
    yield no_model, "crop_faces.model", None, "detector yunet needs the path of its ONNX file"


def training(key: str, section: TrainedNetwork, stores: Mapping[str, ImageKind]) -> Iterator[Rule]:
    """A network makes images of one size, and has to be trained on such images; numbers of a section fit each other."""
    yield among(f"{key}.network", section.network, ARCHITECTURES)
    yield made_by_a_stage(f"{key}.images", section.images, stores)
    yield from misfits(f"{key}.network", section.network, section.network, section.images, stores.get(section.images))
    late = f"at most {key}.epochs, {section.epochs}"
    yield section.decay_epochs > section.epochs, f"{key}.decay_epochs", section.decay_epochs, late
    never = section.sample_epochs and min(section.sample_epochs) > section.epochs
    reached = f"{late}, for at least one of them"
    yield bool(never), f"{key}.sample_epochs", section.sample_epochs, reached
    uneven = section.batch_size % section.processes != 0
    yield uneven, f"{key}.processes", section.processes, f"has to divide batch_size, {section.batch_size}"
    blind = section.keep_images is not None and section.held_out < 2
    yield blind, f"{key}.keep_images", section.keep_images, "needs held_out images to compare weights by"
    nothing_kept = section.deliver == "best" and section.keep_images is None
    yield nothing_kept, f"{key}.deliver", section.deliver, "needs keep_images, among which the best is chosen"


def guidelines(params: Params, stores: Mapping[str, ImageKind]) -> Iterator[Rule]:
    """The sweep is over images that are trained on anyway, and compares with one variant that changes nothing."""
    sweep = params.guidelines
    if not sweep.sets and not sweep.variants:
        return  # it is off, and may have no numbers
    yield from known("guidelines.sets", sweep.sets, params.train, "train")
    for name in params.train.keys() & sweep.sets:
        other = params.train[name].images != sweep.images
        yield other, "guidelines.images", sweep.images, f"train.{name}.images is another"
    published = [name for name, variant in sweep.variants.items() if not variant.changes()]
    one = "exactly one has to change nothing, such as `published: {}`"
    yield len(published) != 1, "guidelines.variants", published, one
    yield among("guidelines.network", sweep.network, [name for name, row in ARCHITECTURES.items() if not row.classes])
    if sweep.sets and sweep.network in ARCHITECTURES:
        store = stores.get(sweep.images)
        yield from misfits("guidelines.network", sweep.network, sweep.network, sweep.images, store)
        for name, variant in sweep.variants.items():
            changes, fields = variant.changes(), Architecture.__dataclass_fields__
            if rests_on_unknown(changes):
                continue
            of_network = {field: value for field, value in changes.items() if field in fields}
            try:
                architecture_from(ARCHITECTURES[sweep.network].description | of_network)
            except ValueError as error:
                yield True, f"guidelines.variants.{name}", changes, str(error)


def images_by_features(params: Params) -> dict[str, str]:
    """The folder of the images that each folder of features is of."""
    found = {f"data/features/{name}": one.images for name, one in params.features.items()}
    return found | {f"data/features/kmeans_{name}": one.images for name, one in params.kmeans.items()}


def features(params: Params, sets: Mapping[str, ImageKind]) -> Iterator[Rule]:
    """Features come from a network that is trained or was imported, and that fits the images; an SVM from features."""
    rows = {name: section.network for name, section in params.train.items()}
    rows |= {f"published_{name}": section.architecture for name, section in params.published.items()}
    made = {f"data/networks/{name}/discriminator.safetensors": row for name, row in rows.items()}
    for name, one in params.features.items():
        key = f"features.{name}.discriminator"
        yield made_by_a_stage(key, one.discriminator, made)
        yield from labelled(f"features.{name}.images", one.images, sets)
        yield from unconditional(key, one.discriminator, made.get(one.discriminator, ""), one.images, sets)
    for name, kmeans in params.kmeans.items():
        yield from labelled(f"kmeans.{name}.images", kmeans.images, sets)
        too_many = kmeans.centroids > kmeans.patches
        yield too_many, f"kmeans.{name}.centroids", kmeans.centroids, f"at most kmeans.{name}.patches, {kmeans.patches}"
    images = images_by_features(params)
    validated = {
        f"data/packed/{name}"
        for name, packed in params.pack.sets.items()
        if packed.validation or "validation" in (packed.splits or ())
    }
    for name, svm in params.svm.items():
        yield made_by_a_stage(f"svm.{name}.features", svm.features, images)
        twice = svm.learn_validation and images.get(svm.features) in validated
        yield twice, f"svm.{name}.learn_validation", True, "the set has a validation split of its own"


def supervised(params: Params, sets: Mapping[str, ImageKind]) -> Iterator[Rule]:
    """The supervised CNN has a discriminator's row, without labels at its input, and images that fit it."""
    section = params.supervised
    if not section.results:
        return
    yield among("supervised.network", section.network, ARCHITECTURES)
    yield from labelled("supervised.images", section.images, sets)
    yield from unconditional("supervised.network", section.network, section.network, section.images, sets)
    too_many = len(section.shards) > section.trials
    yield too_many, "supervised.shards", section.shards, "more shards than supervised.trials"


def autoencoders(params: Params, stores: Mapping[str, ImageKind]) -> Iterator[Rule]:
    """An autoencoder learns images that there are; whatever measures in its code units names one that is trained."""
    shards = [f"data/{name}/shards" for name in params.export.sets]
    for name, images in params.autoencoder.sets.items():
        yield made_by_a_stage(f"autoencoder.sets.{name}", images, [*shards, *stores])
        grey = images in stores and stores[images].channels != 3
        yield grey, f"autoencoder.sets.{name}", images, "its images are not in colour"
    yield from known("export.sets", params.export.sets, params.autoencoder.sets, "autoencoder.sets")
    made = [f"data/autoencoder/{name}.safetensors" for name in params.autoencoder.sets]
    for kind, sections in (("quality.sets", params.quality.sets), ("figures.walk", params.figures.walk)):
        for name, section in sections.items():
            yield made_by_a_stage(f"{kind}.{name}.autoencoder", section.autoencoder, made)
    if params.guidelines.sets:
        yield made_by_a_stage("guidelines.autoencoder", params.guidelines.autoencoder, made)


def named_by_a_network(params: Params) -> Iterator[tuple[str, Iterable[str]]]:
    """Sections with a part for each of some networks."""
    yield from ((f"figures.{figure}", sections) for figure, sections in params.figures)
    yield from ((f"classifiers.{kind}", sections) for kind, sections in params.classifiers)
    yield "onnx", params.onnx
    yield "quality.sets", params.quality.sets
    yield "explore.networks", params.explore.networks


def annotators(params: Params) -> Iterator[Rule]:
    """A figure rests on a classifier that is trained, or on a person; each has its way of naming concepts."""
    figures = params.figures
    made = {kind: {f"data/classifiers/{kind}_{name}.safetensors" for name in of} for kind, of in params.classifiers}
    for figure, kind in (("windows", "windows"), ("arithmetic", "faces"), ("turn", "faces")):
        for name, section in getattr(figures, figure).items():
            yield made_by_a_stage(f"figures.{figure}.{name}.annotator", section.annotator, made[kind])
    for name, windows in figures.windows.items():
        batch = windows.statistics == "batch" and by_hand(windows.annotator)
        yield batch, f"figures.windows.{name}.statistics", "batch", "boxes by hand lie on estimated samples"
    for name, arithmetic in figures.arithmetic.items():
        if not by_hand(arithmetic.annotator):
            yield from sums(f"figures.arithmetic.{name}.sums", arithmetic, params.classifiers.faces)


def sums(key: str, arithmetic: ArithmeticFigure, classifiers: Mapping[str, FaceClassifierSection]) -> Iterator[Rule]:
    """A classifier knows the attributes that it learns, and nothing by another name."""
    classifier = classifiers.get(PurePosixPath(arithmetic.annotator).stem.removeprefix("faces_"))
    for term in (term for one in arithmetic.sums for term in (one.plus, one.minus, one.other)):
        yield isinstance(term, str), key, term, "a classifier needs attributes: {smile: 1}"
        if classifier and not isinstance(term, str):
            yield from known(key, term, classifier.attributes, "the classifier")


def labelled(key: str, folder: str, sets: Mapping[str, ImageKind]) -> Iterator[Rule]:
    """A folder of labelled splits."""
    yield made_by_a_stage(key, folder, sets)
    yield folder in sets and sets[folder].labelled is False, key, folder, "its images have no labels"


def unconditional(key: str, value: str, network: str, images: str, sets: Mapping[str, ImageKind]) -> Iterator[Rule]:
    """A discriminator that shall tell labels by the image alone, and fit the images."""
    conditional = network in ARCHITECTURES and ARCHITECTURES[network].classes > 0
    yield conditional, key, value, "it is conditional: it asks for the label that is to be found"
    yield from misfits(key, value, network, images, sets.get(images))


def misfits(key: str, value: str, network: str, images: str, kind: ImageKind | None) -> Iterator[Rule]:
    """Where images and network differ, if both are known."""
    if kind is None or network not in ARCHITECTURES:
        return
    row = ARCHITECTURES[network]
    made, given = (f"{side} x {side} x {n}" for side, n in ((row.image_size, row.channels), kind[:2]))
    yield made != given, key, value, f"it makes {made}, the images in {images} are {given}"
    yield row.classes > 0 and kind.labelled is False, key, value, f"it is conditional, and {images} has no labels"
    known = f"it knows {row.classes} classes, {images} has {kind.classes}"
    yield 0 < row.classes < kind.classes, key, value, known


def among(key: str, value: str, allowed: Iterable[str]) -> Rule:
    """A value has to be one of some."""
    allowed = list(allowed)
    return value not in allowed, key, value, one_of(value, allowed)


def made_by_a_stage(key: str, path: str, made: Iterable[str]) -> Rule:
    """A path where only stages write has to be one that a stage makes."""
    made = list(made)
    unmade = where_only_stages_write(path) and path not in made
    return unmade, key, path, one_of(path, made, "what is made there: ")


def where_only_stages_write(path: str) -> bool:
    """Whether a path lies where only stages write."""
    return PurePosixPath(path).parts[:2] in OF_STAGES


def known(section: str, used: Iterable[str], there: Collection[str], where: str) -> Iterator[Rule]:
    """Names in one section that another one has to have."""
    for name in used:
        yield name not in there, f"{section}.{name}", name, one_of(name, there, f"{where} has ")
