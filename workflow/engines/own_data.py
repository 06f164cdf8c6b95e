"""Looks into data that a person may have brought: raw sources by names and headers, image stores by their headers."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dcgan.core.files import InputError
from workflow.engines.dag import is_folder
from workflow.params.consistency import Rule, where_only_stages_write
from workflow.params.image_kinds import SPLITS, ImageKind, labelled_folders, named_stores
from workflow.params.rows import PackedRows
from workflow.params.sections import Params

if TYPE_CHECKING:
    from dcgan.data.contents import Contents


def stores_to_open(params: Params) -> dict[str, tuple[str, "Callable[[Path], Contents | None]"]]:
    """Path -> the first key that names it and what looks into it, of each image store that may be one's own."""
    named = {key: path for key, path in named_stores(params) if not is_folder(path)}
    found: dict[str, tuple[str, Callable[[Path], Contents | None]]] = {
        path: (key, open_store) for key, path in reversed(named.items())
    }
    for key, folder, needed in labelled_folders(params):
        found = {
            f"{folder}/{split}.h5": (f"{key} ({split}.h5)", partial(open_store, in_a_set=split in needed))
            for split in SPLITS
        } | found
    return found


def own_sets(params: Params, found: "Mapping[str, Contents]") -> dict[str, PackedRows]:
    """What one's own folders of labelled stores hold, if no store is missing."""
    sets = {}
    for key, folder, needed in labelled_folders(params):
        splits = {split: one for split in SPLITS if (one := found.get(f"{key} ({split}.h5)")) is not None}
        if not where_only_stages_write(folder) and splits.keys() >= set(needed):
            train = splits["train"]
            counts = {split: one.splits[""] for split, one in splits.items()}
            others = sorted({name for one in splits.values() for name in one.names} - set(train.names))
            unfit = f"train.h5 has no image of {', '.join(others)}" if others else ""
            sets[folder] = PackedRows(counts, train.classes, train.labels, train.names, unfit)
    return sets


def unusable(params: Params, found: "Mapping[str, Contents]") -> Iterator[Rule]:
    """Sources of which more items are no images, or too small, than may be rejected; of a sample, twice as many may."""
    from dcgan.data.decoding import PILLOW_FORMATS  # OpenCV is needed here only

    for key, contents in found.items():
        if (looked := contents.looked) is None:
            continue
        section = getattr(params, name := key.partition(".")[0])
        share, least = section.max_rejects, getattr(section, "min_side", 0)
        rejects = share * looked.looked_at * (1 if looked.looked_at == looked.items else 2)
        of = f"of {looked.looked_at:,} files of {key} are"
        are = f"{looked.unreadable:,} {of} no {', '.join(PILLOW_FORMATS)}, {looked.first} first"
        yield looked.unreadable > rejects, f"{name}.max_rejects", share, are
        small = [one for one, side in looked.sides.items() if side < least]
        if looked.unreadable <= rejects < looked.unreadable + len(small):
            most = sorted(looked.sides.values())[int(rejects) - looked.unreadable]
            smaller = f"{len(small):,} {of} smaller, {small[0]} first; {name}.max_rejects is {share}"
            yield True, f"{name}.min_side", least, f"at most {most}: {smaller}"


def own_kinds(params: Params, found: "Mapping[str, Contents]") -> dict[str, ImageKind]:
    """What the headers of one's own image stores tell of their images, by path."""
    named = {path: key for path, (key, _) in stores_to_open(params).items() if not where_only_stages_write(path)}
    opened = {path: found[key] for path, key in named.items() if key in found}
    return {
        path: ImageKind(one.shape[0], one.shape[2], labelled=one.classes > 0, classes=one.classes)
        for path, one in opened.items()
    }


def folder_of(path: str) -> str:
    """The folder that a path lies in, as its text has it."""
    return path.rpartition("/")[0]


def look_into(path: Path, kind: Any, named: Mapping[str, str] | None = None) -> "Contents":
    """What a source holds; raises InputError if it is none of its kind."""
    from dcgan.data.contents import contents_of
    from dcgan.data.formats import inspect_source

    inspect_source(path, kind, named)
    return contents_of(path, kind, named)


def open_store(path: Path, *, in_a_set: bool = False) -> "Contents | None":
    """What the header of an image store tells; raises InputError if a file is none, or missing in a set's folder."""
    from dcgan.data.contents import Contents
    from dcgan.data.image_store import ImageStore  # h5py is needed here only

    if not path.exists():
        if in_a_set and path.parent.is_dir():
            raise InputError(f"{path}: does not exist")
        return None
    store = ImageStore(path)
    height, width, channels = store.shape[1:]
    if height != width:
        raise InputError(f"{path}: its images are {height} x {width}; networks make square ones")
    numbers = np.array([], np.int64) if store.labels is None else store.labels
    classes = 0 if store.labels is None else max(len(store.classes), int(numbers.max(initial=-1)) + 1)
    there, labels = np.unique(numbers, return_inverse=True)
    names = [store.classes[number] if number < len(store.classes) else f"class {number}" for number in there]
    shape = (height, width, channels)
    return Contents("image store", {"": len(store)}, classes, tuple(labels.tolist()), names, shape=shape)


def open_file(path: Path) -> None:
    """Raises InputError if a file of a model is none."""
    if not path.is_file():
        raise InputError(f"{str(path)!r} is no file")
