"""How much work each stage of the DAG is, from params.yaml alone: images, operations, bytes.

`stage_work` gives the work of one job; `workflow/planning/plan.py` turns it into hours with the rates of
`workflow/planning/rates.yaml`, where every unit is described. How many images a source holds is counted by nobody here:
it stands in that file.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, NamedTuple

from dcgan.core.files import InputError
from dcgan.models.architectures import ARCHITECTURES, Architecture
from dcgan.models.flops import (
    discriminator_flop,
    discriminator_units,
    discriminator_weights,
    generator_flop,
    generator_units,
    generator_weights,
    training_flop,
)
from workflow.params.sections import Params, TrainedNetwork

GIGA = 1e9
CROP_BYTES, CODE_BYTES, KEY_BYTES = 32 * 32 * 3, 16, 48
FLOAT_BYTES, DOUBLE_BYTES = 4, 8
TRAINED_COPIES = 4  # of every weight: itself, its gradient and Adam's two means
KEPT_ACTIVATIONS = 4  # of every unit of both networks for each image of a batch, forwards and backwards
SORTED_CODES = 190  # bytes a code that grouping takes at its most (docs/performance.md)
LARGE_MAPS = 256  # networks from this width on use a core's units better
KINDS = 2  # features are made twice: with trained and with random weights


@dataclass(frozen=True)
class Work:
    """What one job does. `core_seconds` are of one thread on the measured machine and stay there on a GPU."""

    images: float = 0.0
    core_seconds: float = 0.0
    shared_core_seconds: float = 0.0  # the same, but spread over all threads of the job
    training_gflop: float = 0.0  # small networks, forwards and backwards
    large_gflop: float = 0.0  # the same of networks with 128 feature maps and more
    matrix_gflop: float = 0.0  # forward passes and products of large matrices
    minibatches: float = 0.0
    written_bytes: float = 0.0
    held_bytes: float = 0.0  # of one process at a time, beside its code; files that it maps are not counted


class Split(NamedTuple):
    """An image store: rows and bytes a row."""

    rows: float
    row_bytes: int


class Scale:
    """How large everything is that stages read, by path."""

    def __init__(self, params: Params, rates: Mapping[str, Any]) -> None:
        self.params, self.rates = params, rates
        self.cost: Mapping[str, Any] = rates["core_seconds"]

    def source(self, path: str) -> Mapping[str, Any]:
        """What is known of a raw source; raises InputError where rates.yaml does not know it."""
        if path not in self.rates["sources"]:
            raise InputError(f"workflow/planning/rates.yaml: sources has no {path!r}; add how many images it holds")
        found: Mapping[str, Any] = self.rates["sources"][path]
        return found

    def count(self, number: Any) -> float:
        """A number, or the sum of keys of params.yaml."""
        if isinstance(number, list):
            return float(sum(reduce(getattr, key.split("."), self.params) for key in number))  # type: ignore[misc]
        return float(number)

    @property
    def bedrooms(self) -> float:
        """Images of the LSUN source."""
        return self.count(self.source(self.params.export.source)["images"])

    @property
    def photos(self) -> float:
        """Photos that are searched for faces."""
        return self.count(self.source(self.params.crop_faces.source)["images"])

    def packed(self, name: str) -> dict[str, Split]:
        """The splits of a packed set."""
        section = self.params.pack.sets[name]
        source = self.source(section.source)
        row_bytes = section.image_size**2 * (1 if section.kind == "mnist" else 3)
        rows = {split: self.count(source[split]) for split in ("train", "test")}
        rows["train"] -= section.validation
        rows["test"] *= source.get("test_share", 1.0)
        return {split: Split(n, row_bytes) for split, n in {**rows, "validation": section.validation}.items() if n}

    def store(self, path: str) -> Split:
        """The store at a path that the DAG makes."""
        p = self.params
        if path == "data/bedrooms/unique.h5":
            side = p.export.image_size if p.deduplicate.filtered == "images" else 32
            return Split(self.bedrooms * self.source(p.export.source)["kept"], side**2 * 3)
        if path == "data/faces/crops.h5":
            return Split(self.photos * self.source(p.crop_faces.source)["faces"], p.crop_faces.image_size**2 * 3)
        name, split = path.removeprefix("data/packed/").removesuffix(".h5").split("/")
        return self.packed(name)[split]

    def architecture(self, weights: str) -> Architecture:
        """The network whose weights lie at a path, trained here or published."""
        name = weights.split("/")[2]
        trained = self.params.train.get(name)
        if trained:
            return ARCHITECTURES[trained.network]
        return ARCHITECTURES[self.params.published[name.removeprefix("published_")].architecture]


def stage_work(name: str, scale: Scale) -> Work:
    """The work of one job, e.g. `train_dcgan@bedrooms`; a stage without a rule of its own costs its fixed seconds."""
    group, _, key = name.partition("@")
    fixed = scale.rates["fixed_seconds"]
    rule = RULES.get(group)
    work = rule(scale, key) if rule else Work()
    return replace(
        work,
        core_seconds=work.core_seconds + fixed.get(group, 0.0) + fixed["start"],
        written_bytes=work.written_bytes + scale.rates["fixed_bytes"].get(group, 0.0),
    )


def render_demo(s: Scale, key: str) -> Work:
    """Pictures of one set of the demo world; digits and objects are drawn for two sets and their test splits."""
    demo = s.params.demo
    n = {"bedrooms": demo.bedrooms + demo.duplicates, "faces": demo.photos}.get(key)
    images = n if n is not None else 2.5 * {"digits": demo.digits, "objects": demo.objects}[key]
    written = images * s.rates["rendered_bytes"][key]
    return Work(images, shared_core_seconds=images * s.cost["rendered"][key], written_bytes=written)


def export_lsun(s: Scale, key: str) -> Work:
    """One shard: decoded, resized, written twice."""
    n = s.bedrooms / len(s.params.export.shards)
    megapixels = n * s.source(s.params.export.source)["megapixels"]
    row = s.params.export.image_size**2 * 3 + CROP_BYTES + 2 * KEY_BYTES
    return Work(n, n * s.cost["exported"] + megapixels * s.cost["decoded_megapixel"], written_bytes=n * row)


def fit_autoencoder(s: Scale, key: str) -> Work:
    """Two layers of 3,072 by code_size, forwards and backwards."""
    section = s.params.autoencoder
    seen = section.minibatches * section.batch_size
    gflop = seen * 3 * 4 * CROP_BYTES * section.code_size / GIGA
    return Work(seen, training_gflop=gflop, minibatches=section.minibatches)


def encode_images(s: Scale, key: str) -> Work:
    """One shard through the encoder."""
    n = s.bedrooms / len(s.params.export.shards)
    gflop = n * 2 * CROP_BYTES * s.params.autoencoder.code_size / GIGA
    return Work(n, matrix_gflop=gflop, written_bytes=n * (CODE_BYTES + KEY_BYTES))


def drop_duplicates(s: Scale, key: str) -> Work:
    """Codes are sorted, or compared where near ones count as equal; kept images are copied."""
    kept, seconds = s.store("data/bedrooms/unique.h5"), s.bedrooms * s.cost["grouped"]
    if s.params.deduplicate.radius:
        seconds += s.bedrooms * s.cost["near_code"] + s.bedrooms**2 * s.cost["near_pair"]
    return Work(
        s.bedrooms,
        seconds,
        written_bytes=kept.rows * (kept.row_bytes + KEY_BYTES),
        held_bytes=s.bedrooms * (SORTED_CODES + KEY_BYTES),
    )


def crop_faces(s: Scale, key: str) -> Work:
    """One shard of photos, reduced and searched by all threads."""
    section, source = s.params.crop_faces, s.source(s.params.crop_faces.source)
    n = s.photos / len(section.shards)
    searched = n * min(source["megapixels"], 0.75 * section.detection_side**2 / 1e6)
    seconds = searched * s.cost["searched_megapixel"] + n * source["megapixels"] * s.cost["decoded_megapixel"]
    return Work(n, shared_core_seconds=seconds, written_bytes=n * source["faces"] * section.image_size**2 * 3)


def join_faces(s: Scale, key: str) -> Work:
    """Crops are copied into one store."""
    crops = s.store("data/faces/crops.h5")
    return Work(crops.rows, crops.rows * s.cost["copied"], written_bytes=crops.rows * crops.row_bytes)


def pack_images(s: Scale, key: str) -> Work:
    """All splits of one set, decoded where the source says how large its photos are."""
    section, splits = s.params.pack.sets[key], s.packed(key).values()
    n = sum(split.rows for split in splits)
    megapixels = n * s.source(section.source).get("megapixels", 0.0)
    seconds = n * s.cost["packed"][section.kind] + megapixels * s.cost["decoded_megapixel"]
    return Work(n, seconds, written_bytes=sum(split.rows * split.row_bytes for split in splits))


def train_dcgan(s: Scale, key: str) -> Work:
    """All epochs of one pair of networks."""
    section = s.params.train[key]
    seen = (s.store(section.images).rows - section.held_out) * section.epochs
    kept = 1 + (seen // section.keep_images + 1 if section.keep_images else 0)
    return training(section.network, seen, section.batch_size, section.batch_size / section.processes, section, kept)


def train_guideline(s: Scale, key: str) -> Work:
    """The same of one variant, which is taken to be as much work as the published rules."""
    section, trained = s.params.guidelines, s.params.train[key.rsplit("-", 2)[0]]
    seen = (s.store(section.images).rows - trained.held_out) * section.epochs
    return training(section.network, seen, section.batch_size, section.batch_size, trained, 1)


def training(network: str, seen: float, batch_size: int, part: float, section: TrainedNetwork, kept: float) -> Work:
    """So many images through both networks, a process its part of each batch; weights are kept so many times."""
    a = ARCHITECTURES[network]
    gflop = seen * training_flop(a, section.schedule) / GIGA
    kind = "large_gflop" if max([a.projection[0], *a.generator_hidden]) >= LARGE_MAPS else "training_gflop"
    weights = generator_weights(a) + discriminator_weights(a)
    activations = KEPT_ACTIVATIONS * part * (generator_units(a) + discriminator_units(a))
    return Work(
        seen,
        minibatches=seen / batch_size,
        written_bytes=kept * FLOAT_BYTES * weights,
        held_bytes=FLOAT_BYTES * (TRAINED_COPIES * weights + activations),
        **{kind: gflop},
    )


def evaluate_samples(s: Scale, key: str) -> Work:
    """512 projections of two pairs of sets, and distances of codes."""
    n = s.params.train[key].held_out
    row = s.store(s.params.figures.samples[key].images).row_bytes
    return Work(2 * n, n * s.cost["compared"], matrix_gflop=(4 * n * row * 512 * 2 + 6 * n * n * 128 * 2) / GIGA)


def extract_features(s: Scale, key: str) -> Work:
    """All splits, with trained and with random weights."""
    section = s.params.features[key]
    a = s.architecture(section.discriminator)
    n = sum(split.rows for split in s.packed(section.images.split("/")[2]).values())
    statistics = min(section.statistics_images, n)
    written = KINDS * n * a.feature_count * (4 if section.dtype == "float32" else 2)
    gflop = KINDS * (n + 2 * statistics) * discriminator_flop(a) / GIGA
    batch = section.batch_size * (discriminator_units(a) + a.feature_count)
    held = FLOAT_BYTES * (discriminator_weights(a) + 2 * batch)
    seconds = written / 1e6 * s.cost["feature_megabyte"]
    return Work(n, seconds, matrix_gflop=gflop, written_bytes=written, held_bytes=held)


def feature_table(s: Scale, path: str) -> tuple[float, int]:
    """Training rows and columns of a folder of features."""
    name = path.removeprefix("data/features/")
    if name.startswith("kmeans_"):
        kmeans = s.params.kmeans[name.removeprefix("kmeans_")]
        return s.packed(kmeans.images.split("/")[2])["train"].rows, 4 * kmeans.centroids
    section = s.params.features[name]
    return s.packed(section.images.split("/")[2])["train"].rows, s.architecture(section.discriminator).feature_count


def evaluate_svm(s: Scale, key: str) -> Work:
    """Passes over all rows of a fit, for every draw and cost; curves of labels and layers cost a share of that."""
    section, classes = s.params.svm[key], 10
    rows, width = feature_table(s, section.features)
    further = [*section.curve_labels, *([section.layer_labels] if section.layer_labels else [])]
    learned = [min(rows, classes * n) if n else rows for n in (section.labels_per_class, *further)]
    fits = [section.search_draws * len(section.costs) + section.draws]
    fits += [section.curve_draws * len(section.costs)] * (len(learned) - 1)
    passes = s.rates["svm_passes"]
    flop = sum(KINDS * n * m * 2 * width * classes * passes for n, m in zip(fits, learned, strict=True))
    # Rows and Gram matrices stay in memory where each fits into what the parameter allows, else rows are streamed.
    allowed, n = section.memory_gb * 2**30, max(learned)
    held = [n * width * FLOAT_BYTES, n * n * DOUBLE_BYTES]
    return Work(rows, matrix_gflop=flop / GIGA, held_bytes=sum(size for size in held if size <= allowed))


def evaluate_neighbours(s: Scale, key: str) -> Work:
    """Samples are drawn and compared with every test image."""
    section = s.params.neighbours[key]
    splits = s.packed(section.images.split("/")[2])
    a = s.architecture(section.generator)
    drawn = max(section.samples) + min(section.random_samples, max(section.samples))
    references = drawn + splits["train"].rows
    products = 2 * splits["test"].rows * references * splits["train"].row_bytes
    held = splits["test"].rows * FLOAT_BYTES * (splits["test"].row_bytes + 2 * section.batch_size)
    return Work(drawn, matrix_gflop=(products + drawn * generator_flop(a)) / GIGA, held_bytes=held)


def fit_kmeans(s: Scale, key: str) -> Work:
    """Lloyd's iterations on patches, then every position of every image."""
    section = s.params.kmeans[key]
    splits = s.packed(section.images.split("/")[2])
    n, values = sum(split.rows for split in splits.values()), section.side**2 * 3
    positions = (s.params.pack.sets[section.images.split("/")[2]].image_size - section.side + 1) ** 2
    products = section.patches * section.iterations + KINDS * n * positions
    written = KINDS * n * 4 * section.centroids * 4
    activations = KINDS * n * positions * section.centroids
    gflop = 2 * products * values * section.centroids + activations * s.rates["activation_flop"]
    gflop += KINDS * n * positions * s.rates["position_flop"]
    # Patches as they were drawn, normalised, whitened and in random order.
    held = section.patches * values * FLOAT_BYTES * 4
    return Work(n, matrix_gflop=gflop / GIGA, written_bytes=written, held_bytes=held)


