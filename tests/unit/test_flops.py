"""Counts from the architecture against those of the networks themselves."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from dcgan.models import flops
from dcgan.models.architectures import ARCHITECTURES, Architecture
from dcgan.models.network import Network
from dcgan.models.networks import Discriminator, Generator

LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def counted(network: Network, x: Tensor) -> tuple[int, int, int]:
    """Operations, weights and values computed for one image, on a device without memory."""
    units = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal units
        units += output[0].numel()

    layers = [module for module in network.modules() if isinstance(module, LAYERS)]
    for layer in layers:
        layer.register_forward_hook(count)
    labels = torch.zeros(2, dtype=torch.long, device="meta")
    with FlopCounterMode(display=False) as counter:
        network(x, labels)
    return counter.get_total_flops() // 2, units, sum(layer.weight.numel() for layer in layers)


@pytest.mark.parametrize("a", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_the_counts_are_those_of_the_networks(a: Architecture) -> None:
    with torch.device("meta"):
        generator, z = Generator(a), torch.zeros(2, a.latent_size)
        discriminator, x = Discriminator(a), torch.zeros(2, a.channels, a.image_size, a.image_size)
    assert counted(generator, z) == flops.generator_size(a)
    seen = flops.discriminator_size(a)
    assert counted(discriminator, x) == seen._replace(units=seen.units - x[0].numel())


def test_training_counts_passes_of_both_networks() -> None:
    a = ARCHITECTURES["demo32"]
    g, d = flops.generator_size(a).flop, flops.discriminator_size(a).flop
    assert flops.training_flop(a, "both") == 3 * g + 8 * d
    assert flops.training_flop(a, "alternate") == (3 * g + 2 * d + g + 6 * d) / 2
