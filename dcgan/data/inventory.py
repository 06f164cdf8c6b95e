"""What the usable images of a source are, at a glance: sizes, formats, how many have no colour.

Each shard counts its own. Images of the same size, format and kind are one row, so tables of shards stay short, and can
be put one under the other.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dcgan.core.pixels import Images
from dcgan.data.decoding import JPEG_START
from dcgan.data.resizing import Reduced

SourceFormat = tuple[int, int, str]  # width and height in pixels, upright; format
COLUMNS = {"width": int, "height": int, "format": str, "grey": int, "images": int}
STARTS = {"jpeg": JPEG_START, "png": b"\x89PNG", "webp": b"RIFF", "gif": b"GIF8", "bmp": b"BM"}
STEP = 8  # pixels: every eighth of a row and column tells whether there is colour


class Inventory:
    """Counts images by width and height in pixels of the upright source, format, and whether they are grey."""

    def __init__(self) -> None:
        self.counts = Counter[tuple[int, int, str, int]]()

    def add(self, sources: Sequence[SourceFormat], images_uint8: Images) -> None:
        """Counts a block of images: what they were, and (n, S, S, 3) as they are stored."""
        for (width, height, form), grey in zip(sources, are_grey(images_uint8), strict=True):
            self.counts[width, height, form, int(grey)] += 1

    def table(self) -> pd.DataFrame:
        """A row for each kind of image; columns as in COLUMNS."""
        return pd.DataFrame([(*kind, n) for kind, n in sorted(self.counts.items())], columns=list(COLUMNS))


def source_of(encoded: bytes, image: Reduced) -> SourceFormat:
    """What an image was, by its bytes and as it was decoded."""
    form = next((name for name, start in STARTS.items() if encoded.startswith(start)), "other")
    return image.width, image.height, form


def are_grey(images_uint8: Images) -> NDArray[np.bool_]:
    """(n, S, S, 3) -> n: whether red, green and blue are equal in every eighth pixel of every eighth row."""
    red, green, blue = np.moveaxis(images_uint8[:, ::STEP, ::STEP], 3, 0)
    coloured: NDArray[np.bool_] = ((red != green) | (green != blue)).any(axis=(1, 2))
    return ~coloured


def at_a_glance(table: pd.DataFrame, side: int) -> dict[str, Any]:
    """Least, median and largest sides of the source's images; how many are smaller than `side`, grey, of each format.

    table: with COLUMNS, and a row or more. Smaller is an image whose shorter side has fewer pixels.
    """
    counts = table["images"].to_numpy()
    found: dict[str, Any] = {}
    for name in ("width", "height"):
        sides = np.repeat(table[name].to_numpy(), counts)
        found |= {
            f"{name}_{what}": float(of(sides)) for what, of in (("min", np.min), ("median", np.median), ("max", np.max))
        }
    smaller = table[["width", "height"]].min(axis=1) < side
    formats = table.groupby("format")["images"].sum()
    return {
        **found,
        "n_smaller": int(counts[smaller].sum()),
        "n_grey": int((table["grey"] * table["images"]).sum()),
        **{f"n_{name}": int(n) for name, n in formats.items()},
    }
