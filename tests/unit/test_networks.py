"""Networks: the paper's sizes, batch-norm modes, files, and the two halves of a generator."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dcgan.core.files import InputError
from dcgan.core.seeding import torch_generator
from dcgan.models.architectures import ARCHITECTURES
from dcgan.models.batch_norm import BatchNorm, estimate_statistics
from dcgan.models.networks import Discriminator, Generator


def labels_for(name: str, n: int) -> torch.Tensor | None:
    return torch.arange(n) % 10 if ARCHITECTURES[name].classes else None


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_generator_and_discriminator_mirror_each_other(name: str) -> None:
    row, labels = ARCHITECTURES[name], labels_for(name, 3)
    generator = Generator(row).initialize(torch_generator(0, "g"))
    discriminator = Discriminator(row).initialize(torch_generator(0, "d"))
    images = generator(generator.draw_latents(3, torch_generator(0, "z")), labels)
    assert images.shape == (3, row.channels, row.image_size, row.image_size)
    assert images.abs().max() <= 1 and (row.pixel_range == "tanh" or images.min() >= 0)
    assert discriminator(images, labels).shape == (3,)


def test_parameter_counts_of_the_published_networks() -> None:
    """Weights are counted by hand from the table of the published code; a bias anywhere would change them."""
    g = 100 * 16384 + 2 * 16384 + 25 * (1024 * 512 + 512 * 256 + 256 * 128 + 128 * 3) + 2 * (512 + 256 + 128)
    d = 25 * (3 * 128 + 128 * 256 + 256 * 512 + 512 * 1024) + 2 * (256 + 512 + 1024) + 16384
    assert sum(p.numel() for p in Generator(ARCHITECTURES["lsun64"]).parameters()) == g
    assert sum(p.numel() for p in Discriminator(ARCHITECTURES["lsun64"]).parameters()) == d


def test_initial_weights_are_of_the_published_distribution() -> None:
    generator = Generator(ARCHITECTURES["lsun64"]).initialize(torch_generator(0, "g"))
    weight, gain = generator.convolutions[0].weight, generator.dense_norms[0].gain
    assert weight.std().item() == pytest.approx(0.02, rel=0.01) and weight.mean().abs() < 1e-4
    assert gain.std().item() == pytest.approx(0.02, rel=0.03) and gain.mean().item() == pytest.approx(1, abs=1e-3)
    assert not generator.dense_norms[0].bias.any()


def test_only_a_bias_lets_the_discriminator_see_contrast() -> None:
    """Without one the network is linear or leaky up to its first batch norm, which divides a batch's factor out."""
    row = replace(ARCHITECTURES["demo32"], norm_epsilon=1e-20)
    images = torch.rand(8, 3, 32, 32, generator=torch_generator(0, "images")) - 0.5
    blind = Discriminator(row).initialize(torch_generator(0, "d"))
    seeing = Discriminator(replace(row, discriminator_bias=True)).initialize(torch_generator(0, "d"))
    torch.testing.assert_close(seeing(images), blind(images))  # it begins at zero
    with torch.no_grad():
        seeing.convolutions[0].bias += 0.05
    torch.testing.assert_close(blind(images / 2), blind(images), rtol=0, atol=1e-4)
    assert (seeing(images / 2) - seeing(images)).abs().max() > 100 * (blind(images / 2) - blind(images)).abs().max()


def test_projection_is_normalized_by_unit_not_by_map() -> None:
    generator = Generator(ARCHITECTURES["demo32"]).initialize(torch_generator(0, "g"))
    assert generator.dense_norms[0].gain.shape == (128 * 4 * 4,)
    assert Generator(ARCHITECTURES["tutorial64"]).dense_norms[0].gain.shape == (512,)


def test_batch_norm_by_hand() -> None:
    norm = BatchNorm(2, affine=True, epsilon=1e-8)
    with torch.no_grad():
        norm.gain.copy_(torch.tensor([1.0, 3.0]))
        norm.bias.copy_(torch.tensor([0.0, 1.0]))
    # Column 1: mean 1, biased variance 1; column 2: mean 2, biased variance 4.
    out = norm(torch.tensor([[0.0, 0.0], [2.0, 4.0]]), "batch")
    torch.testing.assert_close(out, torch.tensor([[-1.0, -2.0], [1.0, 4.0]]))


