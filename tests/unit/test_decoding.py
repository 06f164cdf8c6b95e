"""Decoding by content: what can be read is read alike from every form, what cannot is refused with a reason."""

import io
import re
import struct
import zlib
from collections.abc import Mapping
from itertools import pairwise

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from dcgan.data.decoding import (
    Header,
    Scratch,
    Undecodable,
    decode,
    decode_reduced,
    decode_with_turbo,
    jpeg_header,
    orientation,
    webp_header,
)
from dcgan.data.preprocessing import Rule
from dcgan.data.resizing import FINE
from tests.conftest import encoded as as_bytes
from tests.conftest import png_chunk
from tests.real_data import real_data

RULE = Rule(size=32, resampling=FINE, min_side=32)


def test_unusual_forms_of_one_picture_give_the_same_pixels(odd_images: Mapping[str, bytes], good_image: bytes) -> None:
    expected = decode(good_image).astype(int)
    assert expected.shape == (64, 80, 3)
    for name, encoded in odd_images.items():
        pixels = decode(encoded)
        assert pixels.shape == expected.shape and pixels.dtype == np.uint8, name
        tolerance = 12 if "palette" in name or "gif" in name else 4
        assert np.abs(pixels - expected).mean() < tolerance, name


def test_pixels_are_the_same_in_memory_that_is_used_again(
    odd_images: Mapping[str, bytes], good_image: bytes, unusable_images: Mapping[str, bytes]
) -> None:
    scratch, large = Scratch(), np.random.default_rng(0).integers(0, 256, (1200, 1200, 3), np.uint8)
    forms = [good_image, *odd_images.values(), as_bytes(Image.fromarray(large), "JPEG"), good_image]
    for encoded in forms:
        for enough in (None, 16):
            with pytest.raises(Undecodable):
                decode_reduced(unusable_images["truncated jpeg"], enough, scratch)
            again, anew = decode_reduced(encoded, enough, scratch), decode_reduced(encoded, enough)
            assert np.array_equal(again.pixels, anew.pixels)
    first = decode(good_image, scratch)
    assert np.shares_memory(first, decode(good_image, scratch))
    assert scratch.room_for(large.size) is None and scratch.memory.ctypes.data % 32 == 16


def test_unusable_bytes_are_refused_with_a_reason(unusable_images: Mapping[str, bytes]) -> None:
    for name, encoded in unusable_images.items():
        with pytest.raises(Undecodable) as refusal:
            RULE.decode(encoded)
        assert str(refusal.value) and "\n" not in str(refusal.value), name


def test_the_reason_says_what_is_wrong(unusable_images: Mapping[str, bytes]) -> None:
    def reason(name: str) -> str:
        with pytest.raises(Undecodable) as refusal:
            RULE.decode(unusable_images[name])
        return str(refusal.value)

    assert reason("empty") == "empty"
    assert "truncated" in reason("truncated jpeg")
    assert reason("png bomb").startswith("too many pixels")
    assert reason("jpeg bomb").startswith("too many pixels: 30000 x 30000")
    assert reason("text").startswith("not an image")
    assert reason("1x1 png") == "too small: 1 x 1, 32 is the least"


def test_grey_images_get_three_equal_channels() -> None:
    grey = Image.fromarray(np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1)))
    for form in ("PNG", "JPEG"):
        pixels = decode(as_bytes(grey, form))
        assert pixels.shape == (64, 64, 3)
        assert (pixels == pixels[:, :, :1]).all()


def test_sixteen_bit_grey_keeps_its_brightness() -> None:
    grey16 = Image.fromarray(np.tile(np.arange(64, dtype=np.uint16) * 1024, (64, 1)))
    assert np.array_equal(decode(as_bytes(grey16, "PNG"))[0, :, 0], np.arange(64) * 4)


def test_transparent_pixels_are_white() -> None:
    pixels = np.zeros((40, 40, 4), np.uint8)
    pixels[:, 20:] = (10, 20, 30, 255)
    decoded = decode(as_bytes(Image.fromarray(pixels), "PNG"))
    assert (decoded[:, :20] == 255).all() and (decoded[:, 20:] == (10, 20, 30)).all()


