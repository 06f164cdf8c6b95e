"""Figures made of pictures: images are opaque, what lies around them is not, so that they suit any page."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dcgan.core.pixels import png_bytes, tile, write_png
from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.internals.figure_layout import above, beside, estimate_discriminator, sign, title
from dcgan.models.networks import Discriminator
from tests.browser import LEAST_CONTRAST
from tests.unit.test_adversarial import SMALLEST
from workflow.report.first_screen import small
from workflow.report.page import TEMPLATES, picture
from workflow.report.results import Result

SHAPE = (SMALLEST.image_size, SMALLEST.image_size, SMALLEST.channels)
GROUNDS = re.findall(
    r"--ground: #(\w{6});", (TEMPLATES / "base.html.j2").read_text()
)  # behind figures: by day, by night


def luminance(colour: tuple[int, ...]) -> float:
    """As WCAG 2 has it."""
    r, g, b = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in np.divide(colour, 255))
    return float(0.2126 * r + 0.7152 * g + 0.0722 * b)


def test_images_are_as_they_are_and_between_them_is_nothing() -> None:
    images = np.zeros((3, 4, 5, 1), np.uint8)
    sheet = tile(images, 2, padding=1)
    assert sheet.shape == (11, 13, 4)
    opaque = sheet[..., 3] == 255
    assert opaque.sum() == 3 * 4 * 5 and opaque[1:5, 1:6].all() and set(np.unique(sheet[..., 3])) == {0, 255}
    assert (sheet[opaque][:, :3] == 0).all() and (sheet[~opaque][:, :3] == 255).all(), "white without transparency"


def test_pictures_beside_and_above_each_other_keep_their_pixels() -> None:
    grey, colour = np.full((2, 3, 1), 7, np.uint8), np.full((4, 1, 3), 9, np.uint8)
    whole = beside([grey, colour], 2)
    expected = np.zeros((4, 6))
    expected[:2, :3], expected[:, 5:] = 7, 9
    np.testing.assert_array_equal(np.where(whole[..., 3] == 255, whole[..., 0], 0), expected)
    column = above([grey, colour], 2)
    assert column.shape == (8, 3, 4) and (column[4:, :1, :3] == 9).all() and not column[2:4, :, 3].any()


@pytest.mark.parametrize("number", [0, 1])
def test_letters_stand_out_by_day_and_by_night(number: int) -> None:
    ground = tuple(bytes.fromhex(GROUNDS[number]))
    assert len(GROUNDS) == 2 and (ground[0] > 128) == (number == 0)
    for text in (title("samples", tile(np.zeros((1, 8, 8, 3), np.uint8), 1))[:24], sign("+", 40, 28)):
        letters = text[text[..., 3] > 0]
        assert len(letters) and (text[..., 3] == 0).mean() > 0.5
        (ink,) = {tuple(map(int, letter[:3])) for letter in letters}
        a, b = sorted((luminance(ink), luminance(ground)))
        assert (b + 0.05) / (a + 0.05) >= LEAST_CONTRAST


def test_a_title_is_whole_over_a_narrow_picture() -> None:
    narrow, wide = (title("a long title", np.zeros((4, width, 3), np.uint8)) for width in (1, 400))
    assert (narrow[:24, :, 3] > 0).sum() == (wide[:24, :, 3] > 0).sum() > 50


def test_statistics_are_those_of_whole_batches() -> None:
    """A last batch of a few images would count as much as one of 128; but few images are better than none."""
    images = numpy_generator(1, "images").integers(0, 256, (300, *SHAPE), dtype=np.uint8)

    def estimated(count: int, n_batches: int) -> dict[str, torch.Tensor]:
        discriminator = Discriminator(SMALLEST)
        discriminator.initialize(torch_generator(1, "weights"))
        estimate_discriminator(discriminator, images[:count], n_batches)
        return discriminator.state_dict()

    def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
        return all(torch.equal(one[name], other[name]) for name in one)

    assert equal(estimated(300, 9), estimated(256, 9)) and equal(estimated(300, 1), estimated(128, 9))
    assert not equal(estimated(256, 9), estimated(128, 9)) and not equal(estimated(60, 1), estimated(50, 1))


def test_a_small_picture_keeps_its_transparency() -> None:
    content = png_bytes(tile(np.zeros((4, 30, 30, 3), np.uint8), 2, padding=20))
    shown = picture(content, "a.png", "alt")
    assert not shown.drawing, "that would be shown as a negative by night"
    result = Result("draw_samples@bedrooms", "", "", "", "", "", [shown], [], [])
    with Image.open(io.BytesIO(base64.b64decode(small(result).uri.partition(",")[2]))) as image:
        assert image.convert("RGBA").getextrema()[3] == (0, 255)


def test_a_picture_of_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"shape \(4, 4, 2\)"):
        write_png(tmp_path / "a.png", np.zeros((4, 4, 2), np.uint8))
