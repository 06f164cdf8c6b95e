"""Files that are either whole or absent.

A reader never meets half a file under its final name: outputs are written to a temporary name in the same folder,
flushed to the disk and renamed. The module also holds `InputError`, which means that the input is wrong and not the
program; a full or read-only disk raises it too.
"""

import errno
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


class InputError(Exception):
    """What a person gave (a parameter, a path, a file) cannot be used; the message is a line for that person.

    Several lines are several things that are wrong.
    """


def raise_all(problems: Iterable[str]) -> None:
    """Raises InputError with a line for each problem, once, if there are any."""
    lines = list(dict.fromkeys(problems))
    if lines:
        raise InputError("\n".join(lines))


# What the system says of a disk that is full, over quota, read-only or somebody else's.
STORAGE_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
# And of a place where no such file can be: it is a folder, or lies below a file. While writing only: elsewhere these
# may be about what is read.
PLACE_ERRORS = {errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG}


@contextmanager
def replace_when_done(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`; renames it to `path` on success and removes it on any failure.

    Raises InputError if the disk refuses the file: full, over quota, read-only, or its place taken by a folder.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with report_storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            flush_to_disk(partial)
            os.replace(partial, path)
            flush_to_disk(path.parent)
    finally:
        with suppress(OSError):  # it would hide why there is no file
            partial.unlink(missing_ok=True)


@contextmanager
def report_storage_errors(path: Path) -> Iterator[None]:
    """Turns an error of the disk into an InputError that names `path`, the file being written."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        problem = storage_problem(error) or place_problem(error)
        # A copy's error has two names, and the second is the one that was written.
        named = Path(getattr(error, "filename2", None) or getattr(error, "filename", None) or path)
        if problem is None or (named not in path.parents and path.parent not in named.parents):
            raise
        raise InputError(f"{path}: cannot be written ({problem})") from error


def place_problem(error: BaseException) -> str | None:
    """What is wrong with the place of a file to be written, or None if the error is about something else."""
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno in PLACE_ERRORS else None


def storage_problem(error: BaseException) -> str | None:
    """What is wrong with the disk, in the system's words, or None if the error is about something else.

    HDF5, LMDB and safetensors raise errors of their own that quote the system's; HDF5 some of them on top of the first.
    """
    if isinstance(error, OSError) and error.errno in STORAGE_ERRORS:
        return os.strerror(error.errno)
    quoted = {os.strerror(number): os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)}
    # LMDB's words for a write that was cut short.
    quoted["mdb_txn_commit: Input/output error"] = "Input/output error: is the disk full?"
    found = next((meaning for words, meaning in quoted.items() if words in str(error)), None)
    return found or (storage_problem(error.__context__) if error.__context__ else None)


def remove_others(found: Iterable[Path], written: Collection[Path]) -> None:
    """Removes the files of an earlier run that this one has not written; `found` is what a stage may write."""
    for path in set(found) - set(written):
        path.unlink(missing_ok=True)


def flush_to_disk(path: Path) -> None:
    """Asks the system to write a file's data, or a folder's entries, to the disk before going on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a mapping as indented JSON; NaN and infinity raise ValueError, because readers disagree about them."""
    text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    with replace_when_done(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_csv(path: Path, table: "pd.DataFrame") -> None:
    """Writes a table as CSV without its index, with the same line ends on every system."""
    with replace_when_done(path) as partial:
        table.to_csv(partial, index=False, lineterminator="\n")


def read_csv(path: Path, types: Mapping[str, Any]) -> "pd.DataFrame":
    """Reads a table that has at least the named columns; raises InputError for any other file.

    In columns of type str every text stays itself, be it empty or `NA`; in all others an empty text means none.
    """
    import pandas as pd  # most of a second, which stages without tables are spared

    try:
        missing_at = {name: [""] for name in pd.read_csv(path, nrows=0).columns if types.get(name) is not str}
        table = pd.read_csv(path, dtype=dict(types), keep_default_na=False, na_values=missing_at)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable table ({' '.join(str(error).split())})") from error
    missing = [name for name in types if name not in table.columns]
    if missing:
        raise InputError(f"{path}: the table has no column {missing[0]}; found {', '.join(map(str, table.columns))}")
    return table


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object; raises InputError if the file cannot be read or holds anything else."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable JSON file ({error})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(content).__name__}")
    return content


def free_name(path: Path) -> Path:
    """The path itself if nothing has that name yet, else rooms.1.json beside rooms.json, rooms.2.json and so on."""
    names = (path.with_suffix(f".{number}{path.suffix}") for number in count(1))
    return next(name for name in chain([path], names) if not name.exists())
