"""How large everything is that stages read, from params.yaml and the DAG alone, and so how much work each job is.

Each stage's own rule stands in its description (`workflow/descriptions/`): formulas in the language of Jinja, of which
those count that are named as the fields of `Work`. They know the constants below, `min`, `max`, the item of `foreach`,
s (a `Scale`), p (params.yaml), and from `workflow/planning/rates.yaml`, which has the sizes of raw sources and what
turns work into hours, `rates` and `cost`, its `core_seconds`. A formula named `whole` is all of the work.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dcgan.core.files import InputError
from dcgan.models import flops
from dcgan.models.architectures import ARCHITECTURES, Architecture
from workflow.engines.dag import Stage, is_inside
from workflow.params.load import total
from workflow.params.sections import Params, TrainedNetwork

if TYPE_CHECKING:
    from dcgan.data.formats import Kind

GIGA = 1e9
CROP_BYTES, CODE_BYTES, KEY_BYTES = 32 * 32 * 3, 16, 48
FLOAT_BYTES, DOUBLE_BYTES = 4, 8
CLASSES = 10
SPLITS = ("train", "test", "validation", "extra")
KINDS = 2  # features are made twice: with trained and with random weights
TRAINED_COPIES = 4  # of every weight: itself, its gradient and Adam's two means
KEPT_ACTIVATIONS = 4  # of every unit of both networks for each image of a batch, forwards and backwards
LARGE_MAPS = 256  # networks from this width on use a core's units better
# No formula may reach Python's own names.
FORMULAS = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
FORMULAS.globals = {name: value for name, value in globals().items() if name.isupper()} | {"min": min, "max": max}


@dataclass(frozen=True)
class Work:
    """What one job does. `core_seconds` are of one thread of the measured machine, also where there is a GPU."""

    images: float = 0.0
    core_seconds: float = 0.0
    shared_core_seconds: float = 0.0  # spread over all threads of the job
    training_gflop: float = 0.0  # small networks, forwards and backwards
    large_gflop: float = 0.0  # the same of large networks
    matrix_gflop: float = 0.0  # forward passes and products of large matrices
    minibatches: float = 0.0
    written_bytes: float = 0.0
    held_bytes: float = 0.0  # memory of one process that grows with its work, without files that it maps


class Split(NamedTuple):
    """An image store: rows and bytes a row."""

    rows: float
    row_bytes: int


class FeatureTable(NamedTuple):
    """Features of the training images of a set."""

    rows: float
    columns: int


def raw_sources(params: Params) -> Iterator[tuple[str, "Kind", Mapping[str, str] | None]]:
    """Path, kind and named splits of what each section of params.yaml reads."""
    if params.export.sets:
        yield params.export.source, "lsun", None
    if params.crop_faces.sets:
        yield params.crop_faces.source, "photos", None
    yield from ((one.source, one.kind, one.splits) for one in params.pack.sets.values())


class Scale:
    """How large everything is that stages read; rates: the content of rates.yaml."""

    def __init__(self, params: Params, rates: Mapping[str, Any], stages: Iterable[Stage]) -> None:
        self.params, self.rates = params, rates
        self.cost: Mapping[str, Any] = rates["core_seconds"]
        self.makers = {path: stage.name for stage in stages for path in stage.outputs}
        self.counted: dict[str, dict[str, Any]] = {}  # sources that are here, by path

    def maker(self, path: str) -> tuple[str, str]:
        """Kind and item of the stage that makes a path, or the folder that it is in."""
        for folder in map(str, (PurePosixPath(path), *PurePosixPath(path).parents)):
            if folder in self.makers:
                kind, _, item = self.makers[folder].partition("@")
                return kind, item
        raise InputError(f"{path}: no stage makes it, so nobody knows how large it is")

    def source(self, path: str) -> Mapping[str, Any]:
        """What is known of a raw source: counted if it is here and no stage makes it, else as rates.yaml has it.

        Raises InputError if neither is so.
        """
        if path in self.counted:
            return self.counted[path]
        if not self.is_made(path) and Path(path).exists():
            from workflow.sources import count_source  # a source is opened by what the plan alone needs

            counts: dict[str, Any] = {}
            for source, kind, splits in raw_sources(self.params):
                counts |= count_source(Path(path), kind, splits) if source == path else {}
            self.counted[path] = counts
            return counts
        if path not in self.rates["sources"]:
            raise InputError(
                f"workflow/planning/rates.yaml: sources has no {path!r}, and it is not here to be counted; add how "
                "many images it holds"
            )
        found: Mapping[str, Any] = self.rates["sources"][path]
        return found

    def is_made(self, path: str) -> bool:
        """Whether a source is within what a stage makes."""
        return any(is_inside(path, made) for made in self.makers)

    def sizes_rest_on(self) -> Iterator[str]:
        """A line for each raw source that is brought by a person: counted, or taken to be whole."""
        from workflow.sources import in_words

        for path in dict.fromkeys(path for path, _, _ in raw_sources(self.params)):
            if path in self.counted:
                yield in_words(path, self.counted[path])
            elif not self.is_made(path):
                yield f"{path}: not here; taken to be the whole set, as workflow/planning/rates.yaml has it"

    @property
    def exported(self) -> float:
        """Images of the source of `export`."""
        return total(self.params, self.source(self.params.export.source)["images"])

    @property
    def photos(self) -> float:
        """Photos that are searched for faces."""
        return total(self.params, self.source(self.params.crop_faces.source)["images"])

    def packed(self, images: str) -> dict[str, Split]:
        """The splits of a packed set, by the path of one of them or of their folder."""
        section = self.params.pack.sets[self.maker(images)[1]]
        source = self.source(section.source)
        row_bytes = section.image_size**2 * (1 if section.kind == "mnist" else 3)
        rows = {split: total(self.params, source.get(split, 0)) for split in SPLITS}
        rows["test"] *= source.get("test_share", 1.0)
        for split, drawn in (("validation", section.validation), ("test", section.test)):
            rows[split], rows["train"] = rows[split] + drawn, rows["train"] - drawn
        return {split: Split(n, row_bytes) for split, n in rows.items() if n}

    def store(self, path: str) -> Split:
        """The store of images at a path that the DAG makes."""
        p, kind = self.params, self.maker(path)[0]
        if kind == "drop_duplicates":
            side = p.export.image_size if p.deduplicate.filtered == "images" else 32
            kept = self.source(p.export.source)["kept"] if p.deduplicate.drop else 1.0
            return Split(self.exported * kept, side**2 * 3)
        if kind == "join_faces":
            return Split(self.photos * self.source(p.crop_faces.source)["faces"], p.crop_faces.image_size**2 * 3)
        return self.packed(path)[PurePosixPath(path).stem]

    def architecture(self, weights: str) -> Architecture:
        """The network whose weights lie at a path, trained here or published."""
        kind, item = self.maker(weights)
        p = self.params
        return ARCHITECTURES[p.train[item].network if kind == "train_dcgan" else p.published[item].architecture]

    def feature_table(self, path: str) -> FeatureTable:
        """What a folder of features has of the training images."""
        kind, item = self.maker(path)
        if kind == "fit_kmeans":
            kmeans = self.params.kmeans[item]
            return FeatureTable(self.packed(kmeans.images)["train"].rows, 4 * kmeans.centroids)
        section = self.params.features[item]
        columns = self.architecture(section.discriminator).feature_count
        return FeatureTable(self.packed(section.images)["train"].rows, columns)

    def learned(self, rows: float, labels_per_class: Iterable[int | None]) -> list[float]:
        """How many of so many rows are learned with each number of labels per class; None: all."""
        return [min(rows, CLASSES * labels) if labels else rows for labels in labels_per_class]

    def generator(self, network: str) -> flops.Size:
        """The generator's size, of a row of `ARCHITECTURES`."""
        return flops.generator_size(ARCHITECTURES[network])

    def discriminator(self, network: str) -> flops.Size:
        """The discriminator's size, of a row of `ARCHITECTURES`."""
        return flops.discriminator_size(ARCHITECTURES[network])

    def training(
        self, network: str, seen: float, batch_size: int, part: float, of: TrainedNetwork, kept: float
    ) -> Work:
        """So many images through both networks, a process its part of each batch; weights are kept so many times."""
        a = ARCHITECTURES[network]
        kind = "large_gflop" if flops.width(a) >= LARGE_MAPS else "training_gflop"
        sizes = self.generator(network), self.discriminator(network)
        weights = sum(size.weights for size in sizes)
        activations = KEPT_ACTIVATIONS * part * sum(size.units for size in sizes)
        return Work(
            seen,
            minibatches=seen / batch_size,
            written_bytes=kept * FLOAT_BYTES * weights,
            held_bytes=FLOAT_BYTES * (TRAINED_COPIES * weights + activations),
            **{kind: seen * flops.training_flop(a, of.schedule) / GIGA},
        )


def work_of(formulas: Mapping[str, str | float], scale: Scale, item: str) -> Work:
    """The work of the job of an item by named formulas, each of which may use those before it; see the docstring above.

    Raises jinja2.UndefinedError for a name that is not known, SecurityError for one that is not for formulas.
    """
    known: dict[str, Any] = {"s": scale, "p": scale.params, "cost": scale.cost, "rates": scale.rates, "item": item}
    for name, formula in formulas.items():
        known[name] = FORMULAS.compile_expression(str(formula), undefined_to_none=False)(**known)
    fields = {name: float(known[name]) for name in Work.__dataclass_fields__ if name in known}
    return known.get("whole") or Work(**fields)
