"""What the project's pages share: templates, names of places, pictures.

Every page is one HTML file without a reference to another file, so it opens from a mail attachment and on a computer
without a network. Only the page of `explore_networks` has a script. Pictures are PNG files as data URIs, as they are
or, if the page would be too large, as WebP: at 64 x 64 pixels and more the grids of a run take several times the room
that a mail has.
"""

import base64
import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image
from ruamel.yaml import YAML

from dcgan.core.files import InputError

TEMPLATES = Path(__file__).parent / "templates"
# How much of a picture is kept, the best first: all of its bytes, lossless WebP, WebP of lower and lower quality.
AS_IT_IS, LOSSLESS = 101, 100
QUALITIES = (AS_IT_IS, LOSSLESS, 90, 70, 40)


def fill_template(template: str, **values: Any) -> str:
    """A page out of its template, in which all that is shown is escaped, and a missing value is an error."""
    pages = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    pages.loader, pages.filters["anchor"], pages.filters["as_yaml"] = FileSystemLoader(TEMPLATES), anchor, as_yaml
    return pages.get_template(template).render(**values)


def anchor(text: str) -> str:
    """A text as the name of a place in the page."""
    return "".join(letter.lower() if letter.isalnum() else "-" for letter in text)


def as_yaml(value: Any) -> str:
    """A value of params.yaml as text, without its comments."""
    stream, writer = io.StringIO(), YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.dump(value, stream)
    return stream.getvalue().removesuffix("...\n").rstrip()


@dataclass(frozen=True)
class Picture:
    """A picture as a data URI, with a text for those who do not see it; a drawing is black on white, not of pixels."""

    uri: str
    width: int
    height: int
    name: str
    alt: str
    moves: bool
    drawing: bool = False


@cache  # because the report is written twice
def picture(content: bytes, path: str, alt: str, quality: int = AS_IT_IS) -> Picture:
    """A PNG in the text of a page, moving if it moves; raises InputError if it is not one."""
    buffer, lossless = io.BytesIO(), quality == LOSSLESS
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            (width, height), moves = image.size, getattr(image, "is_animated", False)
            # As matplotlib writes; what is around images, and between them, is transparent.
            drawing = image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255)
            if quality < AS_IT_IS:
                options: dict[str, Any] = {"lossless": lossless, "quality": 60 if lossless else quality, "method": 4}
                image.save(buffer, "WEBP", save_all=True, **options)
    except OSError as error:
        raise InputError(f"{path}: not a readable PNG ({error})") from error
    kind, kept = ("png", content) if quality == AS_IT_IS else ("webp", buffer.getvalue())
    uri = f"data:image/{kind};base64,{base64.b64encode(kept).decode()}"
    return Picture(uri, width, height, picture_name(path), alt, moves, drawing)


def picture_name(path: str) -> str:
    """A file's name as words: `epoch-0005.png` is "epoch 5"."""
    words = PurePosixPath(path).stem.replace("_", " ").replace("-", " ").split()
    return " ".join(str(int(word)) if word.isdecimal() else word for word in words)
