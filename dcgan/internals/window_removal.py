"""Forgetting to draw windows: which feature maps of the generator draw them, and images without those maps.

Paper: section 6.3.1, Figure 6. On 150 samples, window boxes (52 by hand) tell which positions of the second-highest
convolution layer lie on a window; a logistic regression separates them from random positions of these images; every
feature map with a weight greater than zero (200 in all) is dropped at all positions. New random samples are drawn with
and without these maps. The random positions of one regression decide much, so the effect is measured over many draws.
Inputs: activations (N, C, H, W) of a generator layer; boxes as a table (image, x, y, width, height) in image pixels.
Outputs: weights (C,) of the maps; images with and without; numbers about what changed.
Published number: none for the images ("mostly" forgot windows); 200 maps dropped.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from torch import Tensor

from dcgan.core.intervals import Values, bootstrap_interval
from dcgan.core.pixels import Images, enlarge, tile
from dcgan.internals.attribute_classifiers import WindowClassifier, windowed
from dcgan.internals.boxes import Box, Positions, positions_inside
from dcgan.internals.figure_layout import above, title
from dcgan.models.batch_norm import Statistics
from dcgan.models.networks import Generator
from dcgan.models.pixel_range import to_uint8

MAX_ITERATIONS, FOLDS = 1000, 5
Maps = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class MapWeights:
    """What the logistic regression learned: one weight per feature map.

    `accuracy` is that on images it did not see; None if boxes lie on too few images.
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
    accuracy = accuracy_elsewhere(model, x, y, every[:, 0])
    return MapWeights(model.fit(x, y).coef_[0], len(places), accuracy)


def accuracy_elsewhere(model: LogisticRegression, x: Floats, y: Labels, images: Labels) -> float | None:
    """Share of positions told rightly on images that were not learned from, the mean over folds.

    None where no fold has both kinds of positions to learn from, as with a few small boxes.
    """
    n_folds = min(FOLDS, len(np.unique(images)))
    folds = GroupKFold(n_folds).split(x, y, images) if n_folds > 1 else ()
    both = [(learned, unseen) for learned, unseen in folds if len(np.unique(y[learned])) > 1]
    scores = [model.fit(x[learned], y[learned]).score(x[unseen], y[unseen]) for learned, unseen in both]
    return float(np.mean(scores)) if scores else None


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


class Removal:
    """One layer of a generator, whose feature maps are chosen on some samples and dropped from others."""

    def __init__(self, generator: Generator, layer: int, statistics: Statistics) -> None:
        self.generator, self.layer, self.statistics = generator, layer, statistics

    @torch.no_grad()
    def fit(self, z: Tensor, boxes: Sequence[Box], strength: float, random: np.random.Generator) -> MapWeights:
        """Which maps of the layer separate the boxes from the rest of the samples of z: (N, Z)."""
        number = layer_number(self.generator, self.layer)
        activations = self.generator.until(self._placed(z), number, statistics=self.statistics)
        image_size = self.generator.architecture.image_size
        inside = positions_inside(boxes, len(z), image_size, activations.shape[2])
        return fit_maps(activations, inside, strength, random)

    def without(self, z: Tensor, maps: Maps) -> Images:
        """The samples of z: (N, Z) without some maps: (N, H, W, C) uint8."""
        images = images_without(self.generator, self._placed(z), self.layer, maps, self.statistics)
        return to_uint8(images, self.generator.architecture.pixel_range)

    def _placed(self, z: Tensor) -> Tensor:
        return z.to(self.generator.device)


def random_maps(fitted: MapWeights, random: np.random.Generator) -> Maps:
    """As many maps as are dropped, at random: what dropping any maps does."""
    return np.sort(random.permutation(len(fitted.weights))[: len(fitted.positive)])


@dataclass(frozen=True)
class Effect:
    """What dropping maps does to each of N samples: once per draw of the maps, D in all.

    left: (D, N), 1 if a window is left; None without a classifier. inside, outside: (D, N), mean absolute change of the
    pixels inside and outside the windows, as a share of the pixel range; NaN for the inside of a sample without window.
    """

    left: Values | None
    inside: Values
    outside: Values


