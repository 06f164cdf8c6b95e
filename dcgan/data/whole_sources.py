"""The folders in a source that is read whole, be it a folder, a tar or an LMDB: a person is told of them.

Nothing is left out and nothing is refused here. Folders of a tar or LMDB are parts of its keys.
"""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from dcgan.data.archives import FolderSource
from dcgan.data.layouts import DEEPEST_WRAP, PEEKED, SPLIT_NAMES, UnclearLayout, listed, unwrapped
from dcgan.data.source import Source

KeyFrom = Callable[[bytes], bytes | None]  # the first key that does not come before some bytes, None behind the last
BEHIND_SLASH = b"0"  # the next byte


def top_folders(source: Source) -> list[str]:
    """The uppermost folders of a source, in order; further in while there is only one, as `unwrapped` goes."""
    return folders_of_keys(source.key_from)


def folders_of_folder(root: Path) -> list[str]:
    """The same of a folder that is not listed as a whole; none if folders lie in each other without end."""
    try:
        within, folders = unwrapped(root)
    except UnclearLayout:
        return []
    return [str(PurePosixPath(within) / name) for name in folders]


def folders_of_keys(key_from: KeyFrom) -> list[str]:
    """The same by keys; only folders among the first PEEKED names are seen."""
    within = b""
    for _ in range(DEEPEST_WRAP):
        folders, files = inside_keys(key_from, within)
        if files or len(folders) != 1 or is_split(os.fsdecode(folders[0])):
            break
        deeper = folders[0] + b"/"
        if not inside_keys(key_from, deeper)[0]:
            break
        within = deeper
    return [os.fsdecode(name) for name in folders]


def inside_keys(key_from: KeyFrom, within: bytes) -> tuple[list[bytes], bool]:
    """The folders below the beginning of keys, and whether files lie there too; a folder is passed in one step."""
    folders, files, at = list[bytes](), False, within
    for _ in range(PEEKED):
        key = key_from(at)
        if key is None or not key.startswith(within):
            break
        name, slash, _ = key[len(within) :].partition(b"/")
        at = within + name + BEHIND_SLASH if slash else key + b"\0"
        if slash:
            folders.append(within + name)
        else:
            files = True
    return folders, files


def is_split(folder: str) -> bool:
    """Whether a folder is named like a split."""
    return PurePosixPath(folder).name.lower() in SPLIT_NAMES


def split_folders(folders: Iterable[str]) -> list[str]:
    """Those that are named like splits."""
    return [name for name in folders if is_split(name)]


def tell_of_splits(path: Path, source: Source) -> None:
    """Prints that a source is read whole although folders in it are named like splits."""
    if splits := split_folders(top_folders(source)):
        settled = "name one of them" if isinstance(source, FolderSource) else "unpack it and name one of them"
        told = f"images of all of {listed(splits)} are taken; {settled} to leave the others out"
        print(f"{path}: {told}", file=sys.stderr)
