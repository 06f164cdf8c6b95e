"""A PNG whose data end too early, though properly, is refused; a whole one never is."""

import struct
import time
import zlib

import numpy as np
import pytest

from dcgan.data import png_rows
from dcgan.data.decoding import Undecodable, decode
from tests.conftest import png_chunk

FORMS = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4), (3, 8), (4, 8), (4, 16)]
FORMS += [(6, 8), (6, 16)]
# First column, step between columns, first row, step between rows.
ADAM7 = ((0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2))


def rows_of(width: int, height: int, bits: int, interlaced: bool) -> list[bytes]:
    """The rows of a picture each behind its filter's number 0; all of them zeros, as the missing ones become."""
    sizes = [(width, height)]
    if interlaced:
        sizes = [(len(range(x, width, right)), len(range(y, height, down))) for x, right, y, down in ADAM7]
    return [bytes(1 + (columns * bits + 7) // 8) for columns, rows in sizes if columns for _ in range(rows)]


def png(size: tuple[int, int], colours: int, depth: int, interlaced: bool, data: bytes) -> bytes:
    """A PNG of this data, in two chunks as if it were complete."""
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colours, 0, 0, interlaced))
    palette = png_chunk(b"PLTE", bytes(range(6))) if colours == 3 else b""
    packed = zlib.compress(data)
    pixels = png_chunk(b"IDAT", packed[:5]) + png_chunk(b"IDAT", packed[5:])
    return b"\x89PNG\r\n\x1a\n" + head + palette + pixels + png_chunk(b"IEND", b"")


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("colours", "depth"), FORMS)
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (9, 5), (33, 40)])
def test_a_png_without_its_last_row_is_refused(
    size: tuple[int, int], colours: int, depth: int, interlaced: bool
) -> None:
    rows = rows_of(*size, depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colours], interlaced)
    for further in (b"", bytes(100)):
        assert decode(png(size, colours, depth, interlaced, b"".join(rows) + further)).shape == (*size[::-1], 3)
    for data in (b"".join(rows[:-1]), b"".join(rows)[:-1], b""):
        with pytest.raises(Undecodable, match="truncated"):
            decode(png(size, colours, depth, interlaced, data))


def test_rows_that_came_are_not_inflated_again(monkeypatch: pytest.MonkeyPatch) -> None:
    grey = np.full((8, 9), 7, np.uint8)
    grey[:, 0] = 0  # no filter
    whole = png((8, 8), 0, 8, False, grey.tobytes())
    assert (decode(whole) == 7).all()
    with pytest.raises(Undecodable, match="truncated"):
        decode(png((8, 8), 0, 8, False, grey[:4].tobytes()))
    monkeypatch.setattr(png_rows, "data_chunks", None)
    assert (decode(whole) == 7).all()


def test_a_bomb_is_inflated_no_further_than_promised() -> None:
    bomb = png((8, 8), 0, 8, False, bytes(1 << 28))
    begin = time.process_time()
    assert (decode(bomb) == 0).all() and time.process_time() - begin < 0.2
