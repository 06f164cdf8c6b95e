"""A generator as a list of arrays, for programs without PyTorch: batch norm is folded into the weights, in float16.

Inputs: a generator whose batch-norm statistics have been estimated. With these, batch norm multiplies each map or unit
by a constant and adds another, so that both go into the weights of the layer below it and into a bias.
Outputs: layers in order, channels last: dense ones first, then fractionally strided convolutions. A conditional layer
has a row of weights per class behind those of its inputs. `draw_folded` is what such a program has to compute.
Published: none. Differs: weights have 11 bits; pixels of the demo's networks change by at most one grey level.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dcgan.core.files import InputError
from dcgan.core.pixels import Images
from dcgan.models.batch_norm import BatchNorm, Rescaling
from dcgan.models.networks import Generator
from dcgan.models.pixel_range import to_uint8

Halves = npt.NDArray[np.float16]
BYTES_OF_A_WEIGHT = 2


@dataclass(frozen=True)
class FoldedLayer:
    """Weights (inputs, outputs) of a dense layer or (inputs, kernel, kernel, outputs) of a convolution, and a bias.

    The outputs of the last dense layer are feature maps, (side, side, maps). `stride` is 0 for a dense layer.
    """

    weights: Halves
    bias: Halves
    stride: int
    activation: str  # relu | leaky_relu | tanh | sigmoid | none

    @property
    def description(self) -> dict[str, Any]:
        """What a program needs beside the numbers."""
        return {"shape": list(self.weights.shape), "stride": self.stride, "activation": self.activation}


def folded_bytes(generator: Generator) -> int:
    """Bytes of a generator's weights in float16, without its few biases."""
    layers = [*generator.dense, *generator.convolutions]
    return BYTES_OF_A_WEIGHT * sum(weights_of(layer).numel() for layer in layers)


def fold(generator: Generator) -> list[FoldedLayer]:
    """The layers of a generator; raises InputError if it has kinds of layers, or numbers, that they cannot hold."""
    a = generator.architecture
    if a.resampling != "strided" or a.generator_activation == "maxout":
        raise InputError(f"{a.name}: only fractionally strided convolutions with ReLU or leaky ReLU can be folded")
    finishes = activations_of(generator)
    layers = [
        folded(weights_of(layer).T, norm_of(generator.dense_norms, index), 0, next(finishes))
        for index, layer in enumerate(generator.dense)
    ]
    layers[-1] = maps_last(layers[-1], a.projection)
    layers += [
        folded(weights_of(layer).permute(0, 2, 3, 1), norm_of(generator.norms, index), stride, next(finishes))
        for index, (layer, (_, stride)) in enumerate(zip(generator.convolutions, a.generator_layers, strict=True))
    ]
    if not all(np.isfinite(array).all() for layer in layers for array in (layer.weights, layer.bias)):
        raise InputError(f"{a.name}: the weights do not fit into float16, or batch-norm statistics are not estimated")
    return layers


def weights_of(layer: nn.Module) -> Tensor:
    """The weights of a dense or convolutional layer, of PyTorch's shape."""
    return cast(Tensor, layer.weight)


def norm_of(norms: nn.ModuleList, index: int) -> nn.Module | None:
    """The norm behind a layer, if any."""
    return norms[index] if index < len(norms) else None


def activations_of(generator: Generator) -> Iterator[str]:
    """The non-linearity behind each layer, from z upwards."""
    a = generator.architecture
    yield from [a.generator_activation] * (len(generator.dense) + len(generator.convolutions) - 1)
    yield a.pixel_range if a.bounded else "none"


@torch.no_grad()
def folded(weights: Tensor, norm: nn.Module | None, stride: int, activation: str) -> FoldedLayer:
    """A layer of weights (inputs, ..., outputs) with the norm behind it folded in."""
    scale, shift = rescaling(norm)
    repeats = weights.shape[-1] // max(len(scale), 1)  # a norm of maps behind a dense layer: its units are side * side
    scale, shift = scale.repeat_interleave(repeats), shift.repeat_interleave(repeats)
    with np.errstate(over="ignore"):  # what is too large becomes infinite, which `fold` refuses
        return FoldedLayer(half(weights.double() * scale), half(shift), stride, activation)


def rescaling(norm: nn.Module | None) -> tuple[Tensor, Tensor]:
    """What a norm multiplies by and adds, (C,) float64 each; of no norm (1,): one and zero."""
    one, zero = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    if not isinstance(norm, BatchNorm | Rescaling):
        return one, zero
    gain = one if norm.gain is None else norm.gain.double()
    bias = zero if norm.bias is None else norm.bias.double()
    if isinstance(norm, Rescaling):
        return gain, bias
    scale = gain / (norm.variance.double() + norm.epsilon).sqrt()
    return scale, bias - norm.mean.double() * scale


def half(values: Tensor) -> Halves:
    """Numbers in float16, on the CPU."""
    rounded: Halves = values.detach().cpu().numpy().astype(np.float16)
    return rounded


def maps_last(layer: FoldedLayer, projection: tuple[int, int]) -> FoldedLayer:
    """A dense layer whose outputs are maps, (maps, side, side), with outputs in the order (side, side, maps)."""
    maps, side = projection
    order = np.arange(maps * side * side).reshape(maps, side * side).T.ravel()
    return FoldedLayer(layer.weights[:, order], layer.bias[order], layer.stride, layer.activation)


def draw_folded(layers: list[FoldedLayer], generator: Generator, z: Tensor, labels: Tensor | None = None) -> Images:
    """Images of z, (N, latent_size), and, of a conditional network, labels (N, classes): (N, H, W, C) uint8.

    The generator only tells sizes. Labels need not be one-hot.
    """
    a = generator.architecture
    x = z
    for index, layer in enumerate(layers):
        weights = torch.from_numpy(layer.weights).float()
        if layer.stride:
            x = stretched(x, weights, layer.stride, labels)
        else:
            x = (x if labels is None else torch.cat([x, labels], 1)) @ weights
        x = x + torch.from_numpy(layer.bias).float()
        x = activated(x, layer.activation, a.leak)
        if index == len(generator.dense) - 1:
            x = x.view(len(z), a.projection[1], a.projection[1], a.projection[0])
    return to_uint8(x.permute(0, 3, 1, 2), a.pixel_range)


def stretched(x: Tensor, weights: Tensor, stride: int, labels: Tensor | None) -> Tensor:
    """A fractionally strided convolution: (N, H, W, inputs) -> (N, H * stride, W * stride, outputs)."""
    if labels is not None:
        x = torch.cat([x, labels[:, None, None].expand(-1, *x.shape[1:3], -1)], 3)
    size = weights.shape[1]
    further = stride - 1 if size % 2 else 0
    made = F.conv_transpose2d(
        x.permute(0, 3, 1, 2), weights.permute(0, 3, 1, 2), None, stride, (size - 1) // 2, further
    )
    return made.permute(0, 2, 3, 1)


def activated(x: Tensor, activation: str, leak: float) -> Tensor:
    """The non-linearity of a name."""
    if activation == "leaky_relu":
        return F.leaky_relu(x, leak)
    if activation == "none":
        return x
    return {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}[activation](x)
