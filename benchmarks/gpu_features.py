"""Rates of what comes after training, on a GPU and at the paper's sizes: a part of `benchmarks/gpu.py`.

Images are made here: ten blurred patterns, moved about and under noise, so that the classes can be learned. The network
is `imagenet32` with random weights: 28,672 features, as Table 1 has them.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from benchmarks.features import network
from benchmarks.gpu_table import Row
from benchmarks.training import synchronize
from dcgan.core.pixels import Images
from dcgan.data.image_store import ImageStore, Labels, StoreWriter
from dcgan.models.architectures import ARCHITECTURES
from dcgan.models.flops import discriminator_size
from dcgan.models.pixel_range import to_input
from dcgan.representation.extraction import extract_features
from dcgan.representation.feature_tables import FeatureTable
from dcgan.representation.features import DiscriminatorFeatures
from dcgan.representation.kmeans import KmeansFeatures, draw_patches, fit_centroids, normalize, whitening
from dcgan.representation.linear_classifier import Fit, Solver, error_rates, fit_rows, whole
from dcgan.representation.one_nn import NearestNeighbour

NETWORK, SIDE, CLASSES, BATCH, IMAGES_A_BLOCK = "imagenet32", 32, 10, 128, 1000
PATTERN_SIDE, NOISE = 8, 30
COST, TOLERANCE = 1e-5, 1e-4
PATCH_SIDE, MNIST_SIDE, SAMPLES = 6, 28, 10_000_000
SHARE_OF_MEMORY = 2  # half of what is free
SVM_BYTES = 16 << 30  # that the presets let it have


def feature_rows(folder: Path, rows: int, device: torch.device) -> Iterator[Row]:
    """Extraction of so many images, or of as many as disk and memory hold, and the SVM on the table that it leaves."""
    a = ARCHITECTURES[NETWORK]
    n = min(rows, free_bytes(folder) // SHARE_OF_MEMORY // (4 * a.feature_count))
    store, table = folder / "images.h5", folder / "features.h5"
    write_patterns(store, n)
    discriminator = network(NETWORK).to(device)

    @torch.no_grad()
    def forward() -> None:
        images = ImageStore(store).images
        for start in range(0, n, BATCH):
            discriminator.activations(to_input(np.array(images[start : start + BATCH]), "tanh", device), "estimated")

    def extract() -> None:
        maker = DiscriminatorFeatures(discriminator)
        extract_features(maker, ImageStore(store), table, folder / "work", BATCH, "float32")

    seconds_for(forward, device)  # what chooses and loads kernels
    alone, whole_way = n / seconds_for(forward, device), n / seconds_for(extract, device)
    gflops = ("matrix", alone * discriminator_size(a).flop / 1e9)
    yield Row(f"forward pass, `{NETWORK}`, float32", alone, "images/s", gflops=gflops)
    yield Row(f"features of {n:,} images into a table", whole_way, "images/s", "forward pass", whole_way / alone)
    yield svm_row(table, n, rows, device)


def svm_row(path: Path, n: int, wanted: int, device: torch.device) -> Row:
    """One fit of ten classes at one C."""
    split = whole(FeatureTable(path))
    solver = Solver(tolerance=TOLERANCE, memory_bytes=min(SVM_BYTES, free_memory(device)), device=device)
    found: list[Fit] = []
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    seconds = seconds_for(lambda: found.append(fit_rows(split, [COST], solver)), device)
    error = error_rates(split, found[0].weights, np.arange(CLASSES))[0]
    less = f"sized down from {wanted:,}: disk or memory is short; " if n < wanted else ""
    what = f"L2-SVM, {n:,} x {split.width:,}, ten classes, one value of C"
    return Row(what, seconds, "s", note=f"{less}training error {100 * error:.1f} %, {peak(device)}")


def neighbour_row(queries: int, references: int, device: torch.device) -> Row:
    """1-nearest-neighbour search among references of MNIST's size."""
    random, shape = np.random.default_rng(0), (MNIST_SIDE, MNIST_SIDE, 1)
    asked, given = (random.integers(0, 256, (n, *shape), np.uint8) for n in (queries, references))
    labels = np.zeros(references, np.int64)

    def search() -> None:
        NearestNeighbour(asked, device).add(given, labels, 0)

    seconds_for(search, device)
    pixels = queries * references * MNIST_SIDE**2 / seconds_for(search, device)
    minutes = 10_000 * SAMPLES * MNIST_SIDE**2 / pixels / 60
    note = f"10,000 digits against 10 million samples: {minutes:.1f} min"
    return Row("1-nearest-neighbour", pixels / 1e9, "10⁹ pixels/s", note=note, gflops=("matrix", 2 * pixels / 1e9))


