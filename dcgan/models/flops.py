"""Operations, weights and units of the networks, counted from their architecture: what a plan multiplies.

A layer costs 2 operations for each weight at each position where it is applied. The counts of operations are those of
`torch.utils.flop_counter` (tests/unit/test_flops.py compares them for every architecture of the table), but need no
PyTorch, whose import takes seconds. Batch norm and activations are left out: a few percent. The counts hold for
networks that follow the guidelines of section 3.
"""

from collections.abc import Sequence
from typing import NamedTuple

from dcgan.models.architectures import Architecture


class Layer(NamedTuple):
    """One layer and one image: its weights, the positions where each is applied, and the values that it computes."""

    weights: int
    positions: int
    units: int


class Size(NamedTuple):
    """A network: operations per image, values in all of its layers per image, and weights.

    Weights are without batch norm's gains and biases, which are a few thousand.
    """

    flop: int
    units: int
    weights: int


def generator_layers(a: Architecture) -> list[Layer]:
    """From the latent upwards; a fractionally strided convolution is applied at each position of its input."""
    maps, side = a.projection
    layers = dense_layers([a.latent_size, *a.generator_hidden, maps * side**2], a.classes)
    for out_maps, stride in a.generator_layers:
        weights = (maps + a.classes) * out_maps * a.kernel_size**2
        layers.append(Layer(weights, side**2, out_maps * (side * stride) ** 2))
        maps, side = out_maps, side * stride
    return layers


def discriminator_layers(a: Architecture) -> list[Layer]:
    """From the image upwards; a strided convolution is applied at each position of its output."""
    maps, side, layers = a.channels, a.image_size, []
    for out_maps, stride in a.discriminator_layers:
        side = -(-side // stride)
        layers.append(Layer((maps + a.classes) * out_maps * a.kernel_size**2, side**2, out_maps * side**2))
        maps = out_maps
    return layers + dense_layers([maps * side**2, *a.discriminator_hidden, 1], a.classes)


def dense_layers(widths: Sequence[int], classes: int) -> list[Layer]:
    """Fully connected layers of these widths, a one-hot label of `classes` values joined to the input of each."""
    return [Layer((n_in + classes) * n_out, 1, n_out) for n_in, n_out in zip(widths, widths[1:], strict=False)]


def generator_size(a: Architecture) -> Size:
    """The generator's size."""
    return size_of(generator_layers(a))


def discriminator_size(a: Architecture) -> Size:
    """The discriminator's size; the image's own values count, too."""
    size = size_of(discriminator_layers(a))
    return size._replace(units=size.units + a.channels * a.image_size**2)


def width(a: Architecture) -> int:
    """Feature maps of the generator's projected latent, or units of a wider layer before it."""
    return max([a.projection[0], *a.generator_hidden])


def size_of(layers: Sequence[Layer]) -> Size:
    """The sums over layers."""
    return Size(
        flop=sum(2 * layer.weights * layer.positions for layer in layers),
        units=sum(layer.units for layer in layers),
        weights=sum(layer.weights for layer in layers),
    )


def training_flop(a: Architecture, schedule: str) -> float:
    """Operations per training image, both networks' updates together; a backward pass costs two forward ones.

    The generator's update takes 3 passes of it and 2 of the discriminator, whose own gradients are not needed. The
    discriminator's takes one pass of the generator, and 3 of its own on real and on generated images. `both` makes both
    updates on the same generated images; `alternate`, any other value, makes one of them per image.
    """
    generator, discriminator = generator_size(a).flop, discriminator_size(a).flop
    if schedule == "both":
        return 3 * generator + 8 * discriminator
    return (4 * generator + 8 * discriminator) / 2
