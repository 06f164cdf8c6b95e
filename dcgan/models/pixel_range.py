"""Between stored pixels (uint8, channels last) and what networks see (float32, channels first).

Networks that end in tanh see [-1, 1] (x / 127.5 - 1, section 4 of the paper), those that end in a sigmoid [0, 1].
There is no other pre-processing and no augmentation (section 4).
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dcgan.core.pixels import Images

PixelRange = Literal["tanh", "sigmoid"]
Device = torch.device | str | None


def to_input(
    images_uint8: Images | Tensor,
    pixel_range: PixelRange,
    device: Device = None,
    memory_format: torch.memory_format = torch.channels_last,
) -> Tensor:
    """images_uint8: (N, H, W, C) uint8 -> (N, C, H, W) float32 in the range of the network's output.

    The result has PyTorch's channels-last layout, as the bytes have, or another. It lies on `device`; None leaves a
    tensor where it is.
    """
    images = to_tensor(images_uint8, device).permute(0, 3, 1, 2).to(torch.float32, memory_format=memory_format)
    return images / 127.5 - 1 if pixel_range == "tanh" else images / 255


def to_rows(images_uint8: Images | Tensor, device: Device = None, dtype: torch.dtype = torch.float32) -> Tensor:
    """images_uint8: (N, H, W, C) uint8 -> (N, H * W * C) in [0, 1]: one row per image, for models without maps."""
    return to_tensor(images_uint8, device).flatten(1).to(dtype) / 255


def to_tensor(images_uint8: Images | Tensor, device: Device = None) -> Tensor:
    """The bytes as a tensor of the same shape; bytes and not floats travel to the device.

    A read-only array, such as a memory map, is copied: PyTorch warns about tensors that share one.
    """
    if isinstance(images_uint8, np.ndarray):
        images_uint8 = torch.from_numpy(np.require(images_uint8, requirements=["C", "W"]))
    return images_uint8.to(device)


def to_uint8(images: Tensor, pixel_range: PixelRange) -> Images:
    """images: (N, C, H, W) in the range of the network's output -> (N, H, W, C) uint8, rounded."""
    scaled = (images.detach().float() + 1) * 127.5 if pixel_range == "tanh" else images.detach().float() * 255
    pixels: Images = scaled.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return pixels