def test_estimated_statistics_are_means_over_batches() -> None:
    """Batches (0, 2, 0, 2) and (4, 8): means 1 and 6, biased variances 1 and 4, so 3.5 and 2.5; the whole's differ."""

    class OneNorm(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = BatchNorm(1, affine=False, epsilon=1e-12)

        def forward(self, x: torch.Tensor, statistics: str) -> torch.Tensor:
            return self.norm(x, statistics)

    network = OneNorm()
    assert network(torch.ones(1, 1), "estimated").isnan().all(), "a forgotten estimation must never pass as a number"
    estimate_statistics(network, [torch.tensor([[0.0], [2.0], [0.0], [2.0]]), torch.tensor([[4.0], [8.0]])])
    assert network.norm.mean.item() == 3.5 and network.norm.variance.item() == 2.5
    assert network(torch.tensor([[3.5]]), "estimated").item() == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="at least one batch"):
        estimate_statistics(network, [])


def test_normalizing_by_estimated_statistics_by_hand() -> None:
    norm = BatchNorm(1, affine=True, epsilon=3.0)
    with torch.no_grad():
        norm.gain.fill_(2.0)
        norm.bias.fill_(1.0)
    norm.mean, norm.variance = torch.tensor([5.0]), torch.tensor([13.0])
    assert norm(torch.tensor([[9.0]]), "estimated").item() == pytest.approx(2 * (9 - 5) / (13 + 3) ** 0.5 + 1)


@pytest.mark.parametrize("batch_size", [1, 7])
def test_estimated_statistics_make_an_image_independent_of_its_batch(batch_size: int) -> None:
    row = replace(ARCHITECTURES["demo32"], name="independent")
    discriminator = Discriminator(row).initialize(torch_generator(0, "d"))
    images = torch.rand(14, 3, 32, 32, generator=torch_generator(0, "x")) * 2 - 1
    estimate_statistics(discriminator, [images])
    whole = discriminator(images, statistics="estimated")
    parts = torch.cat([discriminator(part, statistics="estimated") for part in images.split(batch_size)])
    torch.testing.assert_close(whole, parts, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(discriminator(images), torch.cat([discriminator(p) for p in images.split(7)]), atol=1e-5)


def test_a_generator_in_two_halves_is_the_whole() -> None:
    generator = Generator(ARCHITECTURES["demo32"]).initialize(torch_generator(0, "g"))
    z = generator.draw_latents(5, torch_generator(0, "z"))
    layers = len(generator.convolutions)
    for layer in range(-layers, layers):
        torch.testing.assert_close(generator.after(generator.until(z, layer), layer % layers + 1), generator(z))


def test_files_keep_architecture_weights_and_role(tmp_path: Path) -> None:
    row = replace(ARCHITECTURES["demo32"], name="my own")
    generator = Generator(row).initialize(torch_generator(0, "g"))
    generator.save(tmp_path / "g.safetensors", {"note": [1, 2]})
    opened = Generator.from_file(tmp_path / "g.safetensors")
    assert opened.architecture == row
    assert (opened.sample(4, seed=1) == generator.sample(4, seed=1)).all()
    with pytest.raises(InputError, match="expected a discriminator, found generator"):
        Discriminator.from_file(tmp_path / "g.safetensors")
    (tmp_path / "no.safetensors").write_bytes(b"\x80\x04not a network")
    with pytest.raises(InputError, match="not a readable network"):
        Generator.from_file(tmp_path / "no.safetensors")


def test_a_conditional_network_needs_labels() -> None:
    generator = Generator(ARCHITECTURES["demo_mnist28"]).initialize(torch_generator(0, "g"))
    with pytest.raises(ValueError, match="needs labels"):
        generator(generator.latents(2, seed=0))