def png(depth: int, colours: int, values: list[tuple[int, ...]], transparent: tuple[int, ...]) -> bytes:
    """A PNG of 32 x 32, each eight columns of one value, with one transparent value."""
    bits = "".join(format(part, f"0{depth}b") for column in range(32) for part in values[column // 8])
    row = b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    head = struct.pack(">IIBBBBB", 32, 32, depth, colours, 0, 0, 0)
    parts = [png_chunk(b"IHDR", head), png_chunk(b"tRNS", struct.pack(f">{len(transparent)}H", *transparent))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [*parts, png_chunk(b"IDAT", zlib.compress(row * 32)), png_chunk(b"IEND", b"")]
    )


@pytest.mark.parametrize(
    ("depth", "values", "transparent", "expected"),
    [
        (1, [0, 1, 0, 1], 0, [255, 255, 255, 255]),
        (1, [0, 1, 0, 1], 1, [0, 255, 0, 255]),
        (2, [0, 1, 2, 3], 1, [0, 255, 170, 255]),
        (4, [0, 5, 10, 15], 10, [0, 85, 255, 255]),
        (8, [0, 85, 170, 255], 85, [0, 255, 170, 255]),
        (16, [0, 300, 301, 65535], 300, [0, 255, 1, 255]),
        (16, [0, 21845, 43690, 65535], 43690, [0, 85, 255, 255]),
    ],
)
def test_a_transparent_grey_is_white_at_any_depth(
    depth: int, values: list[int], transparent: int, expected: list[int]
) -> None:
    decoded = decode(png(depth, 0, [(value,) for value in values], (transparent,)))
    assert decoded[5, ::8].tolist() == [[value] * 3 for value in expected]


def test_a_transparent_colour_is_white_or_refused() -> None:
    red, green, blue, grey = (255, 0, 0), (0, 255, 0), (0, 0, 255), (9, 9, 9)
    assert decode(png(8, 2, [red, green, blue, grey], red))[5, ::8].tolist() == [
        [255] * 3,
        *map(list, (green, blue, grey)),
    ]
    with pytest.raises(Undecodable, match="transparent colour of 16 bits"):
        decode(png(16, 2, [red, green, blue, grey], red))


def test_a_palette_may_be_transparent() -> None:
    image = Image.new("P", (40, 40), 0)
    image.putpalette([200, 0, 0, 0, 200, 0])
    assert (decode(as_bytes(image, "PNG", transparency=0)) == 255).all()


def test_the_first_frame_of_an_animation_is_taken(odd_images: Mapping[str, bytes]) -> None:
    for name in ("animated gif", "animated webp", "animated png"):
        red = decode(odd_images[name])[:, :, 0].astype(int)
        assert red[:, -8:].mean() > red[:, :8].mean() + 100, name


@pytest.mark.parametrize(("enough", "expected"), [(None, 256), (200, 256), (128, 128), (64, 64), (40, 64), (1, 32)])
def test_a_jpeg_is_decoded_no_smaller_than_asked_for(enough: int | None, expected: int) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (256, 320, 3), dtype=np.uint8))
    reduced = decode_reduced(as_bytes(image, "JPEG"), enough)
    assert min(reduced.pixels.shape[:2]) == expected and (reduced.height, reduced.width) == (256, 320)
    assert reduced.factor == 256 // expected


def test_reduced_decoding_shows_the_same_colours(good_image: bytes) -> None:
    full = decode(good_image).astype(float)
    reduced = decode_reduced(good_image, 16).pixels
    assert reduced.shape == (16, 20, 3)
    means = full.reshape(16, 4, 20, 4, 3).mean(axis=(1, 3))
    assert np.abs(reduced - means).mean() < 3


