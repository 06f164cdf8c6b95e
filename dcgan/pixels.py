"""Between stored pixels (uint8, channels last) and what networks see (float32, channels first), and pictures.

Networks that end in tanh see [-1, 1] (x / 127.5 - 1, section 4 of the paper), those that end in a sigmoid [0, 1].
There is no other pre-processing and no augmentation (section 4).
"""

from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
import torch

from dcgan.files import replace_when_done

PixelRange = Literal["tanh", "sigmoid"]
Images = npt.NDArray[np.uint8]
# Enlarged pixels repeat: without PNG's differences between neighbours they take half the bytes.
PNG_OPTIONS = (cv2.IMWRITE_PNG_COMPRESSION, 9, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE)


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


def tile(images_uint8: Images, columns: int, padding: int = 2, background: int = 255) -> Images:
    """Lays (N, H, W, C) uint8 images out in rows of `columns`; returns one (H', W', 3) uint8 picture."""
    n, height, width, channels = images_uint8.shape
    rows = -(-n // columns)
    stride_y, stride_x = height + padding, width + padding
    sheet = np.full((rows * stride_y + padding, columns * stride_x + padding, 3), background, np.uint8)
    for index, image in enumerate(images_uint8):
        top, left = (index // columns) * stride_y + padding, (index % columns) * stride_x + padding
        sheet[top : top + height, left : left + width] = image if channels == 3 else np.repeat(image, 3, axis=2)
    return sheet


def enlarge(image_uint8: Images, factor: int) -> Images:
    """Enlarges a picture by a whole factor without smoothing, so that every generated pixel stays visible."""
    return np.repeat(np.repeat(image_uint8, factor, axis=0), factor, axis=1)


def png_bytes(image_uint8: Images) -> bytes:
    """A (H, W, 3) uint8 RGB picture as PNG, the same bytes for the same pixels."""
    ok, encoded = cv2.imencode(".png", cv2.cvtColor(image_uint8, cv2.COLOR_RGB2BGR), PNG_OPTIONS)
    if not ok:
        raise ValueError(f"a picture of shape {image_uint8.shape} cannot be encoded as PNG")
    return encoded.tobytes()


def write_png(path: Path, image_uint8: Images) -> None:
    """Writes a (H, W, 3) uint8 RGB picture as PNG."""
    content = png_bytes(image_uint8)
    with replace_when_done(path) as partial:
        partial.write_bytes(content)
