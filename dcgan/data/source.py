"""What a source of encoded images is, whatever it is kept in: an LSUN LMDB, a folder or a tar (section 4).

A source knows how many items it has and hands out those of one shard in key order. A shard is a range of that order,
so the shards put together are the same whatever their number. What cannot be read is handed out too, with the reason.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol


class Encoded(NamedTuple):
    """An item of a source: its encoded image, or None and the reason why it could not be read."""

    key: str
    content: bytes | None
    reason: str = ""


class Source(Protocol):
    """Encoded images with keys."""

    count: int

    def items(self, shard: int, shards: int) -> Iterator[Encoded]:
        """The items of one shard, in key order."""
        ...
