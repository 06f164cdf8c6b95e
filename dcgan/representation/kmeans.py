"""The baseline of Table 1 that can be run: single-layer K-means features of Coates and Ng.

Source: A. Coates, A. Ng, "Learning feature representations with K-means" (2012), and A. Coates, H. Lee, A. Ng, "An
analysis of single-layer networks in unsupervised feature learning" (2011): random 6 x 6 patches, each less its mean and
over its deviation, ZCA-whitened; centroids by K-means; at every position of an image the "triangle" activation
max(0, mean distance - distance) to each centroid; sums over the 4 quadrants of the image; each feature standardised.
Inputs: images (N, H, W, 3) uint8. Outputs: (N, 4 K) float32. Published: 80.6 % on CIFAR-10 (63.7 +- 0.7 % with 400
labels per class), 4,800 centroids.

Own code because a GPU has to run it too, and because blocks that stay in the cache made the features of an image 1.4
times as fast: 21 ms of one core (docs/performance.md).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor

from dcgan.core.files import InputError
from dcgan.core.pixels import Images
from dcgan.core.progress import track
from dcgan.core.seeding import numpy_generator

CONTRAST_FLOOR = 10.0  # added to a patch's variance, pixels in [0, 255]: flat patches stay flat [paper]
WHITENING_FLOOR = 0.1  # added to the eigenvalues of the patches' covariance [paper]
VARIANCE_FLOOR = 0.01  # added to a feature's variance when it is standardised [paper]
QUADRANTS = 4
MIDDLE_GREY = 127.5
# Distances at a time, each of which is gone through several times: a CPU's cache holds them, a GPU wants more.
DISTANCES_PER_BLOCK = {"cpu": 2**20, "cuda": 2**27}
Patches = npt.NDArray[np.float32]


def draw_patches(images_uint8: Images, count: int, side: int, random: np.random.Generator) -> Patches:
    """`count` patches at random places of random images: (count, side * side * C), pixels in [0, 255]."""
    windows = sliding_window_view(images_uint8, (side, side), axis=(1, 2))  # channels before the window's own axes
    rows = np.sort(random.integers(0, windows.shape[0], count))
    tops, lefts = random.integers(0, windows.shape[1], count), random.integers(0, windows.shape[2], count)
    return windows[rows, tops, lefts].reshape(count, -1).astype(np.float32)


def normalize(patches: Tensor) -> Tensor:
    """Brightness and contrast taken out of each patch: (..., P) -> (..., P)."""
    variance, mean = torch.var_mean(patches, dim=-1, keepdim=True)
    return (patches - mean) / (variance + CONTRAST_FLOOR).sqrt()


def whitening(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (P,) and ZCA matrix (P, P) of normalised patches."""
    mean = patches.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov((patches - mean).T.double()))
    matrix = vectors @ torch.diag((values + WHITENING_FLOOR).rsqrt()) @ vectors.T
    return mean, matrix.to(patches)


