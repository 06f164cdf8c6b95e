"""Handwritten digits in MNIST's and SVHN's formats: bytes, layout, labels, and splits that share no source."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from sklearn.neighbors import KNeighborsClassifier

from demo.digits import load_glyphs, split_sources, write_digits
from demo.patches import photographs
from tests.conftest import digests_below

SEED, DIGITS = 3, 400


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("digits")
    write_digits(path, SEED, DIGITS, processes=1)
    return path


def read_idx(path: Path) -> Any:
    content = gzip.decompress(path.read_bytes())
    assert content[:3] == b"\x00\x00\x08"
    dimensions = content[3]
    shape = np.frombuffer(content[4 : 4 + 4 * dimensions], ">u4")
    return np.frombuffer(content[4 + 4 * dimensions :], np.uint8).reshape(shape.tolist())


def read_mnist(folder: Path, split: str) -> tuple[Any, Any]:
    images = read_idx(folder / "mnist" / f"{split}-images-idx3-ubyte.gz")
    return images, read_idx(folder / "mnist" / f"{split}-labels-idx1-ubyte.gz")


def test_same_bytes_twice(folder: Path, tmp_path: Path) -> None:
    write_digits(tmp_path, SEED, DIGITS, processes=1)
    found = digests_below(folder)
    assert digests_below(tmp_path) == found and len(found) == 6


def test_mnist_layout(folder: Path) -> None:
    for split, count in (("train", DIGITS), ("t10k", DIGITS // 4)):
        images, labels = read_mnist(folder, split)
        assert images.shape == (count, 28, 28)
        assert labels.shape == (count,)
        assert set(labels) == set(range(10))
        # White strokes on black, none of them at the border.
        assert images[:, 0].max() == 0
        assert (images.reshape(count, -1).max(axis=1) > 200).all()
        assert 15 < images.mean() < 60


def test_svhn_layout(folder: Path) -> None:
    _, labels = read_mnist(folder, "train")
    content = scipy.io.loadmat(folder / "svhn" / "train_32x32.mat")
    assert content["X"].shape == (32, 32, 3, DIGITS)
    assert content["X"].dtype == content["y"].dtype == np.uint8
    assert content["y"].shape == (DIGITS, 1)
    np.testing.assert_array_equal(content["y"][:, 0], np.where(labels == 0, 10, labels))


def test_splits_share_no_source_digit() -> None:
    train, test = split_sources(SEED)
    assert not set(train) & set(test)
    assert len(train) + len(test) == 1797


def test_labels_belong_to_the_images(folder: Path) -> None:
    train, train_labels = read_mnist(folder, "train")
    test, test_labels = read_mnist(folder, "t10k")
    nearest = KNeighborsClassifier(1).fit(train.reshape(len(train), -1), train_labels)
    assert nearest.score(test.reshape(len(test), -1), test_labels) > 0.75


def test_sources_are_what_scikit_learn_loads() -> None:
    """They are read without importing it, from where it keeps them."""
    from sklearn.datasets import load_digits, load_sample_images

    digits, glyphs = load_digits(), load_glyphs()
    assert np.array_equal(glyphs.labels, digits.target) and len(glyphs.ink) == len(digits.images)
    assert np.allclose(
        glyphs.ink[:, 12:-8:8, 12:-8:8].mean(axis=(1, 2)), digits.images.mean(axis=(1, 2)) / 16, atol=0.1
    )
    for ours, theirs in zip(photographs(), load_sample_images().images, strict=True):
        assert np.array_equal(ours, theirs)
