"""Features: their size, their independence of batch mates, and tables that survive a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch

from dcgan.core.files import InputError
from dcgan.core.seeding import torch_generator
from dcgan.data.image_store import ImageStore, StoreWriter
from dcgan.models.architectures import ARCHITECTURES
from dcgan.models.batch_norm import estimate_statistics
from dcgan.models.networks import Discriminator
from dcgan.models.pixel_range import to_input
from dcgan.representation import extraction
from dcgan.representation.extraction import extract_features
from dcgan.representation.feature_tables import FeatureTable
from dcgan.representation.features import DiscriminatorFeatures, estimate_on_images, pooled_features


def discriminator(name: str) -> Discriminator:
    network = Discriminator(ARCHITECTURES[name]).initialize(torch.Generator().manual_seed(0))
    images = np.random.default_rng(0).integers(0, 256, (128, 32, 32, 3), dtype=np.uint8)
    estimate_on_images(network, images, 64)
    return network


def store_of(path: Path, n: int) -> ImageStore:
    random = np.random.default_rng(1)
    with StoreWriter(path, (32, 32, 3), {"classes": list("0123456789")}) as writer:
        images = random.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
        writer.append(images, [f"image {row}" for row in range(n)], random.integers(0, 10, n))
    return ImageStore(path)


@pytest.mark.parametrize(("name", "size"), [("imagenet32", 28_672), ("svhn32", 7_168)])
def test_feature_vector_has_the_published_size(name: str, size: int) -> None:
    images = np.zeros((2, 32, 32, 3), np.uint8)
    network = Discriminator(ARCHITECTURES[name]).initialize(torch.Generator().manual_seed(0))
    estimate_on_images(network, np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8), 4)
    assert DiscriminatorFeatures(network)(images).shape == (2, size)
    assert sum(DiscriminatorFeatures(network).layers) == size == ARCHITECTURES[name].feature_count


def test_pooling_takes_the_maximum_of_each_window() -> None:
    maps = torch.arange(2 * 8 * 8, dtype=torch.float32).view(1, 2, 8, 8)
    pooled = pooled_features([maps, maps[:, :, :4, :4]])
    assert pooled.shape == (1, 2 * 2 * 16)
    assert pooled[0, :5].tolist() == [9, 11, 13, 15, 25]  # lower right of each 2 x 2 window, map 0, row by row
    assert pooled[0, 32:36].tolist() == [0, 1, 2, 3]  # a 4 x 4 map stays as it is


@pytest.mark.parametrize("name", ["svhn32", "imagenet32"])
def test_no_feature_depends_on_batch_mates(tmp_path: Path, name: str) -> None:
    features = DiscriminatorFeatures(discriminator(name))
    images = store_of(tmp_path / "images.h5", 130).images
    whole = features(images)
    for size in (1, 7, 128):
        parts = torch.cat([features(images[start : start + size]) for start in range(0, len(images), size)])
        assert torch.allclose(parts, whole, rtol=1e-5, atol=1e-5)


def test_statistics_leave_out_a_batch_that_is_not_full() -> None:
    images = np.random.default_rng(0).integers(0, 256, (150, 32, 32, 3), dtype=np.uint8)
    networks = [Discriminator(ARCHITECTURES["demo_svhn32"]).initialize(torch.Generator().manual_seed(0)) for _ in "ab"]
    for network, n in zip(networks, (128, 150), strict=True):
        estimate_on_images(network, images[:n], 64)
    assert torch.equal(networks[0].norms[0].variance, networks[1].norms[0].variance)


def test_statistics_are_of_whole_batches_in_the_order_of_the_images() -> None:
    images = np.random.default_rng(0).integers(0, 256, (150, 32, 32, 3), dtype=np.uint8)
    ours, theirs = (Discriminator(ARCHITECTURES["demo_svhn32"]).initialize(torch_generator(0, "d")) for _ in "ab")
    estimate_on_images(ours, images, 64)
    estimate_statistics(theirs, [to_input(images[:64], "tanh"), to_input(images[64:128], "tanh")])
    for one, two in zip(ours.norms, theirs.norms, strict=True):
        assert torch.allclose(one.mean, two.mean, atol=1e-6) and torch.allclose(one.variance, two.variance, rtol=1e-5)


def test_table_holds_rows_labels_keys_and_layers(tmp_path: Path) -> None:
    store, features = store_of(tmp_path / "images.h5", 50), DiscriminatorFeatures(discriminator("demo_svhn32"))
    extract_features(features, store, tmp_path / "table.h5", tmp_path / "work", 16, "float32")
    table = FeatureTable(tmp_path / "table.h5")
    assert table.shape == (50, sum(table.layers)) and table.layers == features.layers
    assert table.highest_maps == ARCHITECTURES["demo_svhn32"].discriminator_layers[-1][0]
    assert np.array_equal(table.labels, store.labels)
    rows = np.array([49, 3, 3, 4, 20])
    assert np.allclose(table.read(rows), features(store.images[rows]).numpy(), atol=1e-5)
    second = table.columns_of(1)
    assert second == slice(table.layers[0], table.layers[0] + table.layers[1])
    assert np.array_equal(table.read(slice(0, 50), second), table.read(slice(0, 50))[:, second])
    assert not (tmp_path / "work").exists()


def test_half_precision_halves_the_file_and_keeps_the_values(tmp_path: Path) -> None:
    store, features = store_of(tmp_path / "images.h5", 40), DiscriminatorFeatures(discriminator("demo_svhn32"))
    for dtype in ("float32", "float16"):
        extract_features(features, store, tmp_path / f"{dtype}.h5", tmp_path / dtype, 16, dtype)  # type: ignore[arg-type]
    full, half = (FeatureTable(tmp_path / f"{dtype}.h5").read(slice(0, 40)) for dtype in ("float32", "float16"))
    assert np.abs(full - half).max() < 4e-3
    assert (tmp_path / "float16.h5").stat().st_size < 0.55 * (tmp_path / "float32.h5").stat().st_size


def test_features_of_a_diverged_network_are_refused(tmp_path: Path) -> None:
    network = discriminator("demo_svhn32")
    with torch.no_grad():
        network.convolutions[0].weight.fill_(torch.inf)
    with pytest.raises(InputError, match="not finite"):
        extract_features(
            DiscriminatorFeatures(network),
            store_of(tmp_path / "i.h5", 8),
            tmp_path / "t.h5",
            tmp_path / "w",
            8,
            "float32",
        )


def test_rows_are_read_in_the_named_order_whether_they_lie_close_or_far_apart(tmp_path: Path) -> None:
    store, features = store_of(tmp_path / "images.h5", 60), DiscriminatorFeatures(discriminator("demo_svhn32"))
    extract_features(features, store, tmp_path / "table.h5", tmp_path / "work", 16, "float32")
    table = FeatureTable(tmp_path / "table.h5")
    everything = table.read(slice(0, 60))
    for rows in (np.r_[0:20, 22:50, 59], np.r_[3, 30, 31, 58], np.r_[7, 2, 7, 59]):
        assert np.array_equal(table.read(rows), everything[rows])
        assert np.array_equal(table.read(rows, slice(16, 40)), everything[rows, 16:40])


def test_a_cut_off_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(InputError, match="not a readable feature table"):
        FeatureTable(tmp_path / "table.h5")


class Pixels:
    """The first pixels of an image, taken slowly."""

    layers, columns_per_map = [64], 16

    def __init__(self, seconds_a_batch: float) -> None:
        self.seconds_a_batch, self.batches = seconds_a_batch, 0

    def __call__(self, images: np.ndarray) -> torch.Tensor:
        time.sleep(self.seconds_a_batch)
        self.batches += 1
        print("batch", flush=True)
        return torch.from_numpy(images.reshape(len(images), -1)[:, :64].astype("float32"))


def extract(folder: Path, seconds_a_batch: float = 0.0) -> int:
    """Extracts features of the images in a folder, a disk write every 32 rows; how many batches were computed."""
    pixels, store = Pixels(seconds_a_batch), ImageStore(folder / "images.h5")
    with mock.patch.object(extraction, "ROWS_BETWEEN_FLUSHES", 32):
        extract_features(pixels, store, folder / "table.h5", folder / "work", 16, "float32")  # type: ignore[arg-type]
    return pixels.batches


def test_a_killed_extraction_goes_on_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    store_of(tmp_path / "images.h5", 400)
    program = "import sys; from pathlib import Path; from tests.unit.test_features import extract"
    command = [sys.executable, "-c", f"{program}; extract(Path(sys.argv[1]), 0.05)", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        for _ in range(
            9
        ):  # 9 batches of 16 rows are computed, or some more; of these 7 are written, 6 safe on the disk
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        computed = 9 + len(process.stdout.readlines())
    assert process.returncode == -signal.SIGKILL and not (tmp_path / "table.h5").exists()
    assert 400 // 16 - computed <= extract(tmp_path) <= 400 // 16 - 6
    resumed = (tmp_path / "table.h5").read_bytes()
    (tmp_path / "table.h5").unlink()
    assert extract(tmp_path) == 400 // 16
    assert resumed == (tmp_path / "table.h5").read_bytes()
