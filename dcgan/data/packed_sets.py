"""Packed labelled sets: a folder of image stores train.h5, test.h5 and, if there is one, validation.h5."""

from pathlib import Path

from dcgan.core.files import InputError
from dcgan.data.image_store import ImageStore

SPLITS = ("train", "validation", "test")


def open_splits(folder: Path) -> dict[str, ImageStore]:
    """The stores of a set by their names; raises InputError if train or test is missing."""
    stores = {name: ImageStore(folder / f"{name}.h5") for name in SPLITS if (folder / f"{name}.h5").exists()}
    for name in ("train", "test"):
        if name not in stores:
            raise InputError(f"{folder}: no {name}.h5 in it")
    return stores


def labelled_store(path: Path) -> ImageStore:
    """A store with labels; raises InputError if it has none."""
    store = ImageStore(path)
    if store.labels is None:
        raise InputError(f"{path}: the images have no labels")
    return store