def search_supervised_cnn(s: Scale, key: str) -> Work:
    """One shard of the trials: trained, and judged after every epoch."""
    section = s.params.supervised
    splits, trials = s.packed(section.images.split("/")[2]), section.trials / len(section.shards)
    forward = discriminator_flop(ARCHITECTURES[section.network]) / GIGA
    trained = trials * section.epochs * section.labels_per_class * 10
    judged = trials * section.epochs * sum(splits[name].rows for name in ("validation", "test") if name in splits)
    return Work(trained + judged, training_gflop=3 * trained * forward, matrix_gflop=judged * forward)


def draw_walk(s: Scale, key: str) -> Work:
    """Every image of the walks is compared with every training image."""
    section, store = s.params.figures.walk[key], s.store(s.params.figures.walk[key].images)
    drawn = section.walks * (section.points - 1) * section.length
    return Work(drawn, matrix_gflop=2 * drawn * store.rows * store.row_bytes / GIGA)


def draw_guided(s: Scale, key: str) -> Work:
    """Images are searched for the strongest responses."""
    section, a = s.params.figures.guided[key], ARCHITECTURES[s.params.train[key].network]
    n = min(section.searched, s.store(section.images).rows)
    return Work(n, matrix_gflop=KINDS * (n + 128 * section.statistics_batches) * discriminator_flop(a) / GIGA)


def draw_nearest(s: Scale, key: str) -> Work:
    """Samples and held-out images are compared with every training image."""
    section, store = s.params.figures.nearest[key], s.store(s.params.figures.nearest[key].images)
    compared = section.samples + s.params.train[key].held_out
    seconds = store.rows * s.cost["encoded"] + compared * store.rows * s.cost["code_pair"]
    held = store.rows * CODE_BYTES + compared * store.row_bytes * FLOAT_BYTES
    return Work(compared, seconds, matrix_gflop=2 * compared * store.rows * store.row_bytes / GIGA, held_bytes=held)


RULES: dict[str, Callable[[Scale, str], Work]] = {
    rule.__name__: rule
    for rule in (
        render_demo,
        export_lsun,
        fit_autoencoder,
        encode_images,
        drop_duplicates,
        crop_faces,
        join_faces,
        pack_images,
        train_dcgan,
        train_guideline,
        evaluate_samples,
        extract_features,
        evaluate_svm,
        evaluate_neighbours,
        fit_kmeans,
        search_supervised_cnn,
        draw_walk,
        draw_guided,
        draw_nearest,
    )
}
