"""Digests of files and folders as DVC makes them: `md5:...` as in dvc.lock, for a folder `md5:....dir`.

An input larger than 256 MB, or of more than 10,000 files, is not read: no 43 GB are read twice. `unread: ...` has its
size and its last change. If a stage made it, the digest is among the outputs in that stage's sidecar.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from workflow.engines.code_dependencies import code_digests, list_text, listed_script
from workflow.engines.dag import TIMESTAMP

READ_BYTES, READ_FILES = 256_000_000, 10_000
OF_PYTHON = "__pycache__"
MISSING = "missing"  # the stage's main complains of it


def digest_of_input(root: Path, path: str) -> str:
    """The digest of what a stage reads. A list of code counts as the code is: only DVC needs it to be written."""
    script = listed_script(path)
    if script is not None:
        return digest_of_text(list_text(code_digests(script, root)))
    try:
        found = [(root / path / name).stat() for name in islice(files_of(root / path), READ_FILES + 1)]
        if len(found) > READ_FILES:
            return f"unread: more than {READ_FILES:,} files"
        size, changed_ns = sum(file.st_size for file in found), max((file.st_mtime_ns for file in found), default=0)
        if size <= READ_BYTES:
            return digest_of(root / path)
    except OSError:
        return MISSING
    changed = datetime.fromtimestamp(changed_ns / 1e9, UTC).isoformat()
    return f"unread: {len(found)} files, {size} bytes, changed {changed}"


def without_time(digest: str) -> str:
    """A digest that two runs can be compared by: engines renew times, so of what is unread the size counts."""
    return digest.partition(", changed ")[0]


def digest_of_output(root: Path, path: str) -> str:
    """The digest of what a stage has made, however large it is."""
    return digest_of(root / path) if (root / path).exists() else MISSING


def digest_of(path: Path) -> str:
    """A file's MD5, a folder's as DVC makes it: the MD5 of a list of its files' names and MD5s."""
    if not path.is_dir():
        return f"md5:{md5_of(path)}"
    entries = [{"md5": md5_of(path / name), "relpath": name} for name in sorted(files_of(path))]
    return f"{digest_of_text(json.dumps(entries))}.dir"


def digest_of_text(text: str) -> str:
    """The digest of a file that holds a text."""
    return f"md5:{hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}"


def md5_of(path: Path) -> str:
    """A file's MD5, which is what DVC calls it by; nothing depends on its strength."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def files_of(path: Path) -> Iterator[str]:
    """Every file by its path below a folder; for a file the empty path."""
    if not path.is_dir():
        yield ""
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if name != OF_PYTHON]
        inside = Path(folder).relative_to(path)
        yield from ((inside / name).as_posix() for name in names if name != TIMESTAMP)
