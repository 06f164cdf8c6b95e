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


def tile(images_uint8: Images, columns: int, padding: int = 2) -> Images:
    """Lays (N, H, W, C) uint8 images out in rows of `columns`; returns one (H', W', 4) uint8 picture, RGBA."""
    n, height, width, _ = images_uint8.shape
    rows = -(-n // columns)
    stride_y, stride_x = height + padding, width + padding
    sheet = ground(rows * stride_y + padding, columns * stride_x + padding)
    for index, image in enumerate(with_alpha(images_uint8)):
        top, left = (index // columns) * stride_y + padding, (index % columns) * stride_x + padding
        sheet[top : top + height, left : left + width] = image
    return sheet


def ground(height: int, width: int) -> Images:
    """What lies around images: nothing, so that a page's own colour is seen, light or dark; (H, W, 4) uint8.

    It is white for those who ignore transparency.
    """
    return np.broadcast_to(np.array([255, 255, 255, 0], np.uint8), (height, width, 4)).copy()


def with_alpha(images_uint8: Images) -> Images:
    """Grey, RGB or RGBA images, (..., C) uint8, as RGBA: (..., 4); what had no transparency is opaque."""
    if images_uint8.shape[-1] == 4:
        return images_uint8
    opaque = np.full((*images_uint8.shape[:-1], 4), 255, np.uint8)
    opaque[..., :3] = images_uint8
    return opaque


def resized(images_uint8: Images, size: int) -> Images:
    """Images at another size, (N, size, size, C) uint8: what the autoencoder sees of images of any size."""
    if images_uint8.shape[1:3] == (size, size):
        return np.array(images_uint8)
    method = cv2.INTER_AREA if size < images_uint8.shape[1] else cv2.INTER_LINEAR
    # OpenCV drops the channel of grey images.
    shrunk = [cv2.resize(image, (size, size), interpolation=method) for image in images_uint8]
    return np.stack(shrunk).astype(np.uint8).reshape(len(images_uint8), size, size, -1)


def enlarge(image_uint8: Images, factor: int) -> Images:
    """Enlarges a (H, W, C) picture by a whole factor without smoothing, so that each generated pixel stays visible."""
    return np.repeat(np.repeat(image_uint8, factor, axis=0), factor, axis=1)


def png_bytes(image_uint8: Images) -> bytes:
    """A (H, W, 3) RGB or (H, W, 4) RGBA uint8 picture as PNG, the same bytes for the same pixels.

    Raises ValueError for any other shape.
    """
    orders = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    if image_uint8.ndim != 3 or image_uint8.shape[2] not in orders:
        raise ValueError(f"a picture of shape {image_uint8.shape} cannot be encoded as PNG")
    ok, encoded = cv2.imencode(".png", cv2.cvtColor(image_uint8, orders[image_uint8.shape[2]]), PNG_OPTIONS)
    if not ok:
        raise ValueError(f"a picture of shape {image_uint8.shape} cannot be encoded as PNG")
    return encoded.tobytes()


def write_png(path: Path, image_uint8: Images) -> None:
    """Writes a (H, W, 3) RGB or (H, W, 4) RGBA uint8 picture as PNG."""
    content = png_bytes(image_uint8)
    with replace_when_done(path) as partial:
        partial.write_bytes(content)