def kmeans_rows(patches: int, centroids: int, iterations: int, images: int, device: torch.device) -> Iterator[Row]:
    """Fitting, and features of images."""
    pixels, _ = patterns(max(images, 1000), np.random.default_rng(0))
    drawn = normalize(torch.from_numpy(draw_patches(pixels, patches, PATCH_SIDE, np.random.default_rng(1))))
    mean, matrix = whitening(drawn)
    points = ((drawn - mean) @ matrix)[torch.from_numpy(np.random.default_rng(2).permutation(patches))].to(device)
    found: list[Fit] = []
    seconds = seconds_for(lambda: found.append(fit_centroids(points, centroids, iterations)), device) / iterations
    yield Row(f"K-means, {centroids:,} centroids, {patches:,} patches", seconds, "s per iteration")
    maker = KmeansFeatures(mean.to(device), matrix.to(device), found[0], PATCH_SIDE)

    @torch.no_grad()
    def features() -> None:
        for start in range(0, images, BATCH):
            maker.pooled(pixels[start : start + BATCH])

    features()
    yield Row(f"K-means features, {centroids:,} centroids", images / seconds_for(features, device), "images/s")


def patterns(n: int, random: np.random.Generator) -> tuple[Images, Labels]:
    """Images (n, 32, 32, 3) uint8 of ten classes in turn, and their labels (n,)."""
    small = np.random.default_rng(0).integers(0, 256, (CLASSES, PATTERN_SIDE, PATTERN_SIDE, 3))
    labels = np.arange(n) % CLASSES
    moved = np.stack([np.roll(small[k], random.integers(0, 3, 2), (0, 1)) for k in labels])
    large = moved.repeat(SIDE // PATTERN_SIDE, 1).repeat(SIDE // PATTERN_SIDE, 2)
    noisy = large + random.normal(0, NOISE, large.shape)
    return noisy.clip(0, 255).astype(np.uint8), labels


def write_patterns(path: Path, n: int) -> None:
    """A store of n of them."""
    random = np.random.default_rng(0)
    with StoreWriter(path, (SIDE, SIDE, 3), {}) as writer:
        for start in range(0, n, IMAGES_A_BLOCK):
            images, labels = patterns(min(IMAGES_A_BLOCK, n - start), random)
            writer.append(images, [str(start + row) for row in range(len(images))], labels)


def seconds_for(work: Callable[[], object], device: torch.device) -> float:
    """Seconds until the device has done it."""
    synchronize(device)
    started = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - started


def free_bytes(folder: Path) -> int:
    """What both the folder's disk and this machine's memory have free."""
    memory = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(memory, shutil.disk_usage(folder).free)


def free_memory(device: torch.device) -> int:
    """Half of what the device has free."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0]) // SHARE_OF_MEMORY
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // SHARE_OF_MEMORY


def peak(device: torch.device) -> str:
    """The most memory that tensors took on a GPU."""
    if device.type != "cuda":
        return "on a CPU"
    return f"{torch.cuda.max_memory_allocated(device) / 1e9:.1f} GB on the GPU"
