"""The schema of `params.yaml`: every key, its type and its range. No defaults: numbers stand in `params.yaml` alone."""

from typing import Annotated, Any, Literal

from pydantic import Field

from workflow.params.figures import Figures
from workflow.params.guidelines import Guidelines
from workflow.params.types import (
    AtMostOne,
    BatchSize,
    Beta,
    Count,
    CountOrZero,
    Epochs,
    ImageSize,
    Name,
    NotNegative,
    Positive,
    Rate,
    ReducingGap,
    Rising,
    Section,
    Several,
    Shards,
    Share,
    Size,
    Source,
    Splits,
)


class Shared(Section):
    """Keys that the sections of a kind have in common; they are checked in each section (`load.with_shared`)."""

    train: dict[str, Any]
    svm: dict[str, Any]


class Run(Section):
    seed: CountOrZero
    threads: Annotated[int, Field(ge=1, le=1024)]
    device: Literal["auto", "cpu", "cuda"]
    deterministic: bool
    capture: bool
    compile: bool
    tensorboard: Source | None


class Demo(Section):
    sets: list[Literal["bedrooms", "faces", "digits", "objects"]]
    bedrooms: Count
    duplicates: CountOrZero
    photos: Count
    digits: Count
    objects: Count
    pictures: Count


class Resizing(Section):
    antialias: bool
    reducing_gap: ReducingGap
    min_side: Size
    max_rejects: Share


class Export(Resizing):
    sets: AtMostOne
    source: Source
    shards: Shards
    image_size: ImageSize


class Autoencoder(Section):
    sets: dict[Name, Source]
    code_size: Annotated[int, Field(ge=8, le=65_536, multiple_of=8)]
    normalise: bool
    noise: NotNegative
    dropout: Annotated[float, Field(ge=0, lt=1)]
    learning_rate: Rate
    batch_size: BatchSize
    minibatches: Count
    sample: Count


class Deduplicate(Section):
    drop: bool
    radius: Annotated[int, Field(ge=0, le=64)]
    max_dropped: Share
    filtered: Literal["images", "crops32"]
    truth: list[Literal["bedrooms"]]
    published_share: Share | None


class CropFaces(Section):
    sets: AtMostOne
    source: Source
    shards: Shards
    detector: Literal["haar", "yunet"]
    model: Source | None
    scale_factor: Annotated[float, Field(ge=1.01, le=2)]
    min_neighbours: CountOrZero
    detection_side: Size
    min_size: Size
    max_faces: Count
    margin: NotNegative
    resize: ImageSize
    image_size: ImageSize
    max_rejects: Share
    published_boxes: Count | None


class PackedSet(Section):
    source: Source
    kind: Literal["folder", "cifar10", "svhn", "mnist", "celeba"]
    splits: Splits
    image_size: ImageSize
    validation: CountOrZero
    test: CountOrZero


class Pack(Resizing):
    sets: dict[Name, PackedSet]


class WatchSection(Section):
    action: Literal["stop", "continue"]
    least_d_loss: NotNegative
    intervals: Count
    least_spread: NotNegative


class TrainedNetwork(Section):
    images: Source
    network: str
    latent: Literal["uniform", "normal"]
    epochs: Epochs
    held_out: CountOrZero
    batch_size: BatchSize
    learning_rate: Rate
    beta1: Beta
    beta2: Beta
    decay_epochs: CountOrZero
    weight_decay: NotNegative
    schedule: Literal["alternate", "both"]
    precision: Literal["auto", "float32", "tfloat32", "bfloat16"]
    processes: Annotated[int, Field(ge=1, le=1024)]
    synchronised_norm: bool
    sample_epochs: list[Count]
    frame_images: Count | None
    keep_images: Count | None
    deliver: Literal["last", "best"]
    curve_interval: Count
    checkpoint_seconds: Positive
    watch: WatchSection


class ClassifierSection(Section):
    images: Source
    truth: Source
    width: Size
    epochs: Epochs
    batch_size: BatchSize
    learning_rate: Rate
    noise: NotNegative
    held_out: Annotated[float, Field(gt=0, lt=1)]


class WindowClassifierSection(ClassifierSection):
    grid: Size


class FaceClassifierSection(ClassifierSection):
    detections: Source
    attributes: list[str]
    pose_range: Positive
    overlap: Share


class Classifiers(Section):
    windows: dict[Name, WindowClassifierSection]
    faces: dict[Name, FaceClassifierSection]


class Published(Section):
    arrays: Source
    architecture: Literal["svhn32", "imagenet32"]


class FeatureSet(Section):
    discriminator: Source
    images: Source
    batch_size: Count
    statistics_batch: BatchSize
    statistics_images: Count
    dtype: Literal["float32", "float16"]
    processes: Annotated[int, Field(ge=1, le=1024)]


class SvmSection(Section):
    features: Source
    labels_per_class: Count | None
    costs: Annotated[list[Positive], Field(min_length=1)]
    search_draws: Count
    draws: Count
    validation: CountOrZero
    learn_validation: bool
    tolerance: Annotated[float, Field(ge=1e-9, le=0.1)]
    memory_gb: Positive
    published_error: Share | None
    curve_labels: list[Count]
    layer_labels: Count | None
    curve_draws: Count


class Neighbours(Section):
    generator: Source
    images: Source
    samples: Rising
    random_samples: Count
    batch_size: BatchSize
    processes: Annotated[int, Field(ge=1, le=1024)]
    published_error: Share | None


class Kmeans(Section):
    images: Source
    side: Annotated[int, Field(ge=2, le=16)]
    patches: Annotated[int, Field(ge=2, le=10_000_000)]
    centroids: Annotated[int, Field(ge=2, le=100_000)]
    iterations: Epochs
    statistics_images: Annotated[int, Field(ge=2, le=1_000_000_000)]
    batch_size: Count
    dtype: Literal["float32", "float16"]


class Supervised(Section):
    results: AtMostOne
    images: Source
    network: str
    labels_per_class: Count
    trials: Count
    shards: Shards
    epochs: Epochs
    published_error: Share | None


class OnnxSection(Section):
    statistics: Literal["batch", "estimated"]
    statistics_batches: Count


class Explore(Section):
    pages: AtMostOne
    networks: list[Name]
    max_megabytes: Positive
    statistics_batches: Count
    count: Annotated[int, Field(ge=2, le=200)]


class MeasuredSet(Section):
    images: Source
    autoencoder: Source


class Quality(Section):
    draws: Several
    inception: Source | None
    sets: dict[Name, MeasuredSet]


class Report(Section):
    title: str
    max_megabytes: Positive


class Params(Section):
    run: Run
    demo: Demo
    export: Export
    autoencoder: Autoencoder
    deduplicate: Deduplicate
    crop_faces: CropFaces
    pack: Pack
    shared: Shared
    train: dict[Name, TrainedNetwork]
    guidelines: Guidelines
    published: dict[Name, Published]
    features: dict[Name, FeatureSet]
    svm: dict[Name, SvmSection]
    neighbours: dict[Name, Neighbours]
    kmeans: dict[Name, Kmeans]
    supervised: Supervised
    classifiers: Classifiers
    figures: Figures
    onnx: dict[Name, OnnxSection]
    explore: Explore
    quality: Quality
    report: Report
