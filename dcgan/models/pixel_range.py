"""Between stored pixels (uint8, channels last) and what networks see (float32, channels first).

Networks that end in tanh see [-1, 1] (x / 127.5 - 1, section 4 of the paper), those that end in a sigmoid [0, 1].
There is no other pre-processing and no augmentation (section 4).
"""

from typing import Literal

import numpy as np
import torch

from dcgan.core.pixels import Images

PixelRange = Literal["tanh", "sigmoid"]


def to_input(images_uint8: Images | torch.Tensor, pixel_range: PixelRange) -> torch.Tensor:
    """images_uint8: (N, H, W, C) uint8 -> (N, C, H, W) float32 in the range of the network's output."""
    images = torch.as_tensor(
        np.ascontiguousarray(images_uint8) if isinstance(images_uint8, np.ndarray) else images_uint8
    )
    images = images.permute(0, 3, 1, 2).float()
    return images / 127.5 - 1 if pixel_range == "tanh" else images / 255


def to_uint8(images: torch.Tensor, pixel_range: PixelRange) -> Images:
    """images: (N, C, H, W) in the range of the network's output -> (N, H, W, C) uint8, rounded."""
    scaled = (images.detach().float() + 1) * 127.5 if pixel_range == "tanh" else images.detach().float() * 255
    pixels: Images = scaled.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return pixels
