"""Files that are either whole or absent.

A reader never meets half a file under its final name: outputs are written to a temporary name in the same folder,
flushed to the disk and renamed. Also the one exception that means "the input is wrong, not the program".
"""

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class InputError(Exception):
    """What a person gave (a parameter, a path, a file) cannot be used; the message is one line for that person."""


@contextmanager
def replace_when_done(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`; renames it to `path` on success and removes it on any failure.

    Raises InputError where the disk is full or a quota is used up.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        flush_to_disk(partial)
        os.replace(partial, path)
        flush_to_disk(path.parent)
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        raise InputError(
            f"{path}: no space left to write it ({os.strerror(error.errno)}); it was left as it was"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def flush_to_disk(path: Path) -> None:
    """Asks the system to write a file's data, or a folder's entries, to the disk before going on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a mapping as indented JSON; NaN and infinity raise ValueError, because no reader agrees on them."""
    text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    with replace_when_done(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Writes a table as CSV without its index, with the same line ends on every system."""
    with replace_when_done(path) as partial:
        table.to_csv(partial, index=False, lineterminator="\n")


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object; raises InputError where the file is none."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable JSON file ({error})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(content).__name__}")
    return content
