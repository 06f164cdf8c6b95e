"""Guided backpropagation: which pixels of an image a feature of the discriminator answers to.

Paper: section 6.2, Figure 5: "maximal axis-aligned responses for the first 6 learned convolutional features from the
last convolution layer in the discriminator", beside the same of a randomly initialised discriminator.
Method: Springenberg et al. 2014, arXiv 1412.6806, section 3.4: on the way down a rectifier lets a gradient pass only
where its input was positive and the gradient itself is positive.
Differs: the discriminator has leaky rectifiers, for which the source has no rule, so the rule is an argument.

- `relu`: as if the rectifier did not leak: pass where the unit was active and the gradient is positive.
- `leaky`: pass positive gradients only, through inactive units with the leak as their slope.
- `plain`: the true gradient.

Inputs: images (N, C, H, W) in the network's pixel range. Outputs: input gradients of the same shape.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from dcgan.core.pixels import Images, enlarge, tile
from dcgan.internals.figure_layout import above, batches, estimate_discriminator
from dcgan.models.batch_norm import Statistics
from dcgan.models.networks import Discriminator
from dcgan.models.pixel_range import PixelRange, to_input

RectifierRule = Literal["relu", "leaky", "plain"]
SURROUNDINGS = 7


@dataclass(frozen=True, kw_only=True)
class GuidedSettings:
    """Which features are shown, and how gradients go through rectifiers."""

    layer: int
    shown: int  # features, the first ones of the layer
    measured: int  # features; of a layer that has fewer, all
    strongest: int  # responses per feature
    rectifier: RectifierRule
    statistics_batches: int


@dataclass(frozen=True)
class Responses:
    """The strongest responses of some features: image numbers and positions, strongest first; (F, K) each."""

    images: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]


@torch.no_grad()
def strongest_responses(
    discriminator: Discriminator, batches: Iterable[Tensor], layer: int, n_features: int, n_strongest: int
) -> Responses:
    """The images with the strongest responses of the first features of a layer, an image at most once per feature.

    batches: (N, C, H, W) each. Statistics are the estimated ones, so that a response does not depend on batch mates.
    """
    peaks, places = [], []
    for batch in batches:
        maps = discriminator.activations(batch, "estimated")[layer][:, :n_features]
        width = maps.shape[3]
        peak, place = maps.flatten(2).max(dim=2)
        peaks.append(peak)
        places.append(place)
    peak, place = torch.cat(peaks).T, torch.cat(places).T
    order = torch.sort(peak, dim=1, descending=True, stable=True).indices[:, :n_strongest]
    chosen = place.gather(1, order)
    values = peak.gather(1, order)
    arrays = (order, chosen // width, chosen % width, values)
    return Responses(*(array.cpu().numpy() for array in arrays))


def guided_gradients(
    discriminator: Discriminator, x: Tensor, units: Tensor, layer: int, rule: RectifierRule, statistics: Statistics
) -> Tensor:
    """Input gradients of one unit per image: x (N, C, H, W), units (N, 3) as feature, row, column -> (N, C, H, W)."""
    x = x.detach().requires_grad_(True)
    layers = discriminator.activations(x, statistics)
    top = layers[layer]
    for activation in layers[: layer % len(layers) + 1]:
        apply_rule(activation, rule)
    feature, row, column = units.unbind(1)
    response = top[torch.arange(len(x), device=x.device), feature, row, column].sum()
    (gradient,) = torch.autograd.grad(response, x)
    return gradient


def apply_rule(activation: Tensor, rule: RectifierRule) -> None:
    """Makes the rectifier that gave `activation` let gradients through by `rule`.

    The hook sees the gradient above the rectifier; the rectifier then multiplies it by its own slope, which is 1 where
    the activation is positive, so what is left to do is to clear what the rule holds back.
    """
    if rule == "plain":
        return
    active = (activation.detach() > 0).to(activation.dtype)
    through_inactive = rule == "leaky"
    activation.register_hook(lambda g: g.clamp(min=0) if through_inactive else g.clamp(min=0) * active)


def as_pictures(gradients: Tensor) -> Images:
    """gradients: (N, C, H, W) -> (N, H, W, C) uint8, zero in mid-grey, each scaled to its own largest magnitude."""
    largest = gradients.abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-12)
    scaled = 127.5 + 127.5 * gradients / largest
    pixels: Images = scaled.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return pixels


def likeness(gradients: Tensor, images: Tensor) -> Tensor:
    """Correlation of guided gradients with the detail of the images they belong to, both averaged over colours: (N,).

    gradients, images: (N, C, H, W). Detail is what differs from the mean of its 7 x 7 surroundings. Near 0: the
    gradient is noise or a pattern of the network's own; the more a feature answers to what is there, the higher.
    """
    grey = images.double().mean(1, keepdim=True)
    surroundings = F.avg_pool2d(grey, SURROUNDINGS, 1, SURROUNDINGS // 2, count_include_pad=False)
    detail = (grey - surroundings).flatten(1)
    signal = gradients.double().mean(1).flatten(1)
    detail, signal = (x - x.mean(1, keepdim=True) for x in (detail, signal))
    lengths = (detail.norm(dim=1) * signal.norm(dim=1)).clamp(min=1e-12)
    correlations: Tensor = (detail * signal).sum(1) / lengths
    return correlations


@dataclass(frozen=True)
class Answers:
    """What some features answer to: their strongest images, (F, K, H, W, C) uint8, and guided gradients, F x K."""

    images: Images
    gradients: Tensor  # (F, K, C, H, W)

    def likeness(self, pixel_range: PixelRange) -> npt.NDArray[np.float64]:
        """How much the gradients look like the images, per feature: (F,)."""
        x = to_input(self.images.reshape(-1, *self.images.shape[2:]), pixel_range)
        correlations = likeness(self.gradients.flatten(0, 1), x).numpy()
        means: npt.NDArray[np.float64] = correlations.reshape(self.images.shape[:2]).mean(axis=1)
        return means

    def picture(self, shown: int, enlargement: int) -> Images:
        """A pair of rows per feature: guided gradients, and under them the images that they belong to."""
        rows = [
            above([tile(as_pictures(gradients), len(images), 1), tile(images, len(images), 1)], 0)
            for images, gradients in zip(self.images[:shown], self.gradients[:shown], strict=True)
        ]
        return enlarge(above(rows, 4), enlargement)


def answers(network: Discriminator, images_uint8: Images, settings: GuidedSettings) -> Answers:
    """The strongest images of each feature among all images, and their guided gradients.

    It fills the network's batch-norm statistics from the first of the images.
    """
    estimate_discriminator(network, images_uint8, settings.statistics_batches)
    n_features = max(settings.shown, settings.measured)
    found = strongest_responses(network, batches(network, images_uint8), settings.layer, n_features, settings.strongest)
    shape = found.images.shape
    features = np.repeat(np.arange(shape[0]), shape[1])
    units = torch.from_numpy(np.stack([features, found.rows.ravel(), found.columns.ravel()], axis=1))
    strongest = images_uint8[found.images.ravel()]
    device = network.device
    x = to_input(strongest, network.architecture.pixel_range).to(device)
    gradients = guided_gradients(network, x, units.to(device), settings.layer, settings.rectifier, "estimated")
    return Answers(strongest.reshape(*shape, *strongest.shape[1:]), gradients.reshape(*shape, *x.shape[1:]).cpu())
