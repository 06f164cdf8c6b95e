"""Raw sources on the disk, counted for `make plan`: how many images, and, of the first few, how large they are."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from dcgan.data.archives import open_source
from dcgan.data.contents import contents_of
from dcgan.data.decoding import Undecodable, decode
from dcgan.data.formats import Kind, open_labelled

ENCODED = ("lsun", "photos", "folder")  # kinds of sources whose images have to be decoded
BY_HEADERS = ("cifar10", "svhn", "mnist")  # kinds whose headers tell how many images their splits have
LOOKED_AT = 16  # images whose size stands for all
FACES_A_PHOTO = 1.0


def count_source(path: Path, kind: Kind, splits: Mapping[str, str] | None) -> dict[str, float]:
    """What `sources` of rates.yaml would say of a source; raises InputError if it is none of its kind.

    Faces and duplicates nobody can count without finding them: one face a photo and no duplicates are assumed.
    """
    megapixels = {"megapixels": mean_megapixels(path)} if kind in ENCODED else {}
    if kind == "lsun" or kind == "photos":
        return {"images": open_source(path).count, **megapixels, "kept": 1.0, "faces": FACES_A_PHOTO}
    found = contents_of(path, kind, splits).splits if kind in BY_HEADERS else None
    counted = found or {split.name: len(split) for split in open_labelled(path, kind, splits).splits}
    return dict(counted) | megapixels


def mean_megapixels(path: Path) -> float:
    """Of the first images that can be decoded; 0 if none can."""
    sizes = list[float]()
    for item in islice(open_source(path).items(0, 1), LOOKED_AT):
        try:
            pixels = decode(item.content or b"")
        except Undecodable:
            continue
        sizes.append(pixels.shape[0] * pixels.shape[1] / 1e6)
    return sum(sizes) / max(len(sizes), 1)


def in_words(path: str, found: Mapping[str, Any]) -> str:
    """A line that says what was counted, and what was assumed besides."""
    counted = ", ".join(f"{name} {n:,}" for name, n in found.items() if name not in ("megapixels", "kept", "faces"))
    size = f"; {found['megapixels']:.2f} megapixels each, as the first {LOOKED_AT}" if "megapixels" in found else ""
    assumed = f"; assumed: no duplicates, {FACES_A_PHOTO:.0f} face a photo" if "kept" in found else ""
    return f"{path}: counted {counted}{size}{assumed}"
