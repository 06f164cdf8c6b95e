"""Speed and memory of feature extraction, beside the forward pass of the same network alone, in one run on one core.

    python -m benchmarks.features [--architecture svhn32] [--images 4000] [--rounds 5]

Alone: the discriminator's activations of the same batches, kept nowhere. Ours: the whole extraction, from the image
store to the table on the disk. Images are noise: neither depends on what they show. Rates are images per second of
processor time; rounds alternate; the ratio is the median of the rounds' ratios. Memory: peaks of processes that extract
n and 4 n images. Promises: at least 85 % of the forward pass; memory that does not grow with n.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from dcgan.data.image_store import ImageStore, StoreWriter
from dcgan.models.architectures import ARCHITECTURES
from dcgan.models.networks import Discriminator
from dcgan.models.pixel_range import to_input
from dcgan.representation.extraction import extract_features
from dcgan.representation.features import DiscriminatorFeatures, estimate_on_images

BATCH = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="svhn32", choices=["svhn32", "imagenet32"])
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--extract-only", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    discriminator = network(options.architecture)
    if options.extract_only:
        extract(discriminator, options.extract_only)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few, many = write_store(folder / "few.h5", options.images), write_store(folder / "many.h5", 4 * options.images)
        compare(discriminator, few, options.rounds)
        for store in (few, many):
            command = [sys.executable, "-m", "benchmarks.features", "--architecture", options.architecture]
            peak = subprocess.run(
                [*command, "--extract-only", store], capture_output=True, text=True, check=True
            ).stdout
            print(f"peak memory for {len(ImageStore(store)):,} images: {peak.strip()} MB")


def network(architecture: str) -> Discriminator:
    """An untrained discriminator with statistics."""
    discriminator = Discriminator(ARCHITECTURES[architecture]).initialize(torch.Generator().manual_seed(0))
    images = np.random.default_rng(0).integers(0, 256, (BATCH, 32, 32, 3), dtype=np.uint8)
    estimate_on_images(discriminator, images, BATCH)
    return discriminator


def write_store(path: Path, n: int) -> Path:
    """n images of noise."""
    random = np.random.default_rng(0)
    with StoreWriter(path, (32, 32, 3), {}) as writer:
        for start in range(0, n, 1000):
            count = min(1000, n - start)
            keys = [str(row) for row in range(start, start + count)]
            writer.append(random.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8), keys)
    return path


def compare(discriminator: Discriminator, path: Path, rounds: int) -> None:
    """Rates of both, and their ratio."""
    n, ratios = len(ImageStore(path)), []
    for number in range(rounds + 1):
        seconds = []
        for run in (forward, extract):
            started = time.process_time()
            run(discriminator, path)
            seconds.append(time.process_time() - started)
        if number > 0:  # the first round warms up
            ratios.append(seconds[0] / seconds[1])
            print(
                f"forward {n / seconds[0]:7.0f} images/s, extraction {n / seconds[1]:7.0f} images/s: {ratios[-1]:.3f}"
            )
    print(
        f"extraction runs at {statistics.median(ratios):.3f} [{min(ratios):.3f}, {max(ratios):.3f}] of the forward pass"
    )


@torch.no_grad()
def forward(discriminator: Discriminator, path: Path) -> None:
    """The forward pass alone."""
    images = ImageStore(path).images
    for start in range(0, len(images), BATCH):
        x = to_input(np.array(images[start : start + BATCH]), "tanh").contiguous(memory_format=torch.channels_last)
        discriminator.activations(x, "estimated")


def extract(discriminator: Discriminator, path: Path) -> None:
    """The whole extraction."""
    table = path.with_name("table.h5")
    extract_features(
        DiscriminatorFeatures(discriminator), ImageStore(path), table, path.with_name("w"), BATCH, "float32"
    )
    table.unlink()


if __name__ == "__main__":
    main()
