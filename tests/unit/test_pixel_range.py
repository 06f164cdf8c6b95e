"""From stored bytes to what networks see, and back."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from dcgan.models.pixel_range import PixelRange, to_input, to_rows, to_tensor, to_uint8

EVERY_BYTE = np.arange(256, dtype=np.uint8).repeat(3).reshape(4, 8, 8, 3)


def test_the_ends_of_the_ranges() -> None:
    ends = np.array([0, 255], np.uint8).reshape(2, 1, 1, 1)
    assert to_input(ends, "tanh").flatten().tolist() == [-1, 1]
    assert to_input(ends, "sigmoid").flatten().tolist() == [0, 1]
    assert to_rows(ends, dtype=torch.float64).tolist() == [[0], [1]]


@pytest.mark.parametrize("pixel_range", ["tanh", "sigmoid"])
def test_every_byte_comes_back(pixel_range: PixelRange) -> None:
    assert np.array_equal(to_uint8(to_input(EVERY_BYTE, pixel_range), pixel_range), EVERY_BYTE)


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_go_first_in_the_channels_last_layout(channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 4, channels), np.uint8)
    x = to_input(images, "sigmoid")
    assert x.shape == (2, channels, 5, 4) and x.dtype == torch.float32
    assert x.is_contiguous(memory_format=torch.channels_last)
    assert x[1, channels - 1, 3, 2] == images[1, 3, 2, channels - 1] / np.float32(255)
    assert torch.equal(to_rows(images), x.permute(0, 2, 3, 1).flatten(1))


def test_arrays_tensors_and_memory_maps_are_alike(tmp_path: Path) -> None:
    EVERY_BYTE.tofile(tmp_path / "bytes")
    mapped = np.memmap(tmp_path / "bytes", np.uint8, "r", shape=EVERY_BYTE.shape)
    expected = to_input(EVERY_BYTE, "tanh")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for images in (torch.from_numpy(EVERY_BYTE), mapped, mapped[::-1][::-1]):
            assert torch.equal(to_input(images, "tanh", "cpu"), expected)
        assert to_tensor(mapped).dtype == torch.uint8 and to_tensor(torch.ones(1), "meta").is_meta
