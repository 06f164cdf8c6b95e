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

from dcgan.core.pixels import Images
from dcgan.models.batch_norm import Statistics
from dcgan.models.networks import Discriminator

RectifierRule = Literal["relu", "leaky", "plain"]
SURROUNDINGS = 7


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
    """The images with the strongest responses of the first features of a layer, an image at most once a feature.

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
    """Input gradients of one unit an image: x (N, C, H, W), units (N, 3) as feature, row, column -> (N, C, H, W)."""
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
    keep_inactive = rule == "leaky"
    activation.register_hook(lambda g: g.clamp(min=0) if keep_inactive else g.clamp(min=0) * active)


def as_pictures(gradients: Tensor) -> Images:
    """gradients: (N, C, H, W) -> (N, H, W, C) uint8, zero in mid-grey, each scaled to its own largest magnitude."""
    largest = gradients.abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-12)
    scaled = 127.5 + 127.5 * gradients / largest
    pixels: Images = scaled.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return pixels


def likeness(gradients: Tensor, images: Tensor) -> float:
    """Mean correlation of guided gradients with the detail of the images they belong to, both averaged over colours.

    gradients, images: (N, C, H, W). Detail is what differs from the mean of its 7 x 7 surroundings. Near 0: the
    gradient is noise or a pattern of the network's own; the more a feature answers to what is there, the higher.
    """
    grey = images.double().mean(1, keepdim=True)
    surroundings = F.avg_pool2d(grey, SURROUNDINGS, 1, SURROUNDINGS // 2, count_include_pad=False)
    detail = (grey - surroundings).flatten(1)
    signal = gradients.double().mean(1).flatten(1)
    detail, signal = (x - x.mean(1, keepdim=True) for x in (detail, signal))
    lengths = (detail.norm(dim=1) * signal.norm(dim=1)).clamp(min=1e-12)
    return float(((detail * signal).sum(1) / lengths).mean())
