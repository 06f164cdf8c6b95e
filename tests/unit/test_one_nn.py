"""1-nearest-neighbour: the same as scikit-learn's, in any blocks, and exact."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

import dcgan.representation.one_nn as module
from dcgan.core.pixels import Images
from dcgan.data.image_store import Labels
from dcgan.representation.one_nn import NearestNeighbour

CPU = torch.device("cpu")


def digits() -> tuple[Images, Labels, Images, Labels]:
    x, y = load_digits(return_X_y=True)
    images = (x * 15).astype(np.uint8).reshape(-1, 8, 8, 1)
    return images[:1200], y[:1200], images[1200:], y[1200:]


def test_labels_and_distances_are_those_of_scikit_learn() -> None:
    references, labels, queries, _ = digits()
    neighbours = NearestNeighbour(queries, CPU)
    neighbours.add(references, labels, 0)
    flat = references.reshape(len(references), -1).astype(float)
    theirs = KNeighborsClassifier(1, algorithm="brute").fit(flat, labels)
    distances, places = theirs.kneighbors(queries.reshape(len(queries), -1).astype(float))
    assert np.allclose(neighbours.distances, distances[:, 0])
    differing = neighbours.labels != labels[places[:, 0]]
    ties = np.isclose(
        np.sort(theirs.kneighbors(queries.reshape(len(queries), -1).astype(float), 2)[0])[:, 0], distances[:, 0]
    )
    assert not (differing & ~ties).any()


@pytest.mark.parametrize("size", [1, 7, 500])
def test_result_does_not_depend_on_how_references_arrive(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    references, labels, queries, truth = digits()
    whole = NearestNeighbour(queries, CPU)
    whole.add(references, labels, 0)
    monkeypatch.setattr(module, "REFERENCES_A_BLOCK", 64)
    monkeypatch.setattr(module, "QUERIES_A_BLOCK", 50)
    parts = NearestNeighbour(queries, CPU)
    for start in range(0, len(references), size):
        parts.add(references[start : start + size], labels[start : start + size], start)
    assert np.array_equal(whole.labels, parts.labels) and np.array_equal(whole.distances, parts.distances)
    assert parts.error(truth) < 0.08


def test_distances_are_exact_at_the_extremes() -> None:
    """Black against white over 28 x 28 pixels, one grey level apart from a second reference."""
    queries = np.full((1, 28, 28, 1), 255, np.uint8)
    references = np.zeros((2, 28, 28, 1), np.uint8)
    references[1, 0, 0, 0] = 1
    neighbours = NearestNeighbour(queries, CPU)
    neighbours.add(references, np.array([0, 1]), 0)
    assert neighbours.labels.tolist() == [1]
    assert neighbours.distances[0] ** 2 == pytest.approx(783 * 255**2 + 254**2, rel=1e-12)


def test_of_equal_references_the_first_counts() -> None:
    images = np.full((3, 4, 4, 1), 9, np.uint8)
    neighbours = NearestNeighbour(images[:1], CPU)
    neighbours.add(images, np.array([8, 8, 8]), 3)
    neighbours.add(images, np.array([5, 6, 7]), 0)
    neighbours.add(images, np.array([9, 9, 9]), 6)
    assert neighbours.labels.tolist() == [5] and neighbours.distances.tolist() == [0]


def test_images_beyond_exact_arithmetic_are_refused() -> None:
    with pytest.raises(ValueError, match="exact up to 1024"):
        NearestNeighbour(np.zeros((1, 32, 32, 3), np.uint8), CPU)
