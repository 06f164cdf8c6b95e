"""Packed labelled sets: a folder of image stores train.h5, test.h5 and, if there is one, validation.h5."""

from pathlib import Path

import numpy as np

from dcgan.core.files import InputError
from dcgan.data.image_store import ImageStore

SPLITS = ("train", "validation", "test")


def open_splits(folder: Path) -> dict[str, ImageStore]:
    """The stores of a set by their names; raises InputError if train or test is missing, or a store holds no images."""
    stores = {name: filled_store(folder / f"{name}.h5") for name in SPLITS if (folder / f"{name}.h5").exists()}
    for name in ("train", "test"):
        if name not in stores:
            raise InputError(f"{folder}: no {name}.h5 in it")
    return stores


def filled_store(path: Path) -> ImageStore:
    """A store with images; raises InputError if it has none."""
    store = ImageStore(path)
    if len(store) == 0:
        raise InputError(f"{path}: the store holds no images")
    return store


def labelled_store(path: Path) -> ImageStore:
    """A store with labels of at least two classes; raises InputError for another."""
    store = filled_store(path)
    if store.labels is None:
        raise InputError(f"{path}: the images have no labels")
    if len(np.unique(store.labels)) < 2:
        raise InputError(f"{path}: all {len(store)} images are of one class, {store.labels[0]}")
    return store
