"""Opens a source of encoded images, whichever of three it is: an LSUN LMDB, a folder, or a tar.

Keys: the LMDB's keys; paths relative to the folder, with forward slashes; the names in the tar. Names that begin with a
dot are left out, as `ls` does. Keys are ordered by their bytes, on every system and under every locale.
"""

import os
import stat
import tarfile
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from dcgan.core.files import InputError
from dcgan.data.source import Encoded, Source, as_text

MAX_FILE_BYTES = 512 << 20


def open_source(path: Path) -> Source:
    """Opens an LMDB, a folder or a tar; raises InputError if the path is none of them, or holds nothing."""
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: does not exist")
    if path.is_dir() and not (path / "data.mdb").exists():
        return FolderSource(path)
    if path.is_file() and not is_lmdb(path):
        return TarSource(path)
    from dcgan.data.lsun import LsunSource  # lmdb is needed here only

    return LsunSource(path)


def is_lmdb(path: Path) -> bool:
    """Whether a file begins like an LMDB's data file; raises InputError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(20)[16:20] in (b"\xde\xc0\xef\xbe", b"\xbe\xef\xc0\xde")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def in_range(count: int, shard: int, shards: int) -> range:
    """The positions of one shard among `count` sorted items."""
    return range(count * shard // shards, count * (shard + 1) // shards)


def printable(name: str) -> str:
    """A file name as text that can be stored."""
    return as_text(os.fsencode(name))


class FolderSource:
    """All files under a folder. Links are followed, except to a folder that contains them."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.entries = sorted(walk(self.root), key=lambda entry: os.fsencode(entry[0]))
        self.count = len(self.entries)
        if self.count == 0:
            raise InputError(f"{self.root}: the folder holds no files")

    def items(self, shard: int, shards: int) -> Iterator[Encoded]:
        """The files of one shard, in key order."""
        for index in in_range(self.count, shard, shards):
            name, reason = self.entries[index]
            if reason:
                yield Encoded(printable(name), None, reason)
            else:
                yield read_file(self.root / name, printable(name))

    def key_from(self, at: bytes) -> bytes | None:
        """The first path that does not come before some bytes; None behind the last."""
        return first_name(self.entries, at)


def walk(root: Path) -> Iterator[tuple[str, str]]:
    """(relative path, "") for every file under a folder, (relative path, reason) for what cannot be entered."""
    pending: list[tuple[str, tuple[tuple[int, int], ...]]] = [("", ())]
    while pending:
        folder, above = pending.pop()
        try:
            status = os.stat(root / folder)
            identity = (status.st_dev, status.st_ino)
            if identity in above:
                yield folder, "symlink loop"
                continue
            with os.scandir(root / folder) as entries:
                found = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as error:
            yield folder, f"cannot be read: {error.strerror}"
            continue
        for entry in found:
            name = f"{folder}/{entry.name}" if folder else entry.name
            if is_folder(entry):
                pending.append((name, (*above, identity)))
            else:
                yield name, ""


def is_folder(entry: "os.DirEntry[str]") -> bool:
    """Whether an entry is a folder or a link to one; False for links that go round in circles."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def read_file(path: Path, key: str) -> Encoded:
    """The content of a file, or the reason why it cannot be read."""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return Encoded(key, None, "not a regular file")
        if status.st_size > MAX_FILE_BYTES:
            return Encoded(key, None, f"too large: {status.st_size:,} bytes")
        return Encoded(key, path.read_bytes())
    except OSError as error:
        return Encoded(key, None, f"cannot be read: {error.strerror}")


class Member(NamedTuple):
    """A file of a tar: the place and number of its bytes, or the reason why they cannot be used."""

    name: str
    offset: int
    size: int
    reason: str


class TarSource:
    """The files of an uncompressed tar; they are looked up once and then read at their offsets, in key order."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.members = sorted(read_index(self.path), key=lambda member: os.fsencode(member.name))
        self.count = len(self.members)
        if self.count == 0:
            raise InputError(f"{self.path}: the tar holds no files")

    def items(self, shard: int, shards: int) -> Iterator[Encoded]:
        """The members of one shard, in key order."""
        with self.path.open("rb") as file:
            for index in in_range(self.count, shard, shards):
                name, offset, size, reason = self.members[index]
                if not reason and index > 0 and name == self.members[index - 1].name:
                    reason = "duplicate key"
                yield read_member(file, Member(name, offset, size, reason))

    def key_from(self, at: bytes) -> bytes | None:
        """The first name that does not come before some bytes; None behind the last."""
        return first_name(self.members, at)


def first_name(entries: Sequence["tuple[str, str] | Member"], at: bytes) -> bytes | None:
    """Of entries in the order of their names, the first name that does not come before some bytes."""
    place = bisect_left(entries, at, key=lambda entry: os.fsencode(entry[0]))
    return os.fsencode(entries[place][0]) if place < len(entries) else None


def read_member(file: IO[bytes], member: Member) -> Encoded:
    """The content of a file of an opened tar, or the reason why it cannot be used."""
    key = printable(member.name)
    if member.reason:
        return Encoded(key, None, member.reason)
    file.seek(member.offset)
    content = file.read(member.size)
    return Encoded(key, content) if len(content) == member.size else Encoded(key, None, "the tar ends within it")


def first_members(path: Path) -> Iterator[Encoded]:
    """The files of a tar as they lie in it, without looking further; InputError if it is not an uncompressed tar."""
    with path.open("rb") as file:
        yield from (read_member(file, member) for member in read_index(path))


def read_index(path: Path) -> Iterator[Member]:
    """The members of a tar that are not folders; raises InputError if the file is not an uncompressed tar."""
    try:
        with tarfile.open(path, "r:") as archive:
            while (member := next_member(archive)) is not None:
                # tarfile keeps every header it has seen, a kilobyte each.
                archive.members = []  # type: ignore[attr-defined]
                name = "/".join(part for part in member.name.split("/") if part != ".")
                if not member.isdir() and not is_hidden(name):
                    yield Member(name, member.offset_data, member.size, reason_to_skip(member))
            if not has_end_mark(archive):
                yield Member(path.name, 0, 0, "the tar is cut off: it has no end mark")
    except (tarfile.TarError, OSError) as error:
        raise InputError(f"{path}: not an LMDB, a folder or an uncompressed tar ({error})") from error


def is_hidden(name: str) -> bool:
    """Whether the name of a file, or of a folder above it, begins with a dot."""
    return any(part.startswith(".") and part != ".." for part in name.split("/"))


def next_member(archive: tarfile.TarFile) -> tarfile.TarInfo | None:
    """The next header, or None at the end, be it the proper one or a cut; raises ReadError at the very start."""
    try:
        return archive.next()
    except tarfile.ReadError:
        if archive.offset == 0:
            raise
        return None


def has_end_mark(archive: tarfile.TarFile) -> bool:
    """Whether a block of zeros follows the last member, as in any complete tar."""
    assert archive.fileobj is not None
    archive.fileobj.seek(archive.offset)
    return archive.fileobj.read(tarfile.BLOCKSIZE) == bytes(tarfile.BLOCKSIZE)


def reason_to_skip(member: tarfile.TarInfo) -> str:
    """Why a member of a tar cannot be used, or an empty text."""
    if not member.isreg():
        return "not a regular file"
    if member.issparse():
        return "stored as a sparse file"
    return f"too large: {member.size:,} bytes" if member.size > MAX_FILE_BYTES else ""
