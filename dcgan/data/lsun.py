"""Reads LSUN's LMDB archives: 3,033,042 bedrooms in 43 GB, each value one encoded image (section 4.1).

The archive is opened read-only and without a lock file, so any number of jobs can share it. There is no index of the
keys, which takes other readers hours: a shard is a range of the key space, computed from the first and the last key.
The shards put together are the whole archive in key order, whatever their number.
"""

from collections.abc import Generator, Iterator
from pathlib import Path

import lmdb

from dcgan.core.files import InputError
from dcgan.data.source import Encoded, as_text

# LMDB maps the archive into memory, and pages once touched count as the process's own until they are unmapped.
REOPEN_AFTER_BYTES = 128 << 20


class LsunSource:
    """An LMDB whose values are encoded images; raises InputError if the path is not an LMDB, is cut off or empty."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        with self._open() as environment:
            self.count = int(environment.stat()["entries"])
        if self.count == 0:
            raise InputError(f"{self.path}: the LMDB holds no images")

    def _open(self) -> lmdb.Environment:
        """Opens the archive and compares its recorded size with the size of the file.

        Reading a page behind the end of the file would kill the process instead of raising an error.
        """
        data = self.path / "data.mdb" if self.path.is_dir() else self.path
        try:
            environment = lmdb.open(str(data), subdir=False, readonly=True, lock=False, create=False)
        except (lmdb.Error, OSError) as error:
            raise InputError(f"{self.path}: not an LMDB ({error})") from error
        expected = (int(environment.info()["last_pgno"]) + 1) * int(environment.stat()["psize"])
        actual = data.stat().st_size
        if actual < expected:
            environment.close()
            raise InputError(f"{self.path}: the LMDB is cut off: {actual:,} of {expected:,} bytes are there")
        return environment

    def items(self, shard: int, shards: int) -> Iterator[Encoded]:
        """The images whose keys lie in the range of one shard, in key order; raises InputError if data are damaged."""
        begin, end = self.boundaries(shards)[shard : shard + 2]
        resume = begin
        while resume is not None:
            resume = yield from self._stretch(resume, end)

    def _stretch(self, begin: bytes, end: bytes | None) -> Generator[Encoded, None, bytes | None]:
        """Yields images from one key on; returns the next key after REOPEN_AFTER_BYTES, None at the end."""
        with self._open() as environment, environment.begin() as transaction, transaction.cursor() as cursor:
            read_bytes, previous = 0, None
            try:
                if not cursor.set_range(begin):
                    return None
                for key, value in cursor.iternext():
                    if end is not None and key >= end:
                        return None
                    if key == previous:
                        yield Encoded(as_text(key), None, "duplicate key")
                        continue
                    if read_bytes > REOPEN_AFTER_BYTES:
                        return bytes(key)
                    previous = key
                    read_bytes += len(value)
                    yield Encoded(as_text(key), value)
            except lmdb.Error as error:
                raise InputError(f"{self.path}: the LMDB is damaged ({error})") from error
        return None

    def key_from(self, at: bytes) -> bytes | None:
        """The first key that does not come before some bytes; None behind the last."""
        with self._open() as environment, environment.begin() as transaction, transaction.cursor() as cursor:
            return bytes(cursor.key()) if cursor.set_range(at) else None

    def boundaries(self, shards: int) -> list[bytes | None]:
        """The first keys of the shards, and None for the end of the last: `shards` + 1 values, the first empty."""
        if shards == 1:
            return [b"", None]
        with self._open() as environment, environment.begin() as transaction, transaction.cursor() as cursor:
            cursor.first()
            first = cursor.key()
            cursor.last()
            last = cursor.key()
            prefix = common_prefix(first, last)
            sample = [first, last]
            for byte in range(256):
                if cursor.set_range(prefix + bytes([byte])):
                    sample.append(cursor.key())
        return [b"", *split_keys(first, last, shards, sample), None]


def split_keys(first: bytes, last: bytes, shards: int, sample: list[bytes]) -> list[bytes]:
    """Cuts the space between two keys into equal parts; returns the shards - 1 cuts, in order.

    A key is read as the digits of a fraction. The alphabet is what `sample` shows: 16 digits for LSUN's hexadecimal
    keys, 10 for numbered ones. An unlucky alphabet makes unequal shards, never a wrong result.
    """
    alphabet = sorted({byte for key in sample for byte in key})
    length = max(len(first), len(last), 8)
    low, high = as_number(first, alphabet, length), as_number(last, alphabet, length)
    return [as_key(low + (high - low) * number // shards, alphabet, length) for number in range(1, shards)]


def common_prefix(first: bytes, last: bytes) -> bytes:
    """The bytes with which both keys begin."""
    length = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    return first[:length]


def as_number(key: bytes, alphabet: list[int], length: int) -> int:
    """A key as a whole number of `length` digits."""
    number = 0
    for position in range(length):
        digit = alphabet.index(key[position]) if position < len(key) else 0
        number = number * len(alphabet) + digit
    return number


def as_key(number: int, alphabet: list[int], length: int) -> bytes:
    """The key of `length` digits that stands for a number."""
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(alphabet))
        digits.append(alphabet[digit])
    return bytes(reversed(digits))
