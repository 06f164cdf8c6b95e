"""Turns an encoded image into pixels; its bytes give the format, never its name.

LSUN's archives hold JPEG and WebP side by side, photos from the web hold everything. The result is always
(H, W, 3) uint8 RGB, upright:

- grey and palette images get three channels; CMYK is converted; colour profiles are ignored, broken ones too;
- transparent pixels are laid over white;
- the orientation of EXIF, or else of XMP, is applied;
- of an animation the first frame is taken.

A JPEG goes through libjpeg-turbo's own interface, which gives OpenCV's pixels in three quarters of its time; plain WebP
through OpenCV; everything else through Pillow. A JPEG can be decoded at 1/2, 1/4 or 1/8 of its size, which the decoder
does in the frequency domain. A JPEG that libjpeg-turbo complains about is refused: other decoders fill what is missing
with grey and say nothing. So are one without all its scans, and a PNG without all its rows.

Raises Undecodable with a reason for a person: cut off, empty, no image, too many pixels.
"""

import io
import re
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import simplejpeg
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from dcgan.core.pixels import Images
from dcgan.data.jpeg_scans import lacks_scans
from dcgan.data.png_rows import lacks_rows
from dcgan.data.resizing import Reduced, reduction, whole

# Pillow's own limit, 89 million pixels: a quarter of a gigabyte once decoded.
MAX_PIXELS = 1024 * 1024 * 1024 // 4 // 3
PILLOW_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
JPEG_START = b"\xff\xd8\xff"
STARTS = (JPEG_START, b"\x89PNG\r\n\x1a\n", b"RIFF", b"GIF8", b"BM")  # of files in these formats
LONGEST_START = 8
APP1, START_OF_SCAN = b"\xff\xe1", b"\xff\xda"  # of a block of EXIF or XMP, and of the pixels
ORIENTATION = 0x0112  # EXIF's number of the field
XMP_ORIENTATION = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*([1-8])\s*["'<]""")
MAX_JPEG_REDUCTION = 8
PNG_DEPTH, PNG_GREY, PNG_RGB = 24, 0, 2  # the place of a PNG's bit depth, before its kind of colours; two kinds
CUT_OFF = "image file is truncated"
SCRATCH_BYTES = 4 << 20  # images of up to 1,100 x 1,100 pixels
STREAMED_ALIGNMENT = 32  # bytes


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
    """What is known of a JPEG or WebP before it is decoded: its size in pixels, and its colours if it is a JPEG."""

    width: int
    height: int
    colours: str = ""


def decode(encoded: bytes, scratch: Scratch | None = None) -> Images:
    """The pixels of an encoded image: (H, W, 3) uint8 RGB.

    With `scratch`, the pixels may lie there; the next image overwrites them. Raises Undecodable.
    """
    return decode_reduced(encoded, None, scratch).pixels


def decode_reduced(encoded: bytes, enough_side: int | None, scratch: Scratch | None = None) -> Reduced:
    """The same; with `enough_side`, a JPEG may come back at 1/2, 1/4 or 1/8 of its size.

    Its shorter side keeps at least that many pixels.
    """
    if not encoded:
        raise Undecodable("empty")
    if encoded.startswith(JPEG_START):
        return decode_jpeg(encoded, jpeg_header(encoded), enough_side, scratch)
    header = webp_header(encoded)
    if header is not None:
        check_pixels(header.width, header.height)
        image = decode_with_opencv(encoded)
        if image is not None:
            return whole(image)
    return whole(decode_with_pillow(encoded))


def decode_jpeg(encoded: bytes, header: Header, enough_side: int | None, scratch: Scratch | None) -> Reduced:
    """A JPEG, upright; raises Undecodable if anything of it is missing."""
    check_pixels(header.width, header.height)
    if header.colours not in ("Gray", "YCbCr", "RGB"):
        decode_with_turbo(encoded, header, 1, "CMYK")  # nothing is missing; its colours are Pillow's business
        return whole(decode_with_pillow(encoded))
    turn = orientation(encoded) if may_turn(encoded) else 1
    factor = min(reduction(header.height, header.width, enough_side), MAX_JPEG_REDUCTION)
    if turn != 1 and (header.height % factor or header.width % factor):
        factor = 1  # turned, the incomplete last row or column would come first
    pixels = decode_with_turbo(encoded, header, factor, "RGB", scratch)
    sides = (header.height, header.width) if turn < FIRST_SIDEWAYS else (header.width, header.height)
    return Reduced(TURNS[turn](pixels), *sides, factor)


def check_pixels(width: int, height: int) -> None:
    """Raises Undecodable for a decompression bomb, before anything is decoded."""
    if width * height > MAX_PIXELS:
        raise Undecodable(f"too many pixels: {width} x {height}, at most {MAX_PIXELS:,} are decoded")


def jpeg_header(encoded: bytes) -> Header:
    """The size and colours of a JPEG; raises Undecodable if there are none."""
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(encoded, strict=False)
    except (ValueError, KeyError) as error:  # the latter for an unknown subsampling of colours
        raise jpeg_problem(error) from error
    return Header(width, height, colours)


def jpeg_problem(error: Exception) -> Undecodable:
    """What libjpeg-turbo complains about."""
    words = "unusual subsampling" if isinstance(error, KeyError) else " ".join(str(error).split())
    return Undecodable(CUT_OFF if "premature end" in words.lower() else f"damaged JPEG: {words}")


