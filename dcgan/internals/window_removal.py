"""Forgetting to draw windows: which feature maps of the generator draw them, and images without those maps.

Paper: section 6.3.1, Figure 6. On 150 samples, window boxes (52 by hand) tell which positions of the second-highest
convolution layer lie on a window; a logistic regression tells them from random positions of the same images; every
feature map with a weight greater than zero (200 in all) is dropped at all positions; the same z is drawn with and
without.
Inputs: activations (N, C, H, W) of a generator layer; boxes as a table (image, x, y, width, height) in image pixels.
Outputs: weights (C,) of the maps; images with and without; numbers about what changed.
Published number: none for the images ("mostly" forgot windows); 200 maps dropped.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from torch import Tensor

from dcgan.core.pixels import Images
from dcgan.internals.boxes import Positions
from dcgan.models.batch_norm import Statistics
from dcgan.models.networks import Generator

MAX_ITERATIONS, FOLDS = 1000, 5


@dataclass(frozen=True)
class MapWeights:
    """What the logistic regression learned: one weight a feature map.

    `accuracy` is that on images it did not see; None where boxes lie on one image only, or on none.
    """

    weights: npt.NDArray[np.float64]
    n_inside: int
    accuracy: float | None

    @property
    def positive(self) -> npt.NDArray[np.int64]:
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


def without_maps(activations: Tensor, maps: npt.NDArray[np.int64]) -> Tensor:
    """activations: (N, C, H, W) -> the same with the named maps zero at all positions."""
    kept = torch.ones(activations.shape[1], dtype=activations.dtype, device=activations.device)
    kept[torch.as_tensor(maps, device=activations.device)] = 0
    return activations * kept[:, None, None]


def layer_number(generator: Generator, layer: int) -> int:
    """The convolution layer that a negative number means: -1 makes the image, -2 is the highest hidden one."""
    n_layers = len(generator.convolutions)
    if not -n_layers <= layer < n_layers - 1 or layer == -1:
        raise ValueError(f"layer {layer} is no hidden convolution layer of a generator with {n_layers}")
    return layer % n_layers


@torch.no_grad()
def images_without(
    generator: Generator, z: Tensor, layer: int, maps: npt.NDArray[np.int64], statistics: Statistics
) -> Tensor:
    """The images of z: (N, Z) with the named maps of a layer dropped: (N, C, H, W) in the generator's pixel range."""
    number = layer_number(generator, layer)
    activations = generator.until(z, number, statistics=statistics)
    return generator.after(without_maps(activations, maps), number + 1, statistics=statistics)


def change(before: Images, after: Images, inside: Positions) -> tuple[float, float]:
    """Mean absolute change of pixels inside and outside the boxes, as a share of the pixel range.

    before, after: (N, H, W, C) uint8; inside: (N, H, W) bool. A side without pixels counts as 0.
    """
    difference = np.abs(after.astype(np.float64) - before).mean(axis=3) / 255
    inner, outer = (float(side.mean()) if side.size else 0.0 for side in (difference[inside], difference[~inside]))
    return inner, outer
