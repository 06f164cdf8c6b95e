"""A generator as arrays draws what the generator draws, for every kind of network that can be trained."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dcgan.core.files import InputError
from dcgan.models.architectures import ARCHITECTURES, DEMO32, TUTORIAL64, Architecture
from dcgan.models.folded import draw_folded, fold, folded_bytes
from dcgan.models.networks import Generator
from dcgan.models.pixel_range import to_uint8

NARROW = replace(DEMO32, name="narrow", projection=(16, 4), generator_layers=((12, 2), (8, 2), (3, 2)))
KINDS = {
    "strides of 1": ARCHITECTURES["demo_imagenet32"],
    "classes": ARCHITECTURES["demo_mnist28"],
    "dense only": ARCHITECTURES["demo_mnist28_dense"],
    "even kernel, norm of maps": replace(TUTORIAL64, projection=(16, 4), generator_layers=((16, 2), (8, 2), (3, 2))),
    "published": NARROW,
    "dense layers": replace(NARROW, generator_hidden=(24,)),
    "no norm": replace(NARROW, norms="none"),
    "norm everywhere": replace(NARROW, norms="all"),
    "no gain": replace(NARROW, norm_affine=False),
    "leaky": replace(NARROW, generator_activation="leaky_relu"),
    "unbounded": replace(NARROW, bounded=False),
}


def generator_of(architecture: Architecture, batches: int = 2) -> Generator:
    """One with random weights whose pictures use all grey levels, and whose gains and biases differ."""
    random = torch.Generator().manual_seed(1)
    generator = Generator(architecture).initialize(random)
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if name.endswith(("bias", "gain")):
                parameter.add_(torch.randn(parameter.shape, generator=random) * 0.3)
        last = [*generator.dense, *generator.convolutions][-1]
        last.weight.mul_(10)
    if batches:
        generator.estimate(batches, random)
    return generator


@pytest.mark.parametrize("kind", KINDS)
def test_folded_weights_draw_the_same_pictures(kind: str) -> None:
    generator = generator_of(KINDS[kind])
    a = generator.architecture
    z, labels = generator.draw_latents(24, torch.Generator().manual_seed(2)), torch.arange(24) % max(a.classes, 1)
    with torch.no_grad():
        own = to_uint8(generator(z, labels if a.classes else None, "estimated"), a.pixel_range).astype(int)
    folded = draw_folded(fold(generator), generator, z, F.one_hot(labels, a.classes).float() if a.classes else None)
    assert own.shape == folded.shape and own.std() > 10
    assert np.abs(own - folded).max() <= 2 and np.abs(own - folded).mean() < 0.05


def test_size_is_that_of_the_weights() -> None:
    generator = generator_of(KINDS["classes"])
    assert folded_bytes(generator) == sum(layer.weights.nbytes for layer in fold(generator))


def test_what_cannot_be_folded_is_refused() -> None:
    for change in ({"resampling": "pooled"}, {"generator_activation": "maxout"}):
        with pytest.raises(InputError, match="narrow: only fractionally strided convolutions"):
            fold(Generator(replace(NARROW, **change)))
    with pytest.raises(InputError, match="statistics are not estimated"):
        fold(generator_of(NARROW, batches=0))
    generator = generator_of(NARROW)
    with torch.no_grad():
        generator.convolutions[-1].weight[0, 0, 0, 0] = 1e6
    with pytest.raises(InputError, match="do not fit into float16"):
        fold(generator)


def test_statistics_of_a_conditional_network_are_of_all_classes() -> None:
    """With labels of one class only, the picture of another would be normalized by numbers that are not its own."""
    generator = generator_of(KINDS["classes"], batches=0)
    with torch.no_grad():
        for layer in generator.dense:  # what a class adds to a unit is much, and different for each
            layer.weight[:, -10:] *= 50
    random = torch.Generator().manual_seed(3)
    generator.estimate(4, random)
    z, labels = generator.draw_latents(640, random), torch.arange(640) % 10
    x = generator.dense[0](torch.cat([z, F.one_hot(labels, 10).float()], 1)).double()
    assert torch.allclose(generator.dense_norms[0].variance.double(), x.var(0, correction=0), rtol=0.1)
