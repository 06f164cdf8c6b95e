"""The parts of the K-means baseline against plain re-statements."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.datasets import load_sample_images

from dcgan.core.files import InputError
from dcgan.core.pixels import Images
from dcgan.representation import kmeans
from dcgan.representation.kmeans import (
    KmeansFeatures,
    KmeansSettings,
    draw_patches,
    fit_centroids,
    fit_features,
    nearest_centroid,
    normalize,
    quadrants,
    triangle,
    triangle_sums,
    whitening,
)


def photographs() -> Images:
    """32 x 32 pieces of scikit-learn's two photographs."""
    pieces = []
    for photo in load_sample_images().images:
        for top in range(0, photo.shape[0] - 32, 32):
            pieces += [photo[top : top + 32, left : left + 32] for left in range(0, photo.shape[1] - 32, 32)]
    return np.stack(pieces)


def test_whitened_patches_have_nearly_unit_covariance() -> None:
    drawn = draw_patches(photographs(), 5000, 6, np.random.default_rng(0))
    patches = normalize(torch.from_numpy(drawn))
    assert patches.shape == (5000, 108)
    mean, matrix = whitening(patches)
    values = torch.linalg.eigvalsh(torch.cov(((patches - mean) @ matrix).T))
    raw = torch.linalg.eigvalsh(torch.cov(patches.T))
    assert torch.allclose(values.sort()[0], (raw / (raw + 0.1)).sort()[0], atol=1e-3)
    assert torch.allclose(matrix, matrix.T, atol=1e-4)


def test_centroids_are_as_good_as_those_of_scikit_learn() -> None:
    points = torch.from_numpy(np.random.default_rng(0).normal(size=(2000, 8)).astype(np.float32))
    points += torch.from_numpy(np.random.default_rng(1).integers(0, 2, (2000, 8)).astype(np.float32)) * 6
    centroids = fit_centroids(points, 40, 30)
    ours = float(nearest_centroid(points, centroids)[1].sum())
    theirs = KMeans(40, init=points[:40].numpy(), n_init=1, max_iter=30, random_state=0).fit(points.numpy()).inertia_
    assert ours <= theirs * 1.02


def test_a_centroid_without_points_is_moved() -> None:
    points = torch.tensor([[0.0], [0.0], [0.0], [5.0], [9.0]])
    assert fit_centroids(points, 3, 5).squeeze(1).sort()[0].tolist() == [0, 5, 9]


def test_triangle_is_zero_beyond_the_mean_distance() -> None:
    activations = triangle(torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]))
    assert activations[0].tolist() == pytest.approx([2.0, 0.0, 1.0])


def test_quadrants_are_summed_apart() -> None:
    maps = torch.zeros(1, 27, 27, 1)
    maps[0, 0, 0], maps[0, 0, 26], maps[0, 26, 0], maps[0, 13, 13] = 1, 2, 3, 4
    assert [float(part.sum()) for part in quadrants(maps)] == [1, 2, 3, 4]


@pytest.mark.parametrize("distances", [1, 9 * 5 * 2, 2**20])
def test_sums_do_not_depend_on_the_size_of_blocks(monkeypatch: pytest.MonkeyPatch, distances: int) -> None:
    monkeypatch.setitem(kmeans.DISTANCES_PER_BLOCK, "cpu", distances)
    points = torch.randn(7, 3, 3, 4, generator=torch.Generator().manual_seed(1))
    centroids = torch.randn(5, 4, generator=torch.Generator().manual_seed(2))
    expected = [triangle(image.reshape(9, 4), centroids).sum(0) for image in points]
    assert torch.allclose(triangle_sums(points, centroids), torch.stack(expected), atol=1e-5)


def test_whitening_by_convolution_is_whitening_of_every_patch() -> None:
    images = photographs()[:3]
    patches = normalize(torch.from_numpy(draw_patches(images, 2000, 6, np.random.default_rng(0))))
    mean, matrix = whitening(patches)
    whitened = KmeansFeatures(mean, matrix, patches[:4], 6).whitened(torch.from_numpy(images))
    assert whitened.shape == (3, 27, 27, 108)
    patch = torch.from_numpy(images[2, 5:11, 20:26]).permute(2, 0, 1).flatten().float()
    assert torch.allclose(whitened[2, 5, 20], normalize(patch) @ matrix, atol=1e-3)


def test_features_do_not_depend_on_batch_mates_and_are_standardised() -> None:
    images = photographs()[:60]
    patches = normalize(torch.from_numpy(draw_patches(images, 2000, 6, np.random.default_rng(0))))
    mean, matrix = whitening(patches)
    features = KmeansFeatures(mean, matrix, fit_centroids((patches - mean) @ matrix, 16, 5), 6)
    features.fit_scale(images[start : start + 20] for start in range(0, 60, 20))
    whole = features(images)
    assert whole.shape == (60, 64) and features.layers == [64]
    assert (torch.cat([features(images[start : start + 7]) for start in range(0, 60, 7)]) - whole).abs().max() < 1e-4
    assert whole.mean(0).abs().max() < 1e-3
    variance = features.pooled(images).double().var(0, correction=0)
    assert torch.allclose(whole.double().var(0, correction=0), variance / (variance + 0.01), rtol=1e-3)


@pytest.mark.parametrize(("patches", "centroids", "side"), [(50, 51, 6), (50, 10, 33)])
def test_more_centroids_than_patches_or_patches_larger_than_images_are_refused(
    patches: int, centroids: int, side: int
) -> None:
    settings = KmeansSettings(
        side=side, patches=patches, centroids=centroids, iterations=1, statistics_images=4, batch_size=4, seed=0
    )
    with pytest.raises(InputError, match=rf"{centroids} centroids of {patches} patches of {side} x {side}"):
        fit_features(np.zeros((4, 32, 32, 3), np.uint8), settings, torch.device("cpu"))
