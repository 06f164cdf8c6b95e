"""Which folders of a labelled set hold its splits: train, test and validation (sections 4.3 and 5.1).

The usual names are known in any case, also in a set that lies in one more folder. Whatever else could be read in two
ways is refused: images for the test must not get into training, nor splits be taken for classes.
"""

import mimetypes
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath

from dcgan.core.files import InputError
from dcgan.data.archives import is_folder, printable, walk

SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
    **dict.fromkeys(("val", "valid", "validate", "validation", "dev", "eval", "evaluation"), "validation"),
}
# Within a longer name: train2017, ILSVRC2012_img_val, test-images, trainset, trainA, imagesTs.
WORDS = SPLIT_NAMES | {"trainval": "train", "trn": "train", "tr": "train", "tst": "test", "ts": "test"}
WORD = re.compile(rf"({'|'.join(WORDS)})(set|data|images|imgs|split)?")
PART = re.compile("[A-Z]+(?![a-z])|[A-Z]?[a-z]+")  # of a name, also in camel case
# Parts of one set, which are no classes: pictures, and what is told of them.
PICTURES = {"images", "image", "imgs", "img", "jpegimages", "pictures", "photos"}
TOLD = {"masks", "mask", "labels", "label", "annotations", "annotation", "segmentations", "segmentation", "trimaps"}
DEEPEST_WRAP = 4
LOOKED_INTO, PEEKED = 100, 1000  # folders in search of splits further in, and names in each: fast for any source
SHOWN = 8
Folders = dict[str, str]  # the folder of each split, relative to the set's; "" for the set's own


class UnclearLayout(InputError):
    """Folders that can be read in more than one way; the message lists them. best: what may be meant by the source."""

    def __init__(self, message: str, best: Path | None = None) -> None:
        super().__init__(message)
        self.best = best


class OneFolder(UnclearLayout):
    """All images lie in one folder, which may be a class or a folder of images without classes; there are no splits."""


def find_splits(root: Path) -> Folders:
    """The folder of each split; only train if the folders are classes, or if there are none.

    Raises UnclearLayout if some folders are splits and some are not, if two are the same split, if train is missing, if
    folders have longer names that tell of splits, or if splits lie further in.
    """
    within, folders = unwrapped(root)
    splits = [name for name in folders if name.lower() in SPLIT_NAMES]
    others = [name for name in folders if name.lower() not in SPLIT_NAMES]
    trains = [name for name in splits if SPLIT_NAMES[name.lower()] == "train"]
    train = root / within / trains[0] if trains else None
    if not splits:
        if alike := like_splits(folders):
            best = root / within / next(name for name in alike if WORDS[word_in(name) or ""] == "train")
            raise UnclearLayout(f"{root / within}: {listed(alike)} look like splits, but have other names", best)
        refuse_parts(root, within, folders)
        refuse_deeper(root, within)
        return {"train": within}
    found: Folders = {}
    for name in splits:
        split = SPLIT_NAMES[name.lower()]
        if split in found:
            raise UnclearLayout(f"{root / within}: {listed(splits)}: two folders are the {split} split", train)
        found[split] = str(PurePosixPath(within) / name)
    if others:
        raise UnclearLayout(f"{root / within}: {listed(splits)} are splits, {listed(others)} are not", train)
    if "train" not in found:
        raise UnclearLayout(f"{root / within}: {listed(splits)} are splits, but there is no folder train")
    if shared := shared_split(root, found):
        raise UnclearLayout(f"{root / within}: {shared}", train)
    for folder in found.values():
        refuse_parts(root, folder, inside(root / folder)[0])
    return {split: found[split] for split in dict.fromkeys(SPLIT_NAMES.values()) if split in found}


def shared_split(root: Path, folders: Folders) -> str:
    """What is wrong with splits of which one lies within another, or leads there by links; nothing if none does."""
    places = {split: Path(os.path.realpath(root / folder)) for split, folder in folders.items()}
    pairs = ((one, other) for one in places for other in places if one != other)
    within = next((pair for pair in pairs if places[pair[1]].is_relative_to(places[pair[0]])), None)
    return "" if within is None else "the {1} split lies within the {0} split".format(*within)


