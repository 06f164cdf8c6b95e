"""The kinds of raw sources by name: opens each, and checks quickly whether a path is one.

`inspect_source` reads only names, headers and a few files, so that a wrong path is found before any work starts.
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Literal

from dcgan.core.files import InputError
from dcgan.data import celeba, cifar10, image_folders, layouts, svhn_mnist
from dcgan.data.archives import first_members, is_lmdb, printable, read_file, walk
from dcgan.data.decoding import Undecodable, decode
from dcgan.data.labelled import LabelledSet
from dcgan.data.source import Encoded

Kind = Literal["lsun", "photos", "folder", "cifar10", "svhn", "mnist", "celeba"]
LabelledKind = Literal["folder", "cifar10", "svhn", "mnist", "celeba"]
INSPECTED_FILES = 32


def open_labelled(path: Path, kind: LabelledKind, named: Mapping[str, str] | None = None) -> LabelledSet:
    """Opens a labelled set; raises InputError if the path does not hold one of that kind.

    named: the folder of each split, for class folders; None to go by the names of the folders.
    """
    path = Path(path)
    inspect_source(path, kind, named)
    if kind == "svhn":
        return svhn_mnist.open_svhn(path)
    if kind == "mnist":
        return svhn_mnist.open_mnist(path)
    if kind == "celeba":
        return celeba.open_celeba(path)
    if kind == "cifar10" and (batches := cifar10.find_batches(path)) is not None:
        return cifar10.open_batches(batches)
    return image_folders.open_folder(path, named)


def inspect_source(path: Path, kind: Kind, named: Mapping[str, str] | None = None) -> None:
    """Raises InputError if a path does not exist or is obviously not a source of this kind."""
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: does not exist")
    if kind in ("lsun", "photos"):
        inspect_images(path)
        return
    if not path.is_dir():
        raise InputError(f"{path}: not a folder, which a source of kind {kind} is")
    class_folders = kind == "folder" or (kind == "cifar10" and cifar10.find_batches(path) is None)
    if named is not None and not class_folders:
        raise InputError(f"{path}: has splits of its own, no folders can be named for them")
    if kind == "svhn":
        for file in svhn_mnist.find_svhn(path).values():
            svhn_mnist.inspect_mat(file)
    elif kind == "mnist":
        svhn_mnist.inspect_mnist(path)
    elif kind == "celeba":
        inspect_folder(celeba.find_pictures(path))
    elif class_folders:
        inspect_folder(path)
        layouts.find_splits(path) if named is None else layouts.named_splits(path, named)


def inspect_images(path: Path) -> None:
    """Raises InputError if a path is no LMDB, folder or tar of encoded images."""
    if path.is_dir() and not (path / "data.mdb").exists():
        inspect_folder(path)
    elif path.is_file() and not is_lmdb(path):
        refuse_no_images(path, "tar", first_members(path))
    else:
        from dcgan.data.lsun import LsunSource  # lmdb is needed here only

        # As a list, with which the LMDB is closed again.
        refuse_no_images(path, "LMDB", list(islice(LsunSource(path).items(0, 1), INSPECTED_FILES)))


def inspect_folder(path: Path) -> None:
    """Raises InputError if none of the first files of a folder is an image."""
    found = ((name, printable(name), reason) for name, reason in walk(path))
    items = (Encoded(key, None, reason) if reason else read_file(path / name, key) for name, key, reason in found)
    refuse_no_images(path, "folder", items)


def refuse_no_images(path: Path, form: str, items: Iterable[Encoded]) -> None:
    """Raises InputError if none of the first items of a source is an image, with the reason against the first."""
    reasons = []
    for item in islice(items, INSPECTED_FILES):
        try:
            if item.content is not None:
                decode(item.content)
                return
            reasons.append(f"{item.key}: {item.reason}")
        except Undecodable as error:
            reasons.append(f"{item.key}: {error}")
    if not reasons:
        raise InputError(f"{path}: the {form} holds no files")
    raise InputError(f"{path}: none of the first {len(reasons)} files is an image; {reasons[0]}")