def webp_header(encoded: bytes) -> Header | None:
    """The size of a complete, plain lossy WebP (no alpha, no animation, no metadata), or None for anything else."""
    if encoded[:4] != b"RIFF" or encoded[8:16] != b"WEBPVP8 " or len(encoded) < 30:
        return None
    if int.from_bytes(encoded[4:8], "little") + 8 > len(encoded):
        return None
    width, height = struct.unpack_from("<HH", encoded, 26)
    return Header(width & 0x3FFF, height & 0x3FFF)


def decode_with_turbo(
    encoded: bytes, header: Header, factor: int, colours: str, scratch: Scratch | None = None
) -> Images:
    """Decodes a JPEG at 1 / factor to (H, W, C) uint8; raises Undecodable if libjpeg-turbo complains about anything."""
    height, width = -(-header.height // factor), -(-header.width // factor)
    memory = scratch.room_for(height * width * 3) if scratch is not None else None
    try:
        pixels: Images = simplejpeg.decode_jpeg(encoded, colours, min_height=height, min_width=width, buffer=memory)
        lacking = lacks_scans(encoded)
    except (ValueError, IndexError) as error:  # the latter for headers that only the decoder makes sense of
        raise jpeg_problem(error) from error
    if lacking:
        raise Undecodable(CUT_OFF)
    return pixels


def may_turn(encoded: bytes) -> bool:
    """Whether a JPEG has a block of EXIF or XMP, either of which may ask for a turned picture."""
    at = 2
    while (marker := encoded[at : at + 2])[:1] == b"\xff" and marker not in (APP1, START_OF_SCAN):
        at += 2 + int.from_bytes(encoded[at + 2 : at + 4], "big")
    return marker != START_OF_SCAN


def orientation(encoded: bytes) -> int:
    """How a JPEG has to be turned, 1 to 8: EXIF's number, or XMP's if EXIF has none; 1 if neither can be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(encoded), formats=["JPEG"]) as image:
                return orientation_of(image)
    except Exception:  # a broken EXIF block raises whatever its parser stumbles over; the pixels are fine
        return 1


def orientation_of(image: Image.Image) -> int:
    """The same of an opened image of any form; Pillow knows XMP's attribute in double quotes without blanks only."""
    turn = image.getexif().get(ORIENTATION)
    if turn is None and (found := XMP_ORIENTATION.search(as_bytes(image.info.get("xmp", b"")))):
        turn = int(found[1])
    return turn if turn in TURNS else 1


def as_bytes(text: str | bytes) -> bytes:
    """XMP, which Pillow gives as the one or the other by the form of the image."""
    return text.encode() if isinstance(text, str) else text


# What makes a picture upright, by EXIF's number; from 5 on it also gets the other side's width.
TURNS: dict[int, Callable[[Images], Images]] = {
    1: lambda pixels: pixels,
    2: lambda pixels: np.ascontiguousarray(pixels[:, ::-1]),
    3: lambda pixels: np.ascontiguousarray(pixels[::-1, ::-1]),
    4: lambda pixels: np.ascontiguousarray(pixels[::-1]),
    5: lambda pixels: np.ascontiguousarray(pixels.transpose(1, 0, 2)),
    6: lambda pixels: np.ascontiguousarray(pixels[::-1].transpose(1, 0, 2)),
    7: lambda pixels: np.ascontiguousarray(pixels[::-1, ::-1].transpose(1, 0, 2)),
    8: lambda pixels: np.ascontiguousarray(pixels[:, ::-1].transpose(1, 0, 2)),
}
FIRST_SIDEWAYS = 5


def decode_with_opencv(encoded: bytes) -> Images | None:
    """Decodes plain WebP with OpenCV; None if it cannot, so that Pillow tells the reason."""
    try:
        image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR_RGB)
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
                if image.format == "PNG" and lacks_rows(image, encoded):
                    raise Undecodable(CUT_OFF)
                scale_transparency(image, encoded)
                return to_rgb(upright(image))
    except Undecodable:
        raise
    except Image.DecompressionBombError as error:
        raise Undecodable(f"too many pixels, at most {MAX_PIXELS:,} are decoded") from error
    except UnidentifiedImageError as error:
        raise Undecodable(f"not an image ({', '.join(PILLOW_FORMATS)} are read)") from error
    except Exception as error:
        raise Undecodable(" ".join(f"{type(error).__name__}: {error}".split())) from error


def scale_transparency(image: Image.Image, encoded: bytes) -> None:
    """Brings the transparent grey of a PNG from its depth to that of the pixels, which Pillow does for one bit only.

    Raises Undecodable for a transparent colour of 16 bits, because Pillow keeps the high bytes of colours only.
    """
    if image.format != "PNG" or not isinstance(image.info.get("transparency"), int | tuple):
        return
    depth, colours = encoded[PNG_DEPTH : PNG_DEPTH + 2]
    if colours == PNG_RGB and depth == 16:
        raise Undecodable("a PNG with a transparent colour of 16 bits")
    if colours == PNG_GREY and depth in (2, 4):
        image.info["transparency"] *= 255 // (2**depth - 1)


def upright(image: ImageFile.ImageFile | Image.Image) -> Image.Image:
    """Applies the orientation of EXIF or XMP; unreadable EXIF data count as none."""
    try:
        image.getexif()[ORIENTATION] = orientation_of(image)
        return ImageOps.exif_transpose(image)
    except Exception:  # a broken EXIF block raises whatever its parser stumbles over; the pixels are fine
        return image


def to_rgb(image: Image.Image) -> Images:
    """Any Pillow mode -> (H, W, 3) uint8 RGB; transparency over white, 16-bit grey by its high byte."""
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        grey = np.clip(values >> 8, 0, 255).astype(np.uint8)
        grey[values == image.info.get("transparency", -1)] = 255
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, rgba)
    return np.array(image.convert("RGB"), dtype=np.uint8)
