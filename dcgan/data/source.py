"""What every source of encoded images offers, be it an LSUN LMDB, a folder or a tar (section 4).

A source knows how many items it has and yields those of one shard in key order. A shard is a range of that order, so
the shards put together are the same whatever their number. Items that cannot be read are yielded too, with the reason.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol


class Encoded(NamedTuple):
    """An item of a source: its encoded image, or None and the reason why it could not be read."""

    key: str
    content: bytes | None
    reason: str = ""


class Source(Protocol):
    """`count` encoded images with keys."""

    count: int

    def items(self, shard: int, shards: int) -> Iterator[Encoded]:
        """The items of shard number 0 <= shard < shards, in key order."""
        ...

    def key_from(self, at: bytes) -> bytes | None:
        """The first key that does not come before some bytes, as the source has it; None behind the last."""
        ...


# Control characters and line ends, which HDF5 (NUL), CSV (carriage return) or a message of one line cannot hold.
UNPRINTABLE = {code: f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" for code in (*range(32), *range(127, 160))}
UNPRINTABLE |= {code: f"\\u{code:04x}" for code in (0x2028, 0x2029)}


def as_text(name: bytes) -> str:
    """A key or file name as text that every file format here can hold; different names stay different.

    Bytes that are not UTF-8 and control characters become backslash escapes, and a backslash becomes two.
    """
    return name.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace").translate(UNPRINTABLE)
