"""Whether all rows of a PNG are there.

If its compressed data end properly but too early, Pillow makes the rows that are missing black and complains about
nothing. A row that came is seldom all zeros, so most images are known to be whole by their last row. Others, and
interlaced ones, of which the last row may come before the end, are inflated once more and counted.
"""

import struct
import zlib
from collections.abc import Iterator

from PIL import Image

FIRST_CHUNK, HEADER = 8, 16  # places of chunks, and of what the first of them tells
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by the kind of colours
# First column and row of each pass, and steps between its columns and rows.
WHOLE = ((0, 0, 1, 1),)
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
ZLIB_HEADER = 2  # bytes
INFLATED_AT_ONCE = 1 << 20
CHUNK = struct.Struct(">I4s")
CHECKSUM = 4


def lacks_rows(image: Image.Image, encoded: bytes) -> bool:
    """Whether the data of a PNG end before its last row; `image` is what Pillow made of it, in any mode."""
    width, height, depth, colours, _, _, interlaced = struct.unpack_from(">IIBBBBB", encoded, HEADER)
    if not interlaced and any(image.crop((0, height - 1, width, height)).tobytes()):
        return False
    missing = promised_bytes(width, height, depth * CHANNELS[colours], ADAM7 if interlaced else WHOLE)
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)  # without a checksum: Pillow has the last word on damage
    packed = b"".join(data_chunks(encoded))[ZLIB_HEADER:]
    while missing > 0 and (part := inflate.decompress(packed, min(missing, INFLATED_AT_ONCE))):
        packed, missing = inflate.unconsumed_tail, missing - len(part)
    return missing > 0


def promised_bytes(width: int, height: int, bits: int, passes: tuple[tuple[int, int, int, int], ...]) -> int:
    """The inflated bytes of all rows of so many bits per pixel; each begins with the number of its filter."""
    size = 0
    for column, row, right, down in passes:
        columns, rows = -(-(width - column) // right), -(-(height - row) // down)
        if columns > 0:  # a pass without columns has no rows either
            size += max(rows, 0) * (1 + -(-columns * bits // 8))
    return size


def data_chunks(encoded: bytes) -> Iterator[bytes]:
    """The contents of the chunks with pixels, which follow each other."""
    at, begun = FIRST_CHUNK, False
    while at + CHUNK.size <= len(encoded):
        size, kind = CHUNK.unpack_from(encoded, at)
        at += CHUNK.size
        if kind == b"IDAT":
            begun = True
            yield encoded[at : at + size]
        elif begun:
            return
        at += size + CHECKSUM
