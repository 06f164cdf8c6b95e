"""Operations, weights and units of the networks, counted from their architecture: what a plan multiplies.

A layer costs 2 operations for each weight at each position that it is applied to. Batch norm, activations and the
labels that a conditional network joins to its inputs are left out: a few percent.
"""

from dcgan.models.architectures import Architecture


def generator_flop(a: Architecture) -> float:
    """Operations of one image drawn."""
    maps, side = a.projection
    widths = [a.latent_size, *a.generator_hidden, maps * side**2]
    total = dense(widths)
    for out_maps, stride in a.generator_layers:
        total += 2 * side**2 * maps * out_maps * a.kernel_size**2
        maps, side = out_maps, side * stride
    return total


def discriminator_flop(a: Architecture) -> float:
    """Operations of one image judged."""
    maps, side, total = a.channels, a.image_size, 0.0
    for out_maps, stride in a.discriminator_layers:
        side = -(-side // stride)
        total += 2 * side**2 * maps * out_maps * a.kernel_size**2
        maps = out_maps
    return total + dense([maps * side**2, *a.discriminator_hidden, 1])


def generator_weights(a: Architecture) -> float:
    """Weights of all layers; gains and biases, a few thousand, are left out."""
    maps, side = a.projection
    total = dense([a.latent_size, *a.generator_hidden, maps * side**2]) / 2
    for out_maps, _ in a.generator_layers:
        total += maps * out_maps * a.kernel_size**2
        maps = out_maps
    return total


def discriminator_weights(a: Architecture) -> float:
    """The same of the discriminator."""
    maps, side, total = a.channels, a.image_size, 0.0
    for out_maps, stride in a.discriminator_layers:
        side = -(-side // stride)
        total += maps * out_maps * a.kernel_size**2
        maps = out_maps
    return total + dense([maps * side**2, *a.discriminator_hidden, 1]) / 2


def generator_units(a: Architecture) -> float:
    """Values in all layers for one image."""
    maps, side = a.projection
    total = sum(a.generator_hidden) + maps * side**2
    for out_maps, stride in a.generator_layers:
        side *= stride
        total += out_maps * side**2
    return float(total)


def discriminator_units(a: Architecture) -> float:
    """The same of the discriminator."""
    side, total = a.image_size, a.channels * a.image_size**2 + sum(a.discriminator_hidden)
    for out_maps, stride in a.discriminator_layers:
        side = -(-side // stride)
        total += out_maps * side**2
    return float(total)


def training_flop(a: Architecture, schedule: str) -> float:
    """Operations of one training image, both networks' updates together; a backward pass costs two forward ones.

    The generator's update: 3 passes of it and 2 of the discriminator, whose own gradients are not needed; the
    discriminator's: one pass of the generator, and 3 of its own on real and on generated images. `alternate` does one
    of them for each image, `both` does both, on the same generated images.
    """
    if schedule == "both":
        return 3 * generator_flop(a) + 8 * discriminator_flop(a)
    return (4 * generator_flop(a) + 8 * discriminator_flop(a)) / 2


def dense(widths: list[int]) -> float:
    """Operations of fully connected layers of these widths."""
    return float(sum(2 * before * after for before, after in zip(widths, widths[1:], strict=False)))
