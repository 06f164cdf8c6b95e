"""Turns an encoded image into pixels; its bytes give the format, never its name.

LSUN's archives hold JPEG and WebP side by side, photos from the web hold everything. The result is always
(H, W, 3) uint8 RGB, upright:

- grey and palette images get three channels; CMYK is converted; colour profiles are ignored, broken ones too;
- transparent pixels are laid over white;
- the EXIF orientation is applied;
- of an animation the first frame is taken.

A JPEG goes through libjpeg-turbo's own interface, which gives OpenCV's pixels in three quarters of its time; one that
may have to be turned, and plain WebP, through OpenCV; everything else through Pillow. A JPEG can be decoded at 1/2, 1/4
or 1/8 of its size, which the decoder does in the frequency domain.

Raises Undecodable with a reason for a person: cut off, empty, no image, too many pixels.
"""

import io
import struct
import warnings
from dataclasses import dataclass

import cv2
import numpy as np
import simplejpeg
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from dcgan.core.pixels import Images

# Pillow's own limit, 89 million pixels: a quarter of a gigabyte once decoded.
MAX_PIXELS = 1024 * 1024 * 1024 // 4 // 3
PILLOW_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
JPEG_START, JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
JPEG_EXIF = b"Exif\x00"  # begins the block that may ask for a turned picture
SCRATCH_BYTES = 4 << 20  # images of up to 1,100 x 1,100 pixels
STREAMED_ALIGNMENT = 32  # bytes
# A flag's bits are a scale and an order of colours; of the reduced scales OpenCV names those in BGR and in grey only.
OPENCV_FLAGS = {
    1: cv2.IMREAD_COLOR_RGB,
    2: cv2.IMREAD_COLOR_RGB | cv2.IMREAD_REDUCED_COLOR_2 & ~cv2.IMREAD_COLOR_BGR,
    4: cv2.IMREAD_COLOR_RGB | cv2.IMREAD_REDUCED_COLOR_4 & ~cv2.IMREAD_COLOR_BGR,
    8: cv2.IMREAD_COLOR_RGB | cv2.IMREAD_REDUCED_COLOR_8 & ~cv2.IMREAD_COLOR_BGR,
}


class Undecodable(Exception):
    """These bytes give no image; the message says why in a few words."""


