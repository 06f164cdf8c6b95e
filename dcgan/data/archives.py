"""Opens a source of encoded images by what it is: an LSUN LMDB, a folder, or a tar.

Keys: the LMDB's keys; paths relative to the folder, with forward slashes; the names in the tar. Names that begin with a
dot are left out, as `ls` does. Order is that of the bytes, on every system and under every locale.
"""

import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dcgan.core.files import InputError
from dcgan.data.source import Encoded, Source

MAX_FILE_BYTES = 512 << 20


def open_source(path: Path) -> Source:
    """Opens an LMDB, a folder or a tar by what it is; raises InputError where it is none, or holds nothing."""
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
    """Whether a file begins like an LMDB's data file."""
    try:
        with path.open("rb") as file:
            return file.read(20)[16:20] in (b"\xde\xc0\xef\xbe", b"\xbe\xef\xc0\xde")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def in_range(count: int, shard: int, shards: int) -> range:
    """The positions of a shard among `count` sorted items."""
    return range(count * shard // shards, count * (shard + 1) // shards)


def printable(name: str) -> str:
    """A file name as text that can be stored; bytes that are not UTF-8 stay visible."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


class FolderSource:
    """All files under a folder. Links are followed, except to a folder that one is already in."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.entries = sorted(walk(self.root), key=lambda entry: os.fsencode(entry[0]))
        self.count = len(self.entries)
        if self.count == 0:
            raise InputError(f"{self.root}: the folder holds no files")

    def items(self, shard: int, shards: int) -> Iterator[Encoded]:
        """The files of one shard, in key order."""
        for index in in_range(self.count, shard, shards):
            name, trouble = self.entries[index]
            if trouble:
                yield Encoded(printable(name), None, trouble)
            else:
                yield read_file(self.root / name, printable(name))


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
    """Whether an entry is a folder, or a link to one; a link that goes round in circles is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def read_file(path: Path, key: str) -> Encoded:
    """The content of a file, or why there is none."""
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
    """A file of a tar: where its bytes are, or why they cannot be used."""

    name: str
    offset: int
    size: int
    trouble: str


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
                name, offset, size, trouble = self.members[index]
                if not trouble and index > 0 and name == self.members[index - 1].name:
                    trouble = "duplicate key"
                if trouble:
                    yield Encoded(printable(name), None, trouble)
                    continue
                file.seek(offset)
                content = file.read(size)
                whole = len(content) == size
                yield Encoded(printable(name), content if whole else None, "" if whole else "the tar ends within it")


def read_index(path: Path) -> Iterator[Member]:
    """The members of a tar without those that are folders; raises InputError where the file is no plain tar."""
    try:
        with tarfile.open(path, "r:") as archive:
            while (member := next_member(archive)) is not None:
                # tarfile keeps every header it has seen, a kilobyte each.
                archive.members = []  # type: ignore[attr-defined]
                name = member.name.removeprefix("./")
                if not member.isdir() and not name.rpartition("/")[2].startswith("."):
                    yield Member(name, member.offset_data, member.size, trouble_with(member))
            if not has_end_mark(archive):
                yield Member(path.name, 0, 0, "the tar is cut off: it has no end mark")
    except (tarfile.TarError, OSError) as error:
        raise InputError(f"{path}: not an LMDB, a folder or an uncompressed tar ({error})") from error


def next_member(archive: tarfile.TarFile) -> tarfile.TarInfo | None:
    """The next header; one that is cut off becomes a member that cannot be read."""
    try:
        return archive.next()
    except tarfile.ReadError:
        if archive.offset == 0:
            raise
        return None


def has_end_mark(archive: tarfile.TarFile) -> bool:
    """Whether a block of zeros follows the last member, as it does in a tar that is all there."""
    assert archive.fileobj is not None
    archive.fileobj.seek(archive.offset)
    return archive.fileobj.read(tarfile.BLOCKSIZE) == bytes(tarfile.BLOCKSIZE)


def trouble_with(member: tarfile.TarInfo) -> str:
    """Why a member of a tar cannot be used, or nothing."""
    if not member.isreg():
        return "not a regular file"
    if member.issparse():
        return "stored as a sparse file"
    return f"too large: {member.size:,} bytes" if member.size > MAX_FILE_BYTES else ""