@pytest.mark.parametrize("options", [{"subsampling": 0}, {"subsampling": 2}, {"progressive": True}, {"quality": 20}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_turbo_gives_opencvs_pixels(options: Mapping[str, object], mode: str) -> None:
    coarse = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    encoded = as_bytes(
        Image.fromarray(coarse).resize((161, 90), Image.Resampling.BICUBIC).convert(mode), "JPEG", **options
    )
    flags = (getattr(cv2, f"IMREAD_REDUCED_COLOR_{factor}") & ~cv2.IMREAD_COLOR_BGR for factor in (2, 4, 8))
    for factor, flag in zip((1, 2, 4, 8), (0, *flags), strict=True):
        pixels = decode_with_turbo(encoded, jpeg_header(encoded), factor, "RGB")
        assert pixels.shape == (-(-90 // factor), -(-161 // factor), 3)
        peer = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR_RGB | flag)
        assert np.array_equal(pixels, peer)


def test_headers_tell_the_size(good_image: bytes, odd_images: Mapping[str, bytes]) -> None:
    assert jpeg_header(good_image) == Header(80, 64, "YCbCr")
    assert jpeg_header(odd_images["cmyk jpeg"]).colours == "CMYK"
    header = webp_header(odd_images["webp"])
    assert header is not None and (header.width, header.height) == (80, 64)
    assert webp_header(odd_images["animated webp"]) is None


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description tiff:Orientation="%d"/></rdf:RDF></x:xmpmeta>'


def turned(image: Image.Image, number: int, where: str, **options: object) -> bytes:
    """A JPEG that asks to be turned, in a block of EXIF or in a text of XMP."""
    if where == "xmp":
        return as_bytes(image, "JPEG", xmp=XMP % number, quality=95, **options)
    exif = image.getexif()
    exif[0x0112] = number
    return as_bytes(image, "JPEG", exif=exif.tobytes(), quality=95, **options)


@pytest.mark.parametrize("profile_bytes", [0, 200_000])
@pytest.mark.parametrize("where", ["exif", "xmp"])
@pytest.mark.parametrize("enough", [None, 16])
@pytest.mark.parametrize("size", [(80, 64), (77, 67)])
def test_a_jpeg_is_turned_upright_however_far_behind_its_orientation_stands(
    good_image: bytes, profile_bytes: int, where: str, enough: int | None, size: tuple[int, int]
) -> None:
    profile = np.random.default_rng(0).bytes(profile_bytes)
    image = Image.open(io.BytesIO(good_image)).resize(size)
    plain = decode(as_bytes(image, "JPEG", quality=95))
    for number in range(1, 9):
        found = decode_reduced(turned(image, number, where, icc_profile=profile), enough)
        expected = np.asarray(ImageOps.exif_transpose(tagged(plain, number)))
        assert (found.height, found.width) == expected.shape[:2]
        step = found.factor
        assert step == (1 if enough is None or (number > 1 and size == (77, 67)) else 4)
        if step == 1:
            assert np.array_equal(found.pixels, expected)
        else:
            means = cv2.resize(expected, found.pixels.shape[1::-1], interpolation=cv2.INTER_AREA)
            assert np.abs(found.pixels.astype(int) - means).mean() < 5


def tagged(pixels: np.ndarray, number: int) -> Image.Image:
    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = number
    return image


def test_exif_goes_before_xmp_and_nonsense_turns_nothing(good_image: bytes) -> None:
    image = Image.open(io.BytesIO(good_image))
    exif = image.getexif()
    exif[0x0112] = 3
    assert orientation(as_bytes(image, "JPEG", exif=exif.tobytes(), xmp=XMP % 6)) == 3
    assert orientation(as_bytes(image, "JPEG", xmp=XMP % 9)) == 1
    assert orientation(as_bytes(image, "JPEG", exif=b"Exif\x00\x00II*\x00garbage")) == 1


WAYS_TO_WRITE_SIX = [b'"6"', b"'6'", b' = "6"', b"\n= '6'"]


@pytest.mark.parametrize("written", WAYS_TO_WRITE_SIX)
def test_xmp_is_xml_however_it_is_written(good_image: bytes, written: bytes) -> None:
    xmp = (XMP % 6).replace(b'="6"', written if b"=" in written else b"=" + written)
    image = Image.open(io.BytesIO(good_image))
    assert orientation(as_bytes(image, "JPEG", xmp=xmp)) == 6
    assert decode(as_bytes(image, "WEBP", xmp=xmp)).shape == (80, 64, 3)
    element = b"<tiff:Orientation>\n6</tiff:Orientation>"
    assert orientation(as_bytes(image, "JPEG", xmp=element)) == 6


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
@pytest.mark.parametrize("quote", ['"', "'"])
def test_other_forms_are_turned_by_xmp_too(form: str, quote: str) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8))
    xmp = (XMP % 6).replace(b'"6"', f"{quote}6{quote}".encode())
    options: dict[str, object] = {"xmp": xmp, "lossless": True}
    if form == "PNG":
        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", xmp.decode())
        options = {"pnginfo": text}
    assert np.array_equal(decode(as_bytes(image, form, **options)), np.rot90(np.asarray(image), -1))


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_progressive_jpeg_with_fewer_scans_is_refused(mode: str) -> None:
    """libjpeg-turbo makes a coarse picture of it, and complains about nothing if it has an end mark."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8)
    image = Image.fromarray(pixels).convert(mode)
    encoded = as_bytes(image, "JPEG", progressive=True, quality=90)
    assert decode(encoded).shape == decode(encoded + encoded).shape == (40, 48, 3)
    scans = [found.start() for found in re.finditer(rb"\xff\xda", encoded)]
    assert len(scans) > 5
    for before, begin in pairwise(scans):
        tables = encoded.find(b"\xff\xc4", before, begin)  # of the scan behind them
        with pytest.raises(Undecodable, match="truncated"):
            decode(encoded[: tables if tables > 0 else begin] + b"\xff\xd9")
    filled = encoded[:2] + b"\xff" + encoded[2:]  # before a marker any number of such bytes may stand
    assert np.array_equal(decode(filled), decode(encoded))
    with pytest.raises(Undecodable, match="truncated"):
        decode(filled[: scans[1] + 1] + b"\xff\xd9")


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("form", [{}, {"progressive": True}])
@pytest.mark.parametrize("where", ["", "exif"])
def test_a_jpeg_that_ends_early_is_refused_whatever_stands_behind(mode: str, form: dict[str, bool], where: str) -> None:
    coarse = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((320, 240), Image.Resampling.BICUBIC).convert(mode)
    encoded = turned(image, 6, "exif", **form) if where else as_bytes(image, "JPEG", **form)
    assert decode(encoded).shape == ((320, 240, 3) if where else (240, 320, 3))
    assert np.array_equal(decode(encoded + b"trailer" * 40), decode(encoded))
    half = encoded[: len(encoded) // 2]
    for tail in (b"", b"\xff\xd9", b"\xff\xd9" + bytes(99), bytes(1000) + b"\xff\xd9", encoded[:200] + b"\xff\xd9"):
        for enough in (None, 64):
            with pytest.raises(Undecodable, match=r"image file is truncated|damaged JPEG"):
                decode_reduced(half + tail, enough)


def test_random_damage_never_escapes_as_another_error(odd_images: Mapping[str, bytes], good_image: bytes) -> None:
    generator = np.random.default_rng(3)
    for encoded in [*odd_images.values(), good_image]:
        for _ in range(12):
            damaged = bytearray(encoded)
            for at in generator.integers(0, len(damaged), 8):
                damaged[at] = generator.integers(0, 256)
            try:
                assert decode(bytes(damaged)).shape[2] == 3
            except Undecodable as refusal:
                assert str(refusal)


def test_real_photos_decode_as_pillow_decodes_them() -> None:
    paths = sorted(real_data("photos").rglob("*.jpg"))[:40]
    assert paths
    for path in paths:
        with Image.open(path) as image:
            expected = np.asarray(image.convert("RGB")).astype(int)
        assert np.abs(decode(path.read_bytes()) - expected).max() <= 2, path
