"""What a source's images are at a glance: sizes as they are seen, formats, and which have no colour."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dcgan.data.inventory import COLUMNS, Inventory, are_grey, at_a_glance
from dcgan.data.preprocessing import Rule, export_images
from dcgan.data.rejects import Rejects
from dcgan.data.resizing import Resampling
from dcgan.data.source import Encoded

RULE = Rule(size=32, resampling=Resampling(antialias=True, reducing_gap=1), min_side=8)
ORIENTATION, TURNED = 0x0112, 6


def encoded(width: int, height: int, form: str, grey: bool = False, turned: bool = False) -> bytes:
    """A random picture in a format."""
    pixels = np.random.default_rng(1).integers(0, 256, (height, width) if grey else (height, width, 3), np.uint8)
    exif, stream = Image.Exif(), io.BytesIO()
    if turned:
        exif[ORIENTATION] = TURNED
    Image.fromarray(pixels).save(stream, form, exif=exif)
    return stream.getvalue()


def counted(contents: list[bytes]) -> pd.DataFrame:
    inventory = Inventory()
    items = (Encoded(str(number), content, "") for number, content in enumerate(contents))
    for _ in export_images(items, RULE, Rejects(1.0, len(contents), "share"), inventory):
        pass
    return inventory.table()


def test_rows_are_kinds_of_images_and_what_cannot_be_used_is_not_counted() -> None:
    """A JPEG that is read at a quarter of its size, and one that lies on its side, count as they are seen."""
    large, small = encoded(160, 130, "JPEG"), encoded(30, 20, "PNG", grey=True)
    table = counted([large, small, large, encoded(50, 40, "JPEG", turned=True), b"text", encoded(40, 40, "WEBP")])
    assert list(table.itertuples(index=False, name=None)) == [
        (30, 20, "png", 1, 1),
        (40, 40, "webp", 0, 1),
        (40, 50, "jpeg", 0, 1),
        (160, 130, "jpeg", 0, 2),
    ]


def test_numbers_at_a_glance_are_of_images_not_of_rows() -> None:
    shards = [
        counted([encoded(160, 130, "JPEG")] * 3),
        counted([encoded(30, 40, "PNG", grey=True), encoded(32, 32, "BMP")]),
    ]
    found = at_a_glance(pd.concat(shards), 32)
    assert found == {
        **{"width_min": 30, "width_median": 160, "width_max": 160},
        **{"height_min": 32, "height_median": 130, "height_max": 130},
        **{"n_smaller": 1, "n_grey": 1, "n_bmp": 1, "n_jpeg": 3, "n_png": 1},
    }
    assert at_a_glance(counted([b"text", encoded(9, 9, "GIF", grey=True)]), 8)["n_smaller"] == 0


@pytest.mark.parametrize("channel", range(3))
def test_one_channel_that_differs_is_colour(channel: int) -> None:
    images = np.full((3, 32, 32, 3), 7, np.uint8)
    images[1, 8, 16, channel] = 8
    assert are_grey(images).tolist() == [True, False, True]


def test_no_image_is_a_table_without_rows() -> None:
    assert list(counted([b"text"]).columns) == list(COLUMNS) and counted([b"text"]).empty