def like_splits(folders: Iterable[str]) -> list[str]:
    """Folders whose longer names tell of train and of another split; none of a single word, which may be a class."""
    words = {name: WORDS[word] for name in folders if (word := word_in(name))}
    return list(words) if "train" in words.values() and len(set(words.values())) > 1 else []


def refuse_parts(root: Path, within: str, folders: Iterable[str]) -> None:
    """Raises UnclearLayout if some folders hold pictures and others what is told of these, such as masks or labels."""
    parts = [name for name in folders if name.lower() in PICTURES | TOLD]
    pictures = [name for name in parts if name.lower() in PICTURES]
    if pictures and len(pictures) < len(parts):
        best = root / within / pictures[0]
        raise UnclearLayout(f"{root / within}: {listed(parts)} are parts of one set, not classes", best)


def named_as_told(root: Path) -> list[str]:
    """Files beside pictures that are named after these as their masks, labels and the like: 1_mask.png beside 1.jpg."""
    stems = {str(PurePosixPath(name).with_suffix("")) for name, reason in walk(root) if not reason}
    parts = ((stem, re.split("[-_ .]", stem)[-1]) for stem in stems)
    return sorted(stem for stem, part in parts if part.lower() in TOLD and stem[: -len(part) - 1] in stems)


def refuse_deeper(root: Path, within: str) -> None:
    """Raises UnclearLayout if folders further in hold splits, as ILSVRC/Data/CLS-LOC of ImageNet does."""
    places = deeper_splits(root, within)
    if not places:
        return
    splits = sorted({name for names in places.values() for name in names})
    sets = [place for place in places if has_images(root / place)] or list(places)
    best = root / sets[0] if len(sets) == 1 < len(places[sets[0]]) else None
    source = f" (best given as the source: {best})" if best else ""
    raise UnclearLayout(f"{root}: {listed(splits)} lie within {listed(sets)}{source}", best)


def deeper_splits(root: Path, within: str) -> dict[str, list[str]]:
    """The folders below one that hold splits, with these; only the uppermost, and of the first that are looked into."""
    pending, found = [within], dict[str, list[str]]()
    for place in islice(pending, LOOKED_INTO):  # the list grows meanwhile
        folders = peeked(root / place)
        splits = [name for name in folders if name.lower() in SPLIT_NAMES] or like_splits(folders)
        if splits:
            found[place] = splits
        else:
            pending += [str(PurePosixPath(place) / name) for name in folders]
    return found


def peeked(folder: Path) -> list[str]:
    """The folders among the first names in a folder that are not empty; none if it cannot be read, rejected later."""
    try:
        with os.scandir(folder) as found:
            names = [entry.name for entry in islice(found, PEEKED) if entry.name[0] != "." and is_folder(entry)]
    except OSError:
        return []
    return sorted((name for name in names if not is_empty(folder / name)), key=os.fsencode)


def has_images(folder: Path) -> bool:
    """Whether one of the first files below a folder is named like an image."""
    kinds = (mimetypes.guess_type(name)[0] for name, _ in islice(walk(folder), SHOWN))
    return any(kind is not None and kind.startswith("image/") for kind in kinds)


def unwrapped(root: Path) -> tuple[str, list[str]]:
    """The folder that a set lies in, and the folders in that one: further in while there is only one, without files."""
    within = ""
    for _ in range(DEEPEST_WRAP):
        folders, files = inside(root / within)
        if files or len(folders) != 1 or folders[0].lower() in SPLIT_NAMES:
            return within, folders
        deeper, _ = inside(root / within / folders[0])
        if not deeper:
            return within, folders
        within = str(PurePosixPath(within) / folders[0])
    raise UnclearLayout(f"{root / within}: more than {DEEPEST_WRAP} folders in each other")


