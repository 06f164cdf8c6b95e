"""Every guideline of section 3 can be broken by one field: shapes, weights, gradients, and nothing else changes."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open

from dcgan.core.seeding import torch_generator
from dcgan.models.activations import activate
from dcgan.models.architectures import ARCHITECTURES, GUIDELINES, Architecture, architecture_from
from dcgan.models.batch_norm import BatchNorm, Rescaling, estimate_statistics
from dcgan.models.networks import Discriminator, Generator

# z 10 -> 8 maps of 4 x 4 -> 6 -> 3; images 16 x 16; 4 -> 5 maps of 4 x 4 -> 1.
SMALL = replace(
    ARCHITECTURES["demo32"],
    name="small",
    image_size=16,
    latent_size=10,
    projection=(8, 4),
    generator_layers=((6, 2), (3, 2)),
    discriminator_layers=((4, 2), (5, 2)),
)
# Published: projection and its gain and bias a unit; 5 x 5 kernels and a gain and a bias a hidden map; no other weight.
G_WEIGHTS = 10 * 128 + 2 * 128 + 25 * (8 * 6 + 6 * 3) + 2 * 6
D_WEIGHTS = 25 * (3 * 4 + 4 * 5) + 2 * 5 + 5 * 16
# What changes, and how many weights that adds to generator and discriminator.
BROKEN: dict[str, tuple[dict[str, object], int, int]] = {
    "published": ({}, 0, 0),
    "pooling": ({"resampling": "pooled"}, 0, 0),
    "no norm": ({"norms": "none"}, 0, 0),
    "norm everywhere": ({"norms": "all"}, 2 * 3, 2 * 4),
    "leaky generator": ({"generator_activation": "leaky_relu"}, 0, 0),
    # Every hidden layer computes twice as many channels; the layers above see as many as before.
    "maxout generator": ({"generator_activation": "maxout"}, 10 * 128 + 2 * 128 + 25 * 8 * 6 + 2 * 6, 0),
    "relu discriminator": ({"discriminator_activation": "relu"}, 0, 0),
    "maxout discriminator": ({"discriminator_activation": "maxout"}, 0, 25 * (3 * 4 + 4 * 5) + 2 * 5),
    "global pooling": ({"global_pooling": True}, 0, 5 - 5 * 16),
    "unbounded": ({"bounded": False}, 0, 0),
    "dense generator": ({"generator_hidden": (7,)}, 10 * 7 + 2 * 7 + (7 - 10) * 128, 0),
    "dense discriminator": ({"discriminator_hidden": (7,)}, 0, 80 * 7 + 2 * 7 + 7 - 80),
    "maxout and dense": (
        {"discriminator_activation": "maxout", "discriminator_hidden": (7,)},
        0,
        25 * (3 * 4 + 4 * 5) + 2 * 5 + 80 * 14 + 2 * 14 + 7 - 80,
    ),
}


def broken(name: str) -> Architecture:
    return replace(SMALL, **BROKEN[name][0])


def pair(row: Architecture) -> tuple[Generator, Discriminator]:
    generator = Generator(row).initialize(torch_generator(0, "g"))
    return generator, Discriminator(row).initialize(torch_generator(0, "d"))


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("name", BROKEN)
def test_shapes_and_weights(name: str) -> None:
    generator, discriminator = pair(broken(name))
    images = generator(generator.draw_latents(6, torch_generator(0, "z")))
    assert images.shape == (6, 3, 16, 16)
    assert discriminator(images).shape == (6,)
    assert [maps.shape[1:] for maps in discriminator.activations(images, "batch")] == [(4, 8, 8), (5, 4, 4)]
    assert (count(generator) - G_WEIGHTS, count(discriminator) - D_WEIGHTS) == BROKEN[name][1:]


@pytest.mark.parametrize("name", BROKEN)
def test_gradients_reach_every_weight(name: str) -> None:
    generator, discriminator = pair(broken(name))
    F.softplus(-discriminator(generator(generator.draw_latents(16, torch_generator(0, "z"))))).mean().backward()
    for network in (generator, discriminator):
        for key, parameter in network.named_parameters():
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, key


@pytest.mark.parametrize("name", BROKEN)
def test_halves_files_and_estimated_statistics_know_the_switch(name: str, tmp_path: Path) -> None:
    generator, discriminator = pair(broken(name))
    z = generator.draw_latents(6, torch_generator(0, "z"))
    torch.testing.assert_close(generator.after(generator.until(z, 0), 1), generator(z))
    estimate_statistics(generator, [z])
    estimate_statistics(discriminator, [generator(z)])
    # The statistics are those of this very batch.
    torch.testing.assert_close(generator(z, statistics="estimated"), generator(z), atol=1e-5, rtol=1e-4)
    generator.save(tmp_path / "g", {})
    opened = Generator.from_file(tmp_path / "g")
    assert opened.architecture == generator.architecture
    assert torch.equal(opened(z, statistics="estimated"), generator(z, statistics="estimated"))


def test_rows_of_the_table_follow_every_guideline_and_files_name_only_what_is_broken(tmp_path: Path) -> None:
    assert GUIDELINES == {
        "resampling": "strided",
        "norms": "published",
        "generator_activation": "relu",
        "discriminator_activation": "leaky_relu",
        "global_pooling": False,
        "bounded": True,
        "discriminator_bias": False,
    }
    for row in ARCHITECTURES.values():
        assert asdict(row) == GUIDELINES | row.description
    Generator(broken("pooling")).save(tmp_path / "g", {})
    with safe_open(tmp_path / "g", "pt") as file:
        kept = json.loads(file.metadata()["network"])["architecture"]
    assert {name: kept[name] for name in kept.keys() & GUIDELINES.keys()} == {"resampling": "pooled"}
    assert architecture_from(kept) == broken("pooling")


def test_without_normalization_the_same_seed_gives_the_same_weights_and_scale_matters() -> None:
    (published, _), (plain, discriminator) = pair(SMALL), pair(broken("no norm"))
    for (name, ours), (other, theirs) in zip(plain.named_parameters(), published.named_parameters(), strict=True):
        assert name == other and torch.equal(ours, theirs)
    assert not [module for module in [*plain.modules(), *discriminator.modules()] if isinstance(module, BatchNorm)]
    images = torch.rand(4, 3, 16, 16, generator=torch_generator(0, "x"))
    # Nothing in it depends on batch mates, and logits scale with images: all its parts are homogeneous.
    torch.testing.assert_close(discriminator(images)[:1], discriminator(images[:1]))
    torch.testing.assert_close(discriminator(3 * images), 3 * discriminator(images))


def test_rescaling_by_hand() -> None:
    layer = Rescaling(2, affine=True)
    with torch.no_grad():
        layer.gain.copy_(torch.tensor([2.0, -1.0]))
        layer.bias.copy_(torch.tensor([0.0, 5.0]))
    x = torch.tensor([[1.0, 1.0], [3.0, 2.0]])
    expected = torch.tensor([[2.0, 4.0], [6.0, 3.0]])
    assert torch.equal(layer(x, "batch"), expected) and torch.equal(layer(x, "estimated"), expected)
    assert torch.equal(layer(x[:, :, None, None], "batch"), expected[:, :, None, None])
    assert Rescaling(2, affine=False)(x, "batch") is x


def test_norm_everywhere_is_also_at_the_generators_output_and_the_discriminators_first_layer() -> None:
    generator, discriminator = pair(broken("norm everywhere"))
    z = generator.draw_latents(32, torch_generator(0, "z"))
    before_tanh = torch.atanh(generator(z).double().clamp(-1 + 1e-7, 1 - 1e-7))
    # Gain 1 +- 0.02, bias 0: each colour has mean 0 and deviation 1 over the batch.
    torch.testing.assert_close(before_tanh.mean((0, 2, 3)), torch.zeros(3).double(), atol=1e-3, rtol=0)
    torch.testing.assert_close(before_tanh.std((0, 2, 3)), torch.ones(3).double(), atol=0.08, rtol=0)
    images = torch.rand(8, 3, 16, 16, generator=torch_generator(0, "x"))
    torch.testing.assert_close(discriminator(5 * images), discriminator(images), atol=1e-5, rtol=1e-4)


def test_maxout_is_the_larger_of_two() -> None:
    x = torch.tensor([[1.0, -2.0, 0.0, 5.0]])
    assert activate(x, "maxout", 0.2).tolist() == [[1.0, 5.0]]
    assert activate(x, "relu", 0.2).tolist() == [[1.0, 0.0, 0.0, 5.0]]
    torch.testing.assert_close(activate(x, "leaky_relu", 0.2), torch.tensor([[1.0, -0.4, 0.0, 5.0]]))


def test_pooling_takes_maxima_and_repeats_positions() -> None:
    generator, discriminator = pair(broken("pooling"))
    images = torch.rand(2, 3, 16, 16, generator=torch_generator(0, "x"))
    weight = discriminator.convolutions[0].weight
    first = F.leaky_relu(F.conv2d(images, weight, padding=2), 0.2).view(2, 4, 8, 2, 8, 2).amax((3, 5))
    torch.testing.assert_close(discriminator.activations(images, "batch")[0], first)
    maps = torch.rand(2, 6, 8, 8, generator=torch_generator(0, "m"))
    wide = maps.repeat_interleave(2, 2).repeat_interleave(2, 3)
    expected = torch.tanh(F.conv2d(wide, generator.convolutions[1].weight, padding=2))
    torch.testing.assert_close(generator.after(maps, 1), expected)


def test_global_pooling_sees_means_and_an_unbounded_generator_leaves_the_range() -> None:
    _, discriminator = pair(broken("global pooling"))
    images = torch.rand(2, 3, 16, 16, generator=torch_generator(0, "x"))
    means = discriminator.activations(images, "batch")[-1].mean((2, 3))
    torch.testing.assert_close(discriminator(images), means @ discriminator.dense[0].weight[0])
    (bounded, _), (unbounded, _) = pair(SMALL), pair(broken("unbounded"))
    z = bounded.draw_latents(4, torch_generator(0, "z"))
    torch.testing.assert_close(torch.tanh(unbounded(z)), bounded(z))
    with torch.no_grad():
        unbounded.convolutions[-1].weight.mul_(100)
    assert unbounded(z).abs().max() > 1
    assert unbounded.sample(2, seed=0).shape == (2, 16, 16, 3)


@pytest.mark.parametrize("norms", ["none", "all"])
def test_networks_without_convolutions_and_with_labels_know_the_switches(norms: str) -> None:
    row = replace(ARCHITECTURES["demo_mnist28_dense"], norms=norms, generator_activation="maxout")
    generator, discriminator = pair(row)
    labels = torch.arange(4)
    images = generator(generator.draw_latents(4, torch_generator(0, "z")), labels)
    assert images.shape == (4, 1, 28, 28) and images.min() >= 0 and images.max() <= 1
    assert discriminator(images, labels).shape == (4,)
    assert len(generator.dense_norms) == (3 if norms == "all" else 2)


def test_norm_of_the_projection_by_map_knows_maxout() -> None:
    row = replace(SMALL, norm_projection_by_unit=False, generator_activation="maxout")
    generator, _ = pair(row)
    assert generator.dense_norms[0].gain.shape == (16,)
    assert generator(generator.draw_latents(4, torch_generator(0, "z"))).shape == (4, 3, 16, 16)


def test_what_a_network_cannot_do_is_refused() -> None:
    with pytest.raises(ValueError, match="odd kernel size, tutorial64 has 4"):
        replace(ARCHITECTURES["tutorial64"], resampling="pooled")
    with pytest.raises(ValueError, match="has no feature maps"):
        replace(ARCHITECTURES["mnist28_dense"], global_pooling=True)
