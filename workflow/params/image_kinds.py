"""What is known of the images in each store before any work starts: of what stages make by its parameters, of stores of
one's own by their headers.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from workflow.params.sections import Params
from workflow.params.unknown import UNKNOWN

CROP32 = 32
SPLITS = ("train", "test", "validation")
FIGURES_WITH_IMAGES = ("samples", "walk", "guided", "nearest", "arithmetic")


class ImageKind(NamedTuple):
    """The images in a store; classes: 0 if nobody knows."""

    side: int
    channels: int
    labelled: bool
    classes: int = 0

    def __str__(self) -> str:
        """For a message."""
        return f"{self.side} x {self.side} x {self.channels} {'with' if self.labelled else 'without'} labels"


def kinds_of_images(params: Params, own: Mapping[str, ImageKind]) -> tuple[dict[str, ImageKind], dict[str, ImageKind]]:
    """The images of every labelled set, by its folder, and of every store, by its path; `own` are no stage's."""
    folders = {path.rpartition("/")[0]: kind for path, kind in own.items() if path.endswith("/train.h5")}
    sets = packed_sets(params)
    return folders | sets, stores_by_path(params, sets) | dict(own)


def packed_sets(params: Params) -> dict[str, ImageKind]:
    """The images of every labelled set that a stage packs, by its folder."""
    return {
        f"data/packed/{name}": ImageKind(one.image_size, channels_of(one.kind), one.kind != "celeba")
        for name, one in params.pack.sets.items()
    }


def channels_of(kind: Any) -> int:
    """One for grey digits, three for colour; as unknown as the kind of the set."""
    return UNKNOWN if kind is UNKNOWN else 1 if kind == "mnist" else 3


def stores_by_path(params: Params, sets: Mapping[str, ImageKind]) -> dict[str, ImageKind]:
    """Every image store that the DAG makes and its parameters describe.

    Written here, not read from the DAG: every stage checks its parameters, and to resolve the DAG takes a second.
    """
    return {
        **{
            f"data/{name}/unique.h5": ImageKind(filtered_side(params), 3, labelled=False) for name in params.export.sets
        },
        **{
            f"data/{name}/crops.h5": ImageKind(params.crop_faces.image_size, 3, labelled=False)
            for name in params.crop_faces.sets
        },
        **{f"{path}/{split}.h5": kind for path, kind in sets.items() for split in SPLITS},
    }


def filtered_side(params: Params) -> int:
    """The side of the images that are left of a set without its duplicates."""
    sides = {"images": params.export.image_size, "crops32": CROP32}
    # De-duplication that is off says nothing of it; it may be asked for all the same where `export` is refused.
    side: int = sides.get(getattr(params.deduplicate, "filtered", UNKNOWN), UNKNOWN)
    return side


def named_stores(params: Params) -> Iterator[tuple[str, str]]:
    """Keys and paths of single image stores."""
    figures = {f"figures.{kind}": getattr(params.figures, kind) for kind in FIGURES_WITH_IMAGES}
    classifiers = {f"classifiers.{kind}": sections for kind, sections in params.classifiers}
    for kind, sections in {
        "train": params.train,
        "quality.sets": params.quality.sets,
        **classifiers,
        **figures,
    }.items():
        yield from ((f"{kind}.{name}.images", one.images) for name, one in sections.items())
    yield from ((f"autoencoder.sets.{name}", path) for name, path in params.autoencoder.sets.items())


def labelled_folders(params: Params) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Keys and paths of folders of image stores with labels, and the splits that have to be in them."""
    for kind in ("features", "kmeans", "neighbours"):
        for name, one in getattr(params, kind).items():
            yield f"{kind}.{name}.images", one.images, ("train", "test")
    if params.supervised.results:
        yield "supervised.images", params.supervised.images, ("train", "validation", "test")
