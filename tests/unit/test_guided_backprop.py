"""Guided backpropagation, against networks small enough to work out by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.internals.figure_layout import batches, estimate_discriminator
from dcgan.internals.guided_backprop import as_pictures, guided_gradients, likeness, strongest_responses
from dcgan.models.architectures import ARCHITECTURES
from dcgan.models.networks import Discriminator


class TwoLayers(nn.Module):
    """x -> leaky(x) -> leaky(w1 a + w2 b) over a 1x1 image of two channels: everything can be done on paper."""

    def __init__(self, weights: tuple[float, float]) -> None:
        super().__init__()
        self.weights = torch.tensor(weights).view(1, 2, 1, 1)

    def activations(self, x: Tensor, statistics: str) -> list[Tensor]:
        first = F.leaky_relu(x, 0.2)
        return [first, F.leaky_relu(F.conv2d(first, self.weights), 0.2)]


@pytest.mark.parametrize(
    ("rule", "image", "weights", "expected"),
    [
        ("plain", (1.0, 1.0), (2.0, -1.0), (2.0, -1.0)),
        ("relu", (1.0, 1.0), (2.0, -1.0), (2.0, 0.0)),  # a negative gradient is held back
        ("relu", (1.0, -1.0), (-2.0, 3.0), (0.0, 0.0)),  # the unit above is inactive
        ("relu", (1.0, -1.0), (2.0, 1.0), (2.0, 0.0)),  # the second input is inactive
        ("leaky", (1.0, -1.0), (2.0, 1.0), (2.0, 0.2)),  # ... but lets 0.2 of its gradient through
        ("plain", (1.0, -1.0), (2.0, 1.0), (2.0, 0.2)),
        ("plain", (-1.0, -1.0), (2.0, 1.0), (0.08, 0.04)),  # everything inactive: 0.2 x 0.2
        ("relu", (-1.0, -1.0), (2.0, 1.0), (0.0, 0.0)),
        ("leaky", (-1.0, -1.0), (2.0, 1.0), (0.08, 0.04)),
    ],
)
def test_rules_by_hand(
    rule: str, image: tuple[float, float], weights: tuple[float, float], expected: tuple[float, float]
) -> None:
    x = torch.tensor(image).view(1, 2, 1, 1)
    units = torch.zeros(1, 3, dtype=torch.long)
    gradient = guided_gradients(TwoLayers(weights), x, units, -1, rule, "estimated")  # type: ignore[arg-type]
    assert gradient.flatten().tolist() == pytest.approx(expected)


@pytest.fixture(scope="module")
def discriminator() -> Discriminator:
    return Discriminator(ARCHITECTURES["demo32"]).initialize(torch_generator(3, "network"))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return numpy_generator(3, "images").integers(0, 256, (300, 32, 32, 3), dtype=np.uint8)


def test_strongest_responses_are_the_largest_values_of_the_maps(
    discriminator: Discriminator, images: np.ndarray
) -> None:
    estimate_discriminator(discriminator, images, 2)
    found = strongest_responses(discriminator, batches(discriminator, images), -1, 3, 4)
    with torch.no_grad():
        maps = torch.cat([discriminator.activations(x, "estimated")[-1] for x in batches(discriminator, images)])
    for feature in range(3):
        peaks = maps[:, feature].flatten(1).max(1).values
        assert np.allclose(found.values[feature], peaks.sort(descending=True).values[:4])
        for rank in range(4):
            image, row, column = (int(part[feature, rank]) for part in (found.images, found.rows, found.columns))
            assert maps[image, feature, row, column] == found.values[feature, rank]


def test_gradients_do_not_depend_on_batch_mates(discriminator: Discriminator, images: np.ndarray) -> None:
    estimate_discriminator(discriminator, images, 2)
    x = next(iter(batches(discriminator, images)))[:4]
    units = torch.tensor([[0, 1, 1], [1, 2, 2], [2, 0, 3], [3, 3, 0]])
    together = guided_gradients(discriminator, x, units, -1, "relu", "estimated")
    alone = guided_gradients(discriminator, x[2:3], units[2:3], -1, "relu", "estimated")
    assert torch.allclose(together[2:3], alone, atol=1e-6)


def test_plain_rule_is_the_true_gradient(discriminator: Discriminator, images: np.ndarray) -> None:
    estimate_discriminator(discriminator, images, 2)
    x = next(iter(batches(discriminator, images)))[:1].clone().requires_grad_(True)
    (expected,) = torch.autograd.grad(discriminator.activations(x, "estimated")[-1][0, 5, 2, 1], x)
    plain = guided_gradients(discriminator, x, torch.tensor([[5, 2, 1]]), -1, "plain", "estimated")
    assert torch.allclose(plain, expected)


def test_pictures_have_zero_in_the_middle_and_use_the_whole_range() -> None:
    gradients = torch.zeros(2, 3, 2, 2)
    gradients[0, 0, 0, 0], gradients[0, 1, 1, 1] = 4.0, -2.0
    pictures = as_pictures(gradients)
    assert pictures[0, 0, 0].tolist() == [255, 128, 128]
    assert pictures[0, 1, 1, 1] == 64
    assert (pictures[1] == 128).all()


def test_likeness_is_high_for_the_detail_itself_and_low_for_noise() -> None:
    images = torch.rand(20, 3, 32, 32, generator=torch_generator(1, "images"))
    noise = torch.randn(20, 3, 32, 32, generator=torch_generator(1, "noise"))
    assert likeness(images, images).shape == (20,) and likeness(images, images).min() > 0.9
    assert abs(likeness(noise, images).mean()) < 0.05
    assert not likeness(torch.zeros_like(images), images).any()
