"""Forgetting to draw windows: which feature maps of the generator draw them, and images without those maps.

Paper: section 6.3.1, Figure 6. On 150 samples, window boxes (52 by hand) tell which positions of the second-highest
convolution layer lie on a window; a logistic regression separates them from random positions of these images; every
feature map with a weight greater than zero (200 in all) is dropped at all positions; the same z is drawn with and
without.
Inputs: activations (N, C, H, W) of a generator layer; boxes as a table (image, x, y, width, height) in image pixels.
Outputs: weights (C,) of the maps; images with and without; numbers about what changed.
Published number: none for the images ("mostly" forgot windows); 200 maps dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from torch import Tensor

from dcgan.core.pixels import Images, enlarge, tile
from dcgan.internals.attribute_classifiers import WindowClassifier, windowed
from dcgan.internals.boxes import Box, Positions, positions_inside
from dcgan.internals.figure_layout import Candidates, above, draw, title
from dcgan.models.batch_norm import Statistics
from dcgan.models.networks import Generator
from dcgan.models.pixel_range import to_uint8

MAX_ITERATIONS, FOLDS = 1000, 5
RANDOM_DRAWS = 10
PUBLISHED_MAPS = 200
Maps = npt.NDArray[np.int64]


@dataclass(frozen=True)
class MapWeights:
    """What the logistic regression learned: one weight a feature map.

    `accuracy` is that on images it did not see; None if boxes lie on fewer than two images.
    """

    weights: npt.NDArray[np.float64]
    n_inside: int
    accuracy: float | None

    @property
    def positive(self) -> Maps:
        """The numbers of the maps with a weight above zero: those that are dropped."""
        return np.flatnonzero(self.weights > 0)


def fit_maps(activations: Tensor, inside: Positions, strength: float, generator: np.random.Generator) -> MapWeights:
    """Logistic regression on activations at one position: inside a box against as many random positions.

    activations: (N, C, H, W); inside: (N, H, W) bool. The random positions come from the images that have a box, and,
    as in the paper, from anywhere in them. `strength` is the L2 penalty's C. Without any box all weights are 0.
    """
    vectors = activations.permute(0, 2, 3, 1).double().cpu().numpy()
    places = np.argwhere(inside)
    if len(places) == 0:
        return MapWeights(np.zeros(activations.shape[1]), 0, None)
    with_box = np.flatnonzero(inside.any(axis=(1, 2)))
    images = generator.choice(with_box, size=len(places))
    elsewhere = generator.integers(0, inside.shape[1:], size=(len(places), 2))
    every = np.concatenate([places, np.column_stack([images, elsewhere])])
    x, y = vectors[tuple(every.T)], np.repeat([1, 0], len(places))
    model = LogisticRegression(C=strength, max_iter=MAX_ITERATIONS)
    n_folds = min(FOLDS, len(np.unique(every[:, 0])))
    if n_folds > 1:
        scores = cross_val_score(model, x, y, groups=every[:, 0], cv=GroupKFold(n_folds))
    return MapWeights(model.fit(x, y).coef_[0], len(places), float(scores.mean()) if n_folds > 1 else None)


def without_maps(activations: Tensor, maps: Maps) -> Tensor:
    """activations: (N, C, H, W) -> the same with the named maps zero at all positions."""
    factors = torch.ones(activations.shape[1], dtype=activations.dtype, device=activations.device)
    factors[torch.as_tensor(maps, device=activations.device)] = 0
    return activations * factors[:, None, None]


def layer_number(generator: Generator, layer: int) -> int:
    """The convolution layer that a negative number means: -1 makes the image, -2 is the highest hidden one."""
    n_layers = len(generator.convolutions)
    if not -n_layers <= layer < n_layers - 1 or layer == -1:
        raise ValueError(f"layer {layer} is no hidden convolution layer of a generator with {n_layers}")
    return layer % n_layers


@torch.no_grad()
def images_without(generator: Generator, z: Tensor, layer: int, maps: Maps, statistics: Statistics) -> Tensor:
    """The images of z: (N, Z) with the named maps of a layer dropped: (N, C, H, W) in the generator's pixel range."""
    number = layer_number(generator, layer)
    activations = generator.until(z, number, statistics=statistics)
    return generator.after(without_maps(activations, maps), number + 1, statistics=statistics)


