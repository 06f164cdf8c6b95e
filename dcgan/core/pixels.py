"""Pictures as arrays of uint8 pixels, channels last: contact sheets, enlargements and PNG files.

It does without torch, whose import takes seconds and which half of the stages with pictures do not need.
"""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from dcgan.core.files import replace_when_done

Images = npt.NDArray[np.uint8]
# Enlarged pixels repeat: without PNG's differences between neighbours they take half the bytes.
PNG_OPTIONS = (cv2.IMWRITE_PNG_COMPRESSION, 9, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE)


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


def resized(images_uint8: Images, size: int) -> Images:
    """Images at another size, (N, size, size, C) uint8: what the autoencoder sees of images of any size."""
    if images_uint8.shape[1:3] == (size, size):
        return np.array(images_uint8)
    method = cv2.INTER_AREA if size < images_uint8.shape[1] else cv2.INTER_LINEAR
    return np.stack([cv2.resize(image, (size, size), interpolation=method) for image in images_uint8]).astype(np.uint8)


def enlarge(image_uint8: Images, factor: int) -> Images:
    """Enlarges a (H, W, C) picture by a whole factor without smoothing, so that each generated pixel stays visible."""
    return np.repeat(np.repeat(image_uint8, factor, axis=0), factor, axis=1)


def png_bytes(image_uint8: Images) -> bytes:
    """A (H, W, 3) uint8 RGB picture as PNG, the same bytes for the same pixels; ValueError for any other shape."""
    ok, encoded = cv2.imencode(".png", cv2.cvtColor(image_uint8, cv2.COLOR_RGB2BGR), PNG_OPTIONS)
    if not ok:
        raise ValueError(f"a picture of shape {image_uint8.shape} cannot be encoded as PNG")
    return encoded.tobytes()


def write_png(path: Path, image_uint8: Images) -> None:
    """Writes a (H, W, 3) uint8 RGB picture as PNG."""
    content = png_bytes(image_uint8)
    with replace_when_done(path) as partial:
        partial.write_bytes(content)