class Scratch:
    """Memory for the pixels of one image after the other, which so stays in the processor's cache.

    libjpeg-turbo writes past the cache if rows begin at a multiple of 32 bytes, and the next step then waits for the
    memory: with photos of 256 x 256 that is a sixth of the time of decoding and resizing. So this memory begins halfway
    between two such places.
    """

    def __init__(self) -> None:
        memory = np.empty(SCRATCH_BYTES + STREAMED_ALIGNMENT, np.uint8)
        begin = (STREAMED_ALIGNMENT // 2 - memory.ctypes.data) % STREAMED_ALIGNMENT
        self.memory = memory[begin : begin + SCRATCH_BYTES]

    def room_for(self, size: int) -> Images | None:
        """The memory if `size` bytes fit in it, else None."""
        return self.memory if size <= SCRATCH_BYTES else None


@dataclass(frozen=True)
class Header:
    """What is known of a JPEG or WebP before it is decoded: its size in pixels, whether it may have to be turned."""

    width: int
    height: int
    has_exif: bool = False


def decode(encoded: bytes, enough_side: int | None = None, scratch: Scratch | None = None) -> Images:
    """The pixels of an encoded image: (H, W, 3) uint8 RGB.

    With `enough_side`, a JPEG may come back at 1/2, 1/4 or 1/8 of its size, as long as its shorter side keeps that
    many pixels. With `scratch`, the pixels may lie there; the next image overwrites them. Raises Undecodable.
    """
    if not encoded:
        raise Undecodable("empty")
    is_jpeg = encoded.startswith(JPEG_START)
    header = jpeg_header(encoded) if is_jpeg else webp_header(encoded)
    if header is not None:
        check_pixels(header.width, header.height)
        reduction = jpeg_reduction(header, enough_side) if is_jpeg else 1
        image = decode_with_turbo(encoded, header, reduction, scratch) if is_jpeg and not header.has_exif else None
        image = decode_with_opencv(encoded, reduction) if image is None else image
        if image is not None:
            return image
    return decode_with_pillow(encoded)


def check_pixels(width: int, height: int) -> None:
    """Raises Undecodable for a decompression bomb, before anything is decoded."""
    if width * height > MAX_PIXELS:
        raise Undecodable(f"too many pixels: {width} x {height}, at most {MAX_PIXELS:,} are decoded")


def jpeg_header(encoded: bytes) -> Header | None:
    """The size of a grey or coloured JPEG that ends as it should, or None for anything else.

    The decoder fills what is missing from a cut-off JPEG with grey and says nothing, so the end mark is checked here.
    """
    if encoded[:3] != JPEG_START or encoded[-64:].rstrip(b"\x00")[-2:] != JPEG_END:
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(encoded, strict=False)
    except (ValueError, KeyError):  # the latter for an unknown subsampling of colours
        return None
    return Header(width, height, JPEG_EXIF in encoded) if colours in ("Gray", "YCbCr", "RGB") else None


def webp_header(encoded: bytes) -> Header | None:
    """The size of a complete, plain lossy WebP (no alpha, no animation, no metadata), or None for anything else."""
    if encoded[:4] != b"RIFF" or encoded[8:16] != b"WEBPVP8 " or len(encoded) < 30:
        return None
    if int.from_bytes(encoded[4:8], "little") + 8 > len(encoded):
        return None
    width, height = struct.unpack_from("<HH", encoded, 26)
    return Header(width & 0x3FFF, height & 0x3FFF)


def jpeg_reduction(header: Header, enough_side: int | None) -> int:
    """The largest of 1, 2, 4, 8 by which the decoder may divide the size of this JPEG."""
    if enough_side is None:
        return 1
    shorter, factor = min(header.width, header.height), 1
    while 2 * factor in OPENCV_FLAGS and shorter // (2 * factor) >= enough_side:
        factor *= 2
    return factor


def decode_with_turbo(encoded: bytes, header: Header, reduction: int, scratch: Scratch | None = None) -> Images | None:
    """Decodes an upright JPEG to (H, W, 3) uint8; None if libjpeg-turbo complains about anything."""
    height, width = -(-header.height // reduction), -(-header.width // reduction)
    memory = scratch.room_for(height * width * 3) if scratch is not None else None
    try:
        pixels: Images = simplejpeg.decode_jpeg(encoded, "RGB", min_height=height, min_width=width, buffer=memory)
    except ValueError:
        return None
    return pixels


def decode_with_opencv(encoded: bytes, reduction: int) -> Images | None:
    """Decodes and turns upright with OpenCV; None if it cannot, so that Pillow tells the reason."""
    try:
        image = cv2.imdecode(np.frombuffer(encoded, np.uint8), OPENCV_FLAGS[reduction])
    except cv2.error:
        return None
    return None if image is None else np.asarray(image, np.uint8)


def decode_with_pillow(encoded: bytes) -> Images:
    """Decodes any of PILLOW_FORMATS; whatever hostile bytes raise in a decoder becomes Undecodable."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(encoded), formats=PILLOW_FORMATS) as image:
                check_pixels(*image.size)
                image.load()
                return to_rgb(upright(image))
    except Undecodable:
        raise
    except Image.DecompressionBombError as error:
        raise Undecodable(f"too many pixels, at most {MAX_PIXELS:,} are decoded") from error
    except UnidentifiedImageError as error:
        raise Undecodable(f"not an image ({', '.join(PILLOW_FORMATS)} are read)") from error
    except Exception as error:
        raise Undecodable(" ".join(f"{type(error).__name__}: {error}".split())) from error


def upright(image: ImageFile.ImageFile | Image.Image) -> Image.Image:
    """Applies the EXIF orientation; unreadable EXIF data count as none."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a broken EXIF block raises whatever its parser stumbles over; the pixels are fine
        return image


def to_rgb(image: Image.Image) -> Images:
    """Any Pillow mode -> (H, W, 3) uint8 RGB; transparency over white, 16-bit grey by its high byte."""
    if image.mode.startswith("I"):
        grey = np.clip(np.asarray(image).astype(np.int64) >> 8, 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, rgba)
    return np.array(image.convert("RGB"), dtype=np.uint8)
