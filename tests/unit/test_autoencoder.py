"""The autoencoder: what it learns, what a code means, and that codes do not depend on how images are batched."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dcgan.core.files import InputError
from dcgan.core.seeding import torch_generator
from dcgan.dedup import autoencoder as module
from dcgan.dedup.autoencoder import Autoencoder, AutoencoderTraining, passes

IMAGES = np.random.default_rng(0).integers(0, 256, (120, 8, 8, 3), dtype=np.uint8)


def make(normalise: bool = False, code_size: int = 16) -> Autoencoder:
    autoencoder = Autoencoder((8, 8, 3), code_size, normalise)
    autoencoder.initialize(torch_generator(1, "weights"))
    return autoencoder


def train(autoencoder: Autoencoder, epochs: int, noise: float = 0.1, dropout: float = 0.1) -> list[float]:
    training = AutoencoderTraining(autoencoder, noise=noise, dropout=dropout, learning_rate=0.003, seed=5)
    return [training.epoch(lambda n: IMAGES[n], np.arange(100), 20, number, 5) for number in range(epochs)]


def test_the_paper_s_shape() -> None:
    autoencoder = Autoencoder((32, 32, 3), 128, normalise=False)
    assert [tuple(weights.shape) for weights in autoencoder.parameters()] == [(128, 3072), (128,), (3072, 128), (3072,)]


def test_bits_say_which_units_are_above_zero() -> None:
    autoencoder = make()
    with torch.no_grad():
        expected = autoencoder.encoder(torch.from_numpy(IMAGES).flatten(1).double().float() / 255 - 0.5) > 0
    assert np.array_equal(np.unpackbits(autoencoder.encode(IMAGES), axis=1), expected.numpy())


def test_codes_do_not_depend_on_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    autoencoder = make()
    whole = autoencoder.encode(IMAGES)
    assert whole.shape == (120, 2) and autoencoder.encoder.weight.dtype == torch.float32
    for size in (1, 7, 64):
        monkeypatch.setattr(module, "ENCODED_AT_ONCE", size)
        assert np.array_equal(autoencoder.encode(IMAGES), whole)
    assert autoencoder.encode(IMAGES[:0]).shape == (0, 2)


def test_training_lowers_the_error_and_is_the_same_every_time() -> None:
    first, second = make(), make()
    losses = train(first, 12)
    assert losses[-1] < 0.8 * losses[0]
    assert train(second, 12) == losses
    assert np.array_equal(first.encode(IMAGES), second.encode(IMAGES))


def test_training_is_as_long_for_few_images_as_for_many() -> None:
    """Codes of a set that is passed over as often but is smaller are coarser, and different rooms fall together."""
    assert list(passes(100, 12, 20)) == [5, 5, 2]
    assert list(passes(30, 12, 20)) == [2] * 6
    assert list(passes(10_000, 12, 20)) == [12]
    whole, cut = (AutoencoderTraining(make(), noise=0.1, dropout=0.1, learning_rate=0.003, seed=5) for _ in range(2))
    seen: list[int] = []
    cut.epoch(lambda n: IMAGES[seen.extend(n) or n], np.arange(100), 20, 1, 2)
    assert len(set(seen)) == len(seen) == 40
    whole.epoch(lambda n: IMAGES[n], np.arange(100), 20, 1, 5)
    assert not torch.equal(whole.autoencoder.encoder.weight, cut.autoencoder.encoder.weight)


def test_noise_and_dropout_are_in_training_only() -> None:
    autoencoder = make()
    x = autoencoder.input(IMAGES)
    plain = autoencoder.decoder(autoencoder.code(x))
    generator = torch_generator(1, "noise")
    assert torch.equal(autoencoder.denoise(x, 0.0, 0.0, generator), plain)
    assert not torch.allclose(autoencoder.denoise(x, 0.1, 0.0, generator), plain)
    assert not torch.allclose(autoencoder.denoise(x, 0.0, 0.5, generator), plain)


def test_normalised_codes_do_not_see_brightness_and_contrast() -> None:
    images = np.random.default_rng(1).integers(60, 180, (50, 8, 8, 3), dtype=np.uint8)
    changed = (images * 1.2 + 15).round().astype(np.uint8)
    normalised, plain = make(normalise=True), make(normalise=False)
    assert np.bitwise_count(normalised.encode(images) ^ normalised.encode(changed)).sum() <= 5
    assert np.bitwise_count(plain.encode(images) ^ plain.encode(changed)).sum() > 50


def test_an_even_image_is_not_blown_up() -> None:
    flat = np.full((1, 8, 8, 3), 77, np.uint8)
    assert make(normalise=True).input(flat).abs().max() < 1e-4
    flat[0, 0, 0, 0] = 78
    assert make(normalise=True).input(flat).abs().max() < 0.06


def test_it_survives_a_file(tmp_path: Path) -> None:
    autoencoder = make(normalise=True)
    autoencoder.save(tmp_path / "a.safetensors")
    autoencoder.save(tmp_path / "b.safetensors")
    loaded = Autoencoder.from_file(tmp_path / "a.safetensors")
    assert loaded.normalise and loaded.image_shape == (8, 8, 3)
    assert np.array_equal(loaded.encode(IMAGES), autoencoder.encode(IMAGES))
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


@pytest.mark.parametrize("content", [b"", b"text" * 50, b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_another_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=r"a.safetensors: not a readable autoencoder") as refusal:
        Autoencoder.from_file(tmp_path / "a.safetensors")
    assert "\n" not in str(refusal.value)
