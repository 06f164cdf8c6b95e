"""Pictures inside a page: PNG files as data URIs, as they are or, if the page would be too large, as WebP.

At 64 x 64 pixels and more the grids of a run take several times the room that a mail has.
"""

import base64
import io
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import Any

from PIL import Image

from dcgan.core.files import InputError

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


@cache  # because the report is written twice
def picture(content: bytes, path: str, alt: str, quality: int = AS_IT_IS) -> Picture:
    """A PNG in the text of a page, moving if it moves; raises InputError if it is not one."""
    buffer, lossless = io.BytesIO(), quality == LOSSLESS
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            (width, height), moves = image.size, getattr(image, "is_animated", False)
            if quality < AS_IT_IS:
                options: dict[str, Any] = {"lossless": lossless, "quality": 60 if lossless else quality, "method": 4}
                image.save(buffer, "WEBP", save_all=True, **options)
    except OSError as error:
        raise InputError(f"{path}: not a readable PNG ({error})") from error
    kind, kept = ("png", content) if quality == AS_IT_IS else ("webp", buffer.getvalue())
    uri = f"data:image/{kind};base64,{base64.b64encode(kept).decode()}"
    return Picture(uri, width, height, picture_name(path), alt, moves)


def picture_name(path: str) -> str:
    """A file's name as words: `epoch-0005.png` is "epoch 5"."""
    words = PurePosixPath(path).stem.replace("_", " ").replace("-", " ").split()
    return " ".join(str(int(word)) if word.isdecimal() else word for word in words)
