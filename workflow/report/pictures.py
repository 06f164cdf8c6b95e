"""Pictures inside a page: PNG files as data URIs, as they are or, where a page would be too large, as WebP.

Input: the bytes of a PNG, moving ones too. Output: `Picture`. The forms are tried in the order of `FORMS`: at 64 x 64
pixels and more a run's grids take several times the room that a mail has.
"""

import base64
import io
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath

from PIL import Image, UnidentifiedImageError

from dcgan.core.files import InputError

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_SIZE = struct.Struct(">2I")
SIZE_AT = 16
ANIMATION_CHUNK = b"\x00\x00\x00\x08acTL"


@dataclass(frozen=True)
class Form:
    """How pictures are kept in a page: what is said about it, and WebP's quality; None where nothing is changed."""

    said: str
    quality: int | None
    lossless: bool = True


AS_THEY_ARE = Form("", None)
FORMS = (
    AS_THEY_ARE,
    Form("Pictures are kept here as lossless WebP, so that the page can be mailed.", 60),
    Form("Pictures are compressed here (WebP, quality 90), so that the page can be mailed.", 90, lossless=False),
    Form("Pictures are compressed here (WebP, quality 70), so that the page can be mailed.", 70, lossless=False),
    Form("Pictures are compressed here (WebP, quality 40), so that the page can be mailed.", 40, lossless=False),
)


@dataclass(frozen=True)
class Picture:
    """A picture as a data URI, with what is said to someone who does not see it."""

    uri: str
    width: int
    height: int
    name: str
    alt: str
    moves: bool


def picture(content: bytes, path: str, alt: str, form: Form = AS_THEY_ARE) -> Picture:
    """A PNG in the text of the page; raises InputError where the bytes are none."""
    if not content.startswith(PNG_SIGNATURE) or len(content) < SIZE_AT + PNG_SIZE.size:
        raise InputError(f"{path}: not a readable PNG")
    width, height = PNG_SIZE.unpack_from(content, SIZE_AT)
    moves = ANIMATION_CHUNK in content
    kind, kept = ("png", content) if form.quality is None else ("webp", as_webp(content, path, form))
    uri = f"data:image/{kind};base64,{base64.b64encode(kept).decode()}"
    return Picture(uri, width, height, picture_name(path), alt, moves)


@cache
def as_webp(content: bytes, path: str, form: Form) -> bytes:
    """A PNG's pictures, all of them where it moves, as one WebP; kept, because the report is written twice."""
    buffer = io.BytesIO()
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.save(buffer, "WEBP", save_all=True, lossless=form.lossless, quality=form.quality, method=4)
    except (OSError, UnidentifiedImageError) as error:
        raise InputError(f"{path}: not a readable PNG ({error})") from error
    return buffer.getvalue()


def picture_name(path: str) -> str:
    """A file's name as words: `epoch-0005.png` is "epoch 5"."""
    words = PurePosixPath(path).stem.replace("_", " ").replace("-", " ").split()
    return " ".join(str(int(word)) if word.isdecimal() else word for word in words)
