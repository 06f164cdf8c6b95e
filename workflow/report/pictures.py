"""Pictures inside a page: PNG files as data URIs, as they are or, if the page would be too large, as WebP.

At 64 x 64 pixels and more the grids of a run take several times the room that a mail has.
"""

import base64
import io
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath

from PIL import Image

from dcgan.core.files import InputError

PNG_SIGNATURE, SIZE_AT, ANIMATION_CHUNK = b"\x89PNG\r\n\x1a\n", 16, b"\x00\x00\x00\x08acTL"
# How much of a picture is kept, the best first: all of its bytes, lossless WebP, WebP of lower and lower quality.
AS_IT_IS, LOSSLESS = 101, 100
QUALITIES = (AS_IT_IS, LOSSLESS, 90, 70, 40)


@dataclass(frozen=True)
class Picture:
    """A picture as a data URI, with a text for those who do not see it."""

    uri: str
    width: int
    height: int
    name: str
    alt: str
    moves: bool


def picture(content: bytes, path: str, alt: str, quality: int = AS_IT_IS) -> Picture:
    """A PNG in the text of a page; raises InputError if it is not one."""
    if not content.startswith(PNG_SIGNATURE) or len(content) < SIZE_AT + 8:
        raise InputError(f"{path}: not a readable PNG")
    kind, kept = ("png", content) if quality == AS_IT_IS else ("webp", as_webp(content, path, quality))
    uri = f"data:image/{kind};base64,{base64.b64encode(kept).decode()}"
    width, height = struct.unpack_from(">2I", content, SIZE_AT)
    return Picture(uri, width, height, picture_name(path), alt, ANIMATION_CHUNK in content)


@cache  # because the report is written twice
def as_webp(content: bytes, path: str, quality: int) -> bytes:
    """A PNG as WebP, moving if it moves; raises InputError if it cannot be read."""
    buffer, lossless = io.BytesIO(), quality == LOSSLESS
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.save(buffer, "WEBP", save_all=True, lossless=lossless, quality=60 if lossless else quality, method=4)
    except OSError as error:
        raise InputError(f"{path}: not a readable PNG ({error})") from error
    return buffer.getvalue()


def picture_name(path: str) -> str:
    """A file's name as words: `epoch-0005.png` is "epoch 5"."""
    words = PurePosixPath(path).stem.replace("_", " ").replace("-", " ").split()
    return " ".join(str(int(word)) if word.isdecimal() else word for word in words)
