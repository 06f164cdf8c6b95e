"""What tests of several folders share: a browser, and images that are wrong in every way that the web has."""

import hashlib
import io
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dcgan.core.files import InputError
from tests.browser import browser as running_browser

# Files that look at the same runs (tests/dag/conftest.py), which take minutes to make.
SHARED_RUNS = {
    "test_engines.py": "two engines",
    "test_remotes.py": "two engines",
    "test_faults.py": "every stage",
    "test_declared_params.py": "every stage",
}

# `make test` is itself a make: what it tells makes below it would turn up in the output of those that tests start.
for variable in ("MAKELEVEL", "MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES"):
    os.environ.pop(variable, None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Of several processes one takes all tests of a file, and one all files that share runs. Marks are no help: this
    pytest's ids do not carry them to xdist 3.8.
    """
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return SHARED_RUNS.get(Path(file).name, file)

    return Scheduling(config, log)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A running Chromium; tests that want one are skipped where there is none."""
    try:
        with running_browser() as started:
            yield started
    except InputError as error:
        pytest.skip(str(error))


def digests_below(folder: Path) -> dict[str, str]:
    """SHA-256 of every file by its path below a folder, without the file by which Snakemake tells a folder's time."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".snakemake_timestamp")
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def photo(width: int = 80, height: int = 64) -> Image.Image:
    """A smooth coloured picture, so that lossy forms come close to it."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [x * 255 / width, y * 255 / height, 128 + 60 * np.sin(x / 9) * np.cos(y / 7)]
    return Image.fromarray(np.stack(planes, axis=2).astype(np.uint8))


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing: a decompression bomb to whoever believes it."""
    head, pixels = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), zlib.compress(bytes(1000))
    chunks = png_chunk(b"IHDR", head), png_chunk(b"IDAT", pixels), png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def jpeg_claiming(width: int, height: int) -> bytes:
    """A JPEG whose header claims a size."""
    good = bytearray(encoded(photo(), "JPEG"))
    at = good.index(b"\xff\xc0")
    good[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(good)


@pytest.fixture(scope="session")
def good_image() -> bytes:
    return encoded(photo(), "JPEG", quality=95)


@pytest.fixture(scope="session")
def unusable_images(good_image: bytes) -> Mapping[str, bytes]:
    """Name -> bytes that give no image of at least 32 pixels a side."""
    png, webp = encoded(photo(), "PNG"), encoded(photo(), "WEBP")
    return {
        "empty": b"",
        "text": b"<html><body>404 not found</body></html>" * 20,
        "zeros": bytes(5000),
        "truncated jpeg": good_image[: len(good_image) // 2],
        "jpeg without its last bytes": good_image[:-40],
        "truncated png": png[: len(png) // 2],
        "truncated webp": webp[: len(webp) // 2],
        "jpeg header only": good_image[:20],
        "jpeg of zeros": good_image[:4] + bytes(3000) + b"\xff\xd9",
        "1x1 jpeg": encoded(photo().resize((1, 1)), "JPEG"),
        "1x1 png": encoded(photo().resize((1, 1)), "PNG"),
        "1000x2": encoded(photo().resize((1000, 2)), "PNG"),
        "png bomb": png_header(30_000, 30_000),
        "jpeg bomb": jpeg_claiming(30_000, 30_000),
        "pdf": b"%PDF-1.4\n" + bytes(500),
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"/>',
    }


@pytest.fixture(scope="session")
def odd_images(good_image: bytes) -> Mapping[str, bytes]:
    """Name -> bytes of the same picture in unusual forms, all of which have to be read."""
    picture = photo()
    alpha = picture.copy()
    alpha.putalpha(255)
    animation = [picture, picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by 90 degrees
    turned = picture.transpose(Image.Transpose.ROTATE_90)
    return {
        "png": encoded(picture, "PNG"),
        "webp": encoded(picture, "WEBP", quality=95),
        "lossless webp": encoded(picture, "WEBP", lossless=True),
        "palette png": encoded(picture.quantize(256), "PNG"),
        "rgba png": encoded(alpha, "PNG"),
        "rgba webp": encoded(alpha, "WEBP", quality=95),
        "cmyk jpeg": encoded(picture.convert("CMYK"), "JPEG", quality=95),
        "progressive jpeg": encoded(picture, "JPEG", quality=95, progressive=True),
        "animated gif": encoded(picture, "GIF", save_all=True, append_images=animation[1:]),
        "animated webp": encoded(picture, "WEBP", save_all=True, append_images=animation[1:], quality=95),
        "animated png": encoded(picture, "PNG", save_all=True, append_images=animation[1:]),
        "broken icc jpeg": encoded(picture, "JPEG", quality=95, icc_profile=b"not a colour profile" * 10),
        "broken icc png": encoded(picture, "PNG", icc_profile=b"not a colour profile" * 10),
        "exif-turned jpeg": encoded(turned, "JPEG", quality=95, exif=exif),
        "exif-turned png": encoded(turned, "PNG", exif=exif),
        "broken exif jpeg": encoded(picture, "JPEG", quality=95, exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff"),
        "jpeg with bytes behind it": good_image + bytes(30),
        "bmp": encoded(picture, "BMP"),
    }