def change(before: Images, after: Images, inside: Positions) -> tuple[float, float]:
    """Mean absolute change of pixels inside and outside the boxes, as a share of the pixel range.

    before, after: (N, H, W, C) uint8; inside: (N, H, W) bool. No pixels count as 0.
    """
    difference = np.abs(after.astype(np.float64) - before).mean(axis=3) / 255
    inner, outer = (float(part.mean()) if part.size else 0.0 for part in (difference[inside], difference[~inside]))
    return inner, outer


class Removal:
    """Samples of a generator, and the same samples with feature maps of one layer dropped."""

    def __init__(self, generator: Generator, candidates: Candidates, layer: int, statistics: Statistics) -> None:
        self.generator, self.layer, self.statistics = generator, layer, statistics
        self.z = candidates.z.to(next(generator.parameters()).device)
        self.before = candidates.images if statistics == "estimated" else draw(generator, self.z, "batch")

    @torch.no_grad()
    def fit(self, boxes: Sequence[Box], strength: float, random: np.random.Generator) -> MapWeights:
        """Which maps of the layer separate the boxes from the rest of the samples."""
        number = layer_number(self.generator, self.layer)
        activations = self.generator.until(self.z, number, statistics=self.statistics)
        image_size = self.generator.architecture.image_size
        inside = positions_inside(boxes, len(self.z), image_size, activations.shape[2])
        return fit_maps(activations, inside, strength, random)

    def without(self, maps: Maps) -> Images:
        """The samples without some maps: (N, H, W, C) uint8."""
        images = images_without(self.generator, self.z, self.layer, maps, self.statistics)
        return to_uint8(images, self.generator.architecture.pixel_range)

    def versions(self, fitted: MapWeights, random: np.random.Generator) -> list[Images]:
        """The samples before, after, and after each draw of as many random maps."""
        dropped = [fitted.positive, *random_maps(fitted, random)]
        return [self.before, *(self.without(maps) for maps in dropped)]


def random_maps(fitted: MapWeights, random: np.random.Generator) -> list[Maps]:
    """As many maps as are dropped, at random, several times: what dropping any maps does."""
    orders = [random.permutation(len(fitted.weights)) for _ in range(RANDOM_DRAWS)]
    return [np.sort(order[: len(fitted.positive)]) for order in orders]


def removal_figures(fitted: MapWeights, versions: Sequence[Images], inside: Positions) -> dict[str, Any]:
    """What dropping maps changes, whoever drew the boxes; versions: as `Removal.versions` gives them."""
    changes, *at_random = (change(versions[0], version, inside) for version in versions[1:])
    random_changes = np.mean(at_random, axis=0)
    return {
        "maps": len(fitted.weights),
        "maps_dropped": len(fitted.positive),
        "maps_dropped_published": PUBLISHED_MAPS,
        "position_accuracy": fitted.accuracy,
        "share_with_window": float(inside.any(axis=(1, 2)).mean()),
        "change_inside_boxes": changes[0],
        "change_outside_boxes": changes[1],
        "change_inside_boxes_random_maps": float(random_changes[0]),
        "change_outside_boxes_random_maps": float(random_changes[1]),
    }


def windows_left(classifier: WindowClassifier, versions: Sequence[Images]) -> dict[str, float]:
    """Share of samples that still have a window by a classifier; boxes by hand lie on the samples before alone."""
    after, *at_random = (float(windowed(classifier.predict(version)).mean()) for version in versions[1:])
    return {
        "share_with_window_without_maps": after,
        "share_with_window_without_random_maps": float(np.mean(at_random)),
    }


def removal_picture(versions: Sequence[Images], inside: Positions, shown: int, enlargement: int) -> Images:
    """The first samples that have a window, then others, over the same samples without the maps."""
    with_window: npt.NDArray[np.bool_] = np.any(inside, axis=(1, 2))
    chosen = np.concatenate([np.flatnonzero(with_window), np.flatnonzero(~with_window)])[:shown]
    below = "the same z, window maps dropped" if with_window.any() else "the same z; no window has been boxed"
    rows = [
        title(text, enlarge(tile(images[chosen], shown), enlargement))
        for text, images in (("samples", versions[0]), (below, versions[1]))
    ]
    return above(rows, 4)