def inside(folder: Path) -> tuple[list[str], bool]:
    """The folders in a folder that are not empty, in order of name, and whether it has files; hidden names left out."""
    try:
        with os.scandir(folder) as found:
            entries = [entry for entry in found if not entry.name.startswith(".")]
        folders = [entry.name for entry in entries if is_folder(entry)]
        filled = [name for name in folders if not is_empty(folder / name)]
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})") from error
    return sorted(filled, key=os.fsencode), len(entries) > len(folders)


def is_empty(folder: Path) -> bool:
    """Whether a folder holds nothing but hidden names; False if it cannot be read, which is rejected later."""
    try:
        with os.scandir(folder) as entries:
            return all(entry.name.startswith(".") for entry in entries)
    except OSError:
        return False


def word_in(name: str) -> str | None:
    """The word in a longer name that tells of a split, if any."""
    parts = (WORD.fullmatch(part.lower()) for part in PART.findall(name))
    return next((found[1] for found in parts if found), None)


def named_splits(root: Path, named: Mapping[str, str]) -> Folders:
    """The folders that a person names for the splits, relative to the set's; `.` is the set's own.

    Raises InputError for a folder that does not exist or lies outside of the set, or for one in another.
    """
    found = {
        split: "" if (path := PurePosixPath(folder)) == PurePosixPath() else str(path)
        for split, folder in named.items()
    }
    for split, folder in found.items():
        if PurePosixPath(folder).is_absolute() or ".." in PurePosixPath(folder).parts or not (root / folder).is_dir():
            raise InputError(f"{root / folder}: named for the {split} split, but no folder in {root}")
    if shared := shared_split(root, found):
        raise InputError(f"{root}: {shared}")
    return found


def check_classes(
    root: Path, classes: Mapping[str, Iterable[str]], deeper: Iterable[str], best: Path | None = None
) -> None:
    """Raises UnclearLayout for a split without a class of train, splits within the classes, or one class only.

    classes: the class folders of each split, none for images without classes. deeper: folders within the classes.
    best: what may be meant by the source, if anything.
    """
    found = {split: set(names) for split, names in classes.items()}
    train = found["train"]
    for split, names in found.items():
        if names and not names & train:
            seen = f"{listed(sorted(names))}; of train: {listed(sorted(train)) or 'none'}"
            raise UnclearLayout(f"{root}: {split} has no class in common with train; its folders: {seen}", best)
    splits = sorted({name for name in deeper if name.lower() in SPLIT_NAMES})
    if splits:
        raise UnclearLayout(f"{root}: {listed(splits)} lie within the class folders, {listed(sorted(train))}", best)
    for split, names in found.items():
        if len(names) == 1:
            unclear = OneFolder if len(found) == 1 else UnclearLayout
            raise unclear(f"{root}: all images of {split} lie in one class folder, {listed(names)}", best)


def refuse_alike(root: Path, below: Iterable[Sequence[str]]) -> None:
    """Raises UnclearLayout if several folders hold the same several folders and no files, as seen/ and unseen/ may.

    The outer ones may be splits of other names than the usual ones, or the inner ones parts of a class.
    below: for each place with files, the folders it lies in, the outermost first.
    """
    inner: dict[str, set[str]] = {}
    for outer, *further in filter(None, below):
        inner.setdefault(outer, set()).add(further[0] if further else "")
    first, outers = next(iter(inner.values()), set()), sorted(inner, key=os.fsencode)
    if len(inner) > 1 and len(first) > 1 and "" not in first and all(names == first for names in inner.values()):
        unclear = "the former may be splits or classes, the latter classes or parts of these"
        raise UnclearLayout(f"{root}: {listed(outers)} all hold {listed(sorted(first))}; {unclear}", root / outers[0])


def listed(names: Iterable[str]) -> str:
    """Folders' names for a message, the first eight."""
    shown: Sequence[str] = [f"{printable(name)}/" for name in names]
    return ", ".join(shown[:SHOWN]) + (f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else "")