def at_once(device: torch.device, distances_per_row: int) -> int:
    """How many rows of so many distances each are computed together."""
    return max(1, DISTANCES_PER_BLOCK[device.type] // max(1, distances_per_row))


def nearest_centroid(points: Tensor, centroids: Tensor) -> tuple[Tensor, Tensor]:
    """The place (n,) of each point's nearest centroid, and the squared distance (n,)."""
    places, squares = [], []
    offsets = -centroids.square().sum(1) / 2
    for block in points.split(at_once(points.device, len(centroids))):
        nearness, place = torch.addmm(offsets, block, centroids.T).max(1)
        places.append(place)
        squares.append(block.square().sum(1) - 2 * nearness)
    return torch.cat(places), torch.cat(squares)


def fit_centroids(points: Tensor, count: int, iterations: int) -> Tensor:
    """Lloyd's algorithm from the first `count` points (they are in random order): (count, P).

    A centroid that loses all its points goes to one of the points that are farthest from theirs.
    """
    centroids = points[:count].clone()
    for _ in track(range(iterations), iterations, "K-means", "iterations"):
        places, squares = nearest_centroid(points, centroids)
        sizes = torch.bincount(places, minlength=count)
        sums = torch.zeros_like(centroids).index_add_(0, places, points)
        empty = (sizes == 0).nonzero().squeeze(1)
        centroids = sums / sizes.clamp(min=1)[:, None]
        centroids[empty] = points[squares.argsort(descending=True, stable=True)[: len(empty)]]
    return centroids


@dataclass(frozen=True, kw_only=True)
class KmeansSettings:
    """How centroids are fitted, and features scaled."""

    side: int  # of a patch, pixels
    patches: int
    centroids: int
    iterations: int
    statistics_images: int  # that features are standardised on
    batch_size: int
    seed: int


class KmeansFeatures:
    """The features of Coates and Ng; `fit_scale` standardises them on some images first."""

    columns_per_map = QUADRANTS

    def __init__(self, mean: Tensor, matrix: Tensor, centroids: Tensor, side: int) -> None:
        self.mean, self.matrix, self.centroids, self.side = mean, matrix, centroids, side
        self.shift = mean @ matrix
        self.center = centroids.new_zeros(QUADRANTS * len(centroids))
        self.scale = torch.ones_like(self.center)

    @property
    def layers(self) -> list[int]:
        """One layer."""
        return [QUADRANTS * len(self.centroids)]

    @torch.no_grad()
    def __call__(self, images_uint8: Images) -> Tensor:
        """images_uint8: (N, H, W, 3) -> (N, 4 K) float32."""
        return (self.pooled(images_uint8) - self.center) / self.scale

    def pooled(self, images_uint8: Images) -> Tensor:
        """Triangle activations summed over quadrants, not standardised: (N, 4 K)."""
        whitened = self.whitened(torch.from_numpy(np.array(images_uint8)).to(self.centroids.device))
        # Distances stay the same when both sides are moved: cheaper than moving every patch.
        centroids = self.centroids + self.shift
        return torch.stack([triangle_sums(part, centroids) for part in quadrants(whitened)], 1).flatten(1)

    def whitened(self, images_uint8: Tensor) -> Tensor:
        """The whitened patch at every position, still with the mean of all patches: (N, H, W, C) -> (N, H', W', P).

        Whitening and taking out a patch's mean are linear, so they are one convolution, to be divided by each patch's
        deviation: the same as normalising every patch, without laying out 729 overlapping patches per image.
        """
        pixels = (images_uint8.float() - MIDDLE_GREY).permute(0, 3, 1, 2)  # channels last in memory
        kernels = (self.matrix - self.matrix.mean(0)).T.reshape(-1, pixels.shape[1], self.side, self.side)
        mean, square = (F.avg_pool2d(x.mean(1, keepdim=True), self.side, 1) for x in (pixels, pixels.square()))
        size = len(self.mean)
        variance = (square - mean.square()).clamp(min=0) * (size / (size - 1))
        columns = F.conv2d(pixels, kernels).permute(0, 2, 3, 1)
        return columns / (variance + CONTRAST_FLOOR).sqrt().permute(0, 2, 3, 1)

    @torch.no_grad()
    def fit_scale(self, batches: Iterable[Images]) -> None:
        """Takes mean and deviation of every feature from images, batch by batch."""
        count, total, squares = 0, self.center.double(), self.center.double()
        for batch in batches:
            rows = self.pooled(batch).double()
            count += len(rows)
            total, squares = total + rows.sum(0), squares + rows.square().sum(0)
        mean = total / count
        self.center = mean.to(self.center)
        self.scale = (squares / count - mean.square() + VARIANCE_FLOOR).sqrt().to(self.center)


def triangle(points: Tensor, centroids: Tensor) -> Tensor:
    """max(0, mean distance - distance): (n, P) -> (n, K), about half of it zero."""
    squares = torch.addmm(centroids.square().sum(1), points, centroids.T, alpha=-2)
    distances = squares.add_(points.square().sum(1, keepdim=True)).clamp_(min=0).sqrt_()
    return distances.neg_().sub_(distances.mean(1, keepdim=True)).clamp_(min=0)


def triangle_sums(points: Tensor, centroids: Tensor) -> Tensor:
    """Triangle activations summed over some places of each image: (N, H, W, P) -> (N, K), in blocks of images."""
    places = points.flatten(1, 2)
    sums = [
        triangle(block.flatten(0, 1), centroids).unflatten(0, block.shape[:2]).sum(1)
        for block in places.split(at_once(points.device, places.shape[1] * len(centroids)))
    ]
    return torch.cat(sums)


def quadrants(values: Tensor) -> list[Tensor]:
    """(N, H, W, P) -> upper left, upper right, lower left, lower right."""
    middle_y, middle_x = values.shape[1] // 2, values.shape[2] // 2
    halves = (values[:, :middle_y], values[:, middle_y:])
    return [part for half in halves for part in (half[:, :, :middle_x], half[:, :, middle_x:])]


def fit_features(images_uint8: Images, settings: KmeansSettings, device: torch.device) -> dict[str, KmeansFeatures]:
    """Features with fitted centroids ("trained") and with random patches as centroids ("random"), both standardised.

    images_uint8: (N, H, W, C), of the training split. Raises InputError for more centroids than patches, and for images
    that are smaller than a patch.
    """
    if settings.centroids > settings.patches or settings.side > min(images_uint8.shape[1:3]):
        raise InputError(
            f"{settings.centroids} centroids of {settings.patches} patches of {settings.side} x {settings.side} pixels "
            f"cannot be had from images {images_uint8.shape}"
        )
    seed = settings.seed
    random = numpy_generator(seed, "kmeans", "patches")
    patches = normalize(torch.from_numpy(draw_patches(images_uint8, settings.patches, settings.side, random)))
    mean, matrix = whitening(patches)
    # Patches were drawn in the order of their images.
    order = torch.from_numpy(numpy_generator(seed, "kmeans", "order").permutation(len(patches)))
    points = ((patches - mean) @ matrix)[order].to(device)
    centroids = {
        "trained": fit_centroids(points, settings.centroids, settings.iterations),
        "random": points[: settings.centroids],
    }
    # Drawn, because a store may hold its classes one after the other.
    statistics = numpy_generator(seed, "kmeans", "statistics").permutation(len(images_uint8))
    drawn = statistics[: settings.statistics_images]
    batches = [drawn[start : start + settings.batch_size] for start in range(0, len(drawn), settings.batch_size)]
    made = {}
    for kind, chosen in centroids.items():
        made[kind] = KmeansFeatures(mean.to(device), matrix.to(device), chosen, settings.side)
        made[kind].fit_scale(images_uint8[rows] for rows in batches)
    return made
