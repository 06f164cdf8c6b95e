"""The preset `folder` for pictures of one's own: what they are, and what the preset's numbers become.

Input: the path of a folder, an uncompressed tar or an LMDB of images; a size, 32 or 64; a network, if not the usual one
of that size. Output: texts in the form of a preset's file, and in words what was understood.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dcgan.core.files import InputError
from dcgan.data.archives import FolderSource, open_source, printable
from dcgan.data.formats import inspect_source
from dcgan.data.image_folders import FolderSplit, open_folder, splits_without_classes
from dcgan.data.labelled import rarest_class
from dcgan.data.layouts import SPLIT_NAMES, OneFolder, UnclearLayout, find_splits, listed, named_as_told
from dcgan.data.source import Source
from dcgan.data.whole_sources import split_folders, top_folders
from dcgan.models.architectures import ARCHITECTURES
from workflow.params.consistency import OF_STAGES
from workflow.params.rows import LEAST_OF_A_CLASS as LEAST_TO_DRAW_FROM
from workflow.params.types import check_path

OWN = Path(__file__).parent / "own"
ANNOTATIONS = Path("data/annotations/mine.json")
USUAL_NETWORKS = {32: "svhn32", 64: "tutorial64"}
LEAST_IMAGES = 100
LEAST_OF_A_CLASS = 20  # on average; else a folder is an album or a person, not a class
SEEN_IMAGES = 500_000  # by the discriminator
MOST_EPOCHS, FEWEST_EPOCHS = 300, 10
SHARD_IMAGES, MOST_SHARDS = 100_000, 16


class Classes(NamedTuple):
    """What class folders hold: images for training, and how many were drawn from these for the test.

    splits: the folder of each split, if not by its name; validated: images for validation have a split of their own.
    """

    images: int
    drawn: int = 0
    splits: Mapping[str, str] | None = None
    validated: bool = False


def own_folder(images: str | None, size: str | None, network: str | None) -> tuple[list[str], list[str]]:
    """The texts that go over the preset `folder`, and what was understood, a line each.

    Raises InputError if images or size are missing, or are none that a network can be trained on.
    """
    if images is None:
        raise InputError("PRESET=folder needs IMAGES=FOLDER, a tar or an LMDB of pictures, and SIZE=32 or SIZE=64")
    sides = {str(side): side for side in USUAL_NETWORKS}
    side = sides.get(size or "")
    if side is None:
        raise InputError(f"SIZE={size or ''}: one of {', '.join(sides)}")
    path = Path(os.path.abspath(os.path.expandvars(os.path.expanduser(images))))
    refuse_odd_name(path)
    refuse_outputs(path)
    source = open_images(path)
    refuse_masks(path)
    classes, note = find_classes(path, source)
    count = source.count
    notes = [f"{path}: {count:,} items; {note}"]
    texts = [as_text(values_of(path, count, side, network_of(side, network)))]
    if classes:
        texts = [own_text("classes"), *texts, as_text(class_values(path, classes, side))]
    if ANNOTATIONS.exists():
        images = f"data/{'packed/mine/train' if classes else 'mine/unique'}.h5"
        texts += [own_text("annotations"), as_text({"figures": {"arithmetic": {"mine": {"images": images}}}})]
        notes.append(f"{ANNOTATIONS}: window removal, arithmetic and turn as well")
    return texts, notes


def own_text(name: str) -> str:
    """What one of the files of `own/` adds."""
    return (OWN / f"{name}.yaml").read_text(encoding="utf-8")


def network_of(size: int, name: str | None) -> str:
    """A network for colour images of a size; raises InputError if the named one is none."""
    fitting = [
        row.name for row in ARCHITECTURES.values() if (row.image_size, row.channels, row.classes) == (size, 3, 0)
    ]
    if name is not None and name not in fitting:
        raise InputError(f"NETWORK={name}: for SIZE={size} one of {', '.join(fitting)}")
    return name or USUAL_NETWORKS[size]


def refuse_odd_name(path: Path) -> None:
    """Raises InputError if params.yaml, which is UTF-8 without control characters, cannot hold a path."""
    written = printable(str(path))
    try:
        check_path(str(path))
    except ValueError as error:
        raise InputError(f"IMAGES: {written}: {error}") from error
    if written != str(path):
        odd = "bytes that are no UTF-8, or control characters, which params.yaml cannot hold"
        raise InputError(f"IMAGES: {written}: its name has {odd}; rename it, or give a link to it")


def refuse_outputs(path: Path) -> None:
    """Raises InputError if a path, links followed, holds what stages write in this checkout, or lies in it."""
    place = path.resolve()
    for made in (Path(*parts).resolve() for parts in [*sorted(OF_STAGES), ("data", "mine"), ("results",)]):
        if made.is_relative_to(place) or place.is_relative_to(made):
            raise InputError(f"IMAGES: {path} holds what the DAG makes, such as {made}; it is no source")


def open_images(path: Path) -> Source:
    """The files of a folder, or the items of an archive; raises InputError if they are too few or no images."""
    try:
        inspect_source(path, "lsun")
        source = open_source(path)
    except InputError as error:
        raise InputError(f"IMAGES: {error}") from error
    if source.count < LEAST_IMAGES:
        raise InputError(
            f"IMAGES: {path}: {source.count} files; a DCGAN needs {LEAST_IMAGES} pictures or more, better thousands"
        )
    return source


def refuse_masks(path: Path) -> None:
    """Raises InputError if masks lie beside the pictures: they would be learned from as well."""
    if path.is_dir() and (masks := named_as_told(path)):
        seen = (
            f"{len(masks):,} files such as {printable(masks[0])} are named as masks or labels of pictures beside them"
        )
        raise InputError(f"IMAGES: {path}: {seen}; move them into another folder")


def find_classes(path: Path, source: Source) -> tuple[Classes | None, str]:
    """The class folders, None if there are none that a classifier could be trained on; and in words what was found.

    Raises InputError if the folders can be read in more than one way: no image for the test may be learned from.
    """
    if not isinstance(source, FolderSource):
        return None, f"pictures without classes{note_of_archive(source)}"
    try:
        found = open_folder(path)
    except OneFolder as error:
        return None, without_classes(source, f" ({error})")
    except UnclearLayout as error:
        such = f", such as IMAGES={error.best}," if error.best else ""
        settled = f"name the folder to learn from{such} or rename what is misread"
        raise InputError(f"IMAGES: {error}; {settled}") from error
    bare = splits_without_classes(found)
    sizes = {split.name: len(split) for split in found.splits if split.name not in bare}
    train = next(split for split in found.splits if isinstance(split, FolderSplit) and split.name == "train")
    if train.labels is None:
        return None, without_classes(source)
    if len(train) < LEAST_OF_A_CLASS * len(found.classes):
        few = f"{len(found.classes):,} folders are no classes: fewer than {LEAST_OF_A_CLASS} files in each on average"
        return None, without_classes(source, f" ({few})")
    if (unlearned := rarest_class(train.labels, found.classes)) is not None and unlearned[1] == 0:
        raise InputError(f"IMAGES: {path}: class folder {unlearned[0]}/ has no files for training, only for a test")
    classes = f"{len(found.classes)} class folders, {listed(found.classes)}"
    note = f"{classes}; so features, SVM and confusion matrix as well; "
    folders = find_splits(path)
    note += "".join(f"{folders[split]}/ has none and is of no use for these; " for split in bare)
    named = {split: folders[split] for split in sizes} if bare else None
    if "test" in sizes:
        return Classes(len(train), splits=named, validated="validation" in sizes), (
            f"{note}{sizes['test']:,} are for the test"
        )
    if "validation" in sizes:
        named = {"train": folders["train"], "test": folders["validation"]}
        return Classes(len(train), splits=named), f"{note}{named['test']}/ is for the test"
    rarest = rarest_class(train.labels, found.classes)
    if rarest is not None and rarest[1] < LEAST_TO_DRAW_FROM:
        few = f"class folder {rarest[0]}/ has {rarest[1]} of the {LEAST_TO_DRAW_FROM} files that each needs"
        reason = "none may be left to learn from once others are drawn for the test"
        settled = "add pictures, remove the folder, or bring folders train/ and test/"
        raise InputError(f"IMAGES: {path}: {few}: {reason}; {settled}")
    drawn = len(train) // 5
    return Classes(len(train) - drawn, drawn, named), f"{note}{drawn:,} of {len(train):,} are for the test"


def without_classes(source: FolderSource, reason: str = "") -> str:
    """What is told of pictures that only a DCGAN learns from; all of them, also of folders that look like splits."""
    splits = split_folders(top_folders(source))
    if not splits:
        return f"pictures without classes{reason}"
    one = next((name for name in splits if SPLIT_NAMES[Path(name).name.lower()] == "train"), splits[0])
    taken = f"all of {listed(splits)} are learned from, IMAGES={source.root / one} takes one"
    return f"pictures without classes{reason}; {taken}"


def note_of_archive(source: Source) -> str:
    """What is told of folders in a tar or an LMDB, which cannot be named; nothing if they could be no choice."""
    folders = top_folders(source)
    if len(folders) < 2 and not split_folders(folders):
        return ""
    return f"; all of {listed(folders)} are learned from, folders in an archive are no classes: unpack it to use them"


def values_of(path: Path, count: int, size: int, network: str) -> dict[str, Any]:
    """What depends on the pictures: as many epochs as show half a million of them, but not too few or too many."""
    epochs = min(max(round(SEEN_IMAGES / count), FEWEST_EPOCHS), MOST_EPOCHS)
    seen = epochs * count
    shards = min(1 + count // SHARD_IMAGES, MOST_SHARDS)
    return {
        "export": {"source": str(path), "shards": list(range(shards)), "image_size": size},
        "shared": {"train": {"frame_images": max(seen // 25, 1)}},
        "train": {
            "mine": {
                "network": network,
                "latent": ARCHITECTURES[network].latent,
                "epochs": epochs,
                "held_out": min(count // 10, 500),
                "keep_images": max(seen // 4, 1),
                "sample_epochs": sorted({1, max(epochs // 3, 1), epochs}),
            }
        },
        "report": {"title": f"A DCGAN of {printable(path.name)}"},
    }


def class_values(path: Path, classes: Classes, size: int) -> dict[str, Any]:
    """What depends on the class folders."""
    packed = {"source": str(path), "splits": classes.splits, "image_size": size, "test": classes.drawn}
    # Rows for validation are learned too once C is chosen, unless they are a split of their own.
    svm = {"validation": min(classes.images // 10, 5000), "learn_validation": not classes.validated}
    return {
        "pack": {"sets": {"mine": packed}},
        "train": {"mine": {"held_out": min(classes.images // 10, 500)}},
        "svm": {"mine": svm},
    }


def as_text(values: Mapping[str, Any]) -> str:
    """Values in the form of a preset's file."""
    return "\n\n" + "\n".join(lines_of(values, "")) + "\n"


def lines_of(values: Mapping[str, Any], indent: str) -> Iterator[str]:
    """A line per key, or per item of a list; sections of names that nobody chose here are written in one line."""
    for key, value in values.items():
        if isinstance(value, Mapping) and key != "splits":
            yield f"{indent}{key}:"
            yield from lines_of(value, f"{indent}  ")
        elif isinstance(value, list):
            yield f"{indent}{key}:"
            yield from (f"{indent}- {item}" for item in value)
        else:
            plain = isinstance(value, str) and re.fullmatch("[a-z][a-z0-9_]*", value)
            text = value if plain else "" if value is None else json.dumps(value, ensure_ascii=False)
            yield f"{indent}{key}: {text}".rstrip()