def effect_of(
    before: Images, versions: Iterable[Images], windows: Positions, classifier: WindowClassifier | None
) -> Effect:
    """before: (N, H, W, C) uint8; versions: the same samples without maps, once per draw; windows: (N, H, W) bool."""
    left, inside, outside = [], [], []
    for version in versions:
        if classifier is not None:
            left.append(windowed(classifier.predict(version)).astype(np.float64))
        difference = np.abs(version.astype(np.float64) - before).mean(axis=3) / 255
        inside.append(mean_where(difference, windows))
        outside.append(mean_where(difference, ~windows))
    return Effect(np.stack(left) if left else None, np.stack(inside), np.stack(outside))


def mean_where(values: Values, chosen: Positions) -> Values:
    """Mean over the chosen positions per image, NaN for none: (N, H, W) -> (N,)."""
    counts = chosen.sum(axis=(1, 2))
    sums = np.where(chosen, values, 0.0).sum(axis=(1, 2))
    means: Values = np.divide(sums, counts, out=np.full(len(values), np.nan), where=counts > 0)
    return means


def effect_figures(window_maps: Effect, any_maps: Effect, random: np.random.Generator) -> dict[str, float | None]:
    """What dropping window maps does beside dropping as many random ones, over all draws, with 95 % intervals.

    Differences are random minus window maps: positive if window maps leave fewer windows, or change less outside.
    """
    changes: dict[str, float | None] = {
        "change_inside_boxes": mean_or_zero(window_maps.inside),
        "change_outside_boxes": mean_or_zero(window_maps.outside),
        "change_inside_boxes_random_maps": mean_or_zero(any_maps.inside),
        "change_outside_boxes_random_maps": mean_or_zero(any_maps.outside),
    }
    usable = ~np.isnan(window_maps.outside).any(axis=0)
    outside = (any_maps.outside - window_maps.outside)[:, usable]
    changes |= interval_of("change_outside_difference", outside, random)
    if window_maps.left is None or any_maps.left is None:
        return changes
    per_draw = window_maps.left.mean(axis=1)
    return {
        "share_with_window_without_maps": float(per_draw.mean()),
        "share_with_window_without_maps_least": float(per_draw.min()),
        "share_with_window_without_maps_most": float(per_draw.max()),
        "share_with_window_without_random_maps": float(any_maps.left.mean()),
        **interval_of("windows_difference", any_maps.left - window_maps.left, random),
        **changes,
    }


def effect_outcomes(window_maps: Effect, any_maps: Effect, windows: Positions) -> dict[str, Values]:
    """What is left and what changes, of window maps and of as many random ones, each (draws, images).

    left, left_random: of the images that have a window before, 1 if one is left; not without a classifier. change,
    change_random: of all images, the change outside windows. What no image has is missing.
    """
    before = windows.any(axis=(1, 2))
    outside = ~windows.all(axis=(1, 2))
    outcomes: dict[str, Values] = {}
    for ending, effect in (("", window_maps), ("_random", any_maps)):
        if effect.left is not None and before.any():
            outcomes[f"left{ending}"] = effect.left[:, before]
        if outside.any():
            outcomes[f"change{ending}"] = effect.outside[:, outside]
    return outcomes


def mean_or_zero(values: Values) -> float:
    """Mean of the values that are numbers; 0 if none is."""
    return float(np.nanmean(values)) if not np.isnan(values).all() else 0.0


def interval_of(name: str, differences: Values, random: np.random.Generator) -> dict[str, float | None]:
    """A mean over draws and images with the ends of its 95 % interval; None without any image."""
    if differences.size == 0:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"))
    low, high = bootstrap_interval(differences, random)
    return {name: float(differences.mean()), f"{name}_low": low, f"{name}_high": high}


def removal_picture(before: Images, after: Images, windows: Positions, shown: int, enlargement: int) -> Images:
    """The first samples that have a window, then others, over the same samples without the maps."""
    with_window: npt.NDArray[np.bool_] = np.any(windows, axis=(1, 2))
    chosen = np.concatenate([np.flatnonzero(with_window), np.flatnonzero(~with_window)])[:shown]
    below = "the same z, window maps dropped" if with_window.any() else "the same z; no window has been boxed"
    rows = [
        title(text, enlarge(tile(images[chosen], shown), enlargement))
        for text, images in (("samples", before), (below, after))
    ]
    return above(rows, 4)
