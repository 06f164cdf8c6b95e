"""What params.yaml names and stages read: keys and paths, what looks into the data, how much they hold or will hold."""

import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from workflow.engines.own_data import look_into, open_file, own_sets, stores_to_open
from workflow.params.consistency import where_only_stages_write
from workflow.params.image_kinds import labelled_folders, named_stores
from workflow.params.load import read_yaml, total
from workflow.params.rows import PackedRows
from workflow.params.sections import Params
from workflow.params.unknown import rests_on_unknown

if TYPE_CHECKING:
    from dcgan.data.contents import Contents

RATES = Path(__file__).parents[1] / "planning/rates.yaml"  # has how large the demo's sources become
DIGITS_AND_THINGS = 10  # classes of the demo's sets with labels
SPREAD = 1.1  # of what depends on chance in the demo: at most so much above its mean
# Keys of sections that name a file or folder, beside `images` and `source`.
READ = ("arrays", "discriminator", "features", "generator", "truth", "detections", "autoencoder", "annotator")
# In the folder of any set that is exported or cropped.
MADE_OF_A_SET = ("unique.h5", "crops.h5", "detections.csv", "shards")


class Data(NamedTuple):
    """A parameter that names data: its key, the path, what looks into it, and whether it is a raw source."""

    key: str
    path: str
    look: "Callable[[Path], Contents | None]"
    source: bool = True


def data_of(params: Params) -> Iterator[Data]:
    """Every parameter that names a file a person may have to bring. The DAG may make the data: those of the demo, and
    all that networks learn from.
    """
    if params.export.sets:
        yield Data("export.source", params.export.source, partial(look_into, kind="lsun"))
    if params.crop_faces.sets:
        yield Data("crop_faces.source", params.crop_faces.source, partial(look_into, kind="photos"))
    for name, packed in params.pack.sets.items():
        look = partial(look_into, kind=packed.kind, named=packed.splits)
        yield Data(f"pack.sets.{name}.source", packed.source, look)
    for path, (key, opens) in stores_to_open(params).items():
        yield Data(key, path, opens, source=False)
    if params.crop_faces.sets and params.crop_faces.detector == "yunet" and params.crop_faces.model is not None:
        yield Data("crop_faces.model", params.crop_faces.model, open_file, source=False)
    if params.quality.sets and params.quality.inception is not None:
        yield Data("quality.inception", params.quality.inception, open_file, source=False)


def read_by_stages(params: Params) -> dict[str, str]:
    """Path -> the first key that names it, of every file and folder among the inputs of stages."""
    named = [(one.key, one.path) for one in data_of(params) if one.source]
    named += [*named_stores(params), *((key, folder) for key, folder, _ in labelled_folders(params))]
    sections = {kind: getattr(params, kind) for kind in ("published", "features", "svm", "neighbours")}
    sections |= {f"{group}.{kind}": one for group in ("classifiers", "figures") for kind, one in getattr(params, group)}
    sections |= {"quality.sets": params.quality.sets}
    sections |= {"": {"guidelines": params.guidelines}} if params.guidelines.sets else {}
    for kind, of in sections.items():
        for name, one in of.items():
            read = [key for key in READ if isinstance(getattr(one, key, None), str)]
            named += [(f"{kind}.{name}.{key}".removeprefix("."), getattr(one, key)) for key in read]
    first = {path: key for key, path in reversed(named) if not rests_on_unknown((key, path))}
    return dict(reversed(first.items()))


def may_be_made(path: str) -> bool:
    """Whether a stage may make what lies at a path: all that can be told while the DAG cannot be resolved."""
    parts = PurePosixPath(path).parts
    of_a_set = len(parts) == 3 and parts[0] == "data" and parts[2] in MADE_OF_A_SET
    return where_only_stages_write(path) or of_a_set or parts[:2] == ("data", "demo")


@cache
def sources_of_the_demo() -> dict[str, Any]:
    """How much is rendered, by path."""
    sources: dict[str, Any] = read_yaml(RATES)["sources"]
    return sources


def rendered(params: Params, path: str) -> "Contents | None":
    """What a source of the demo will hold, None for anything else."""
    from dcgan.data.contents import Contents

    known = sources_of_the_demo().get(path)
    if known is None or rests_on_unknown(params.demo):
        return None
    if "images" in known:
        return Contents("rendered", {"": int(total(params, known["images"]))})
    splits = {
        split: math.floor(total(params, known[split]) * known.get(f"{split}_share", 1)) for split in ("train", "test")
    }
    splits = {split: n for split, n in splits.items() if n}
    return Contents("rendered", splits, DIGITS_AND_THINGS if len(splits) > 1 else 0)


def bounds(params: Params, found: "Mapping[str, Contents]") -> tuple[dict[str, PackedRows], dict[str, int]]:
    """How many images each set, by its folder, and each other store, by its path, will have at most."""
    sets, stores = own_sets(params, found), {}
    for name in params.pack.sets:
        contents = found.get(f"pack.sets.{name}.source")
        if contents is not None and contents.splits:
            named = {split or "train": n for split, n in contents.splits.items()}
            bare = f"no class folders in {' and '.join(contents.bare)}" if contents.bare else ""
            rows = PackedRows(named, contents.classes, contents.labels, contents.names, bare)
            sets[f"data/packed/{name}"] = rows
    for path, (key, _) in stores_to_open(params).items():
        if (store := found.get(key)) is not None:
            stores[path] = store.splits[""]
    if (rooms := found.get("export.source")) is not None and rooms.splits:
        stores |= {f"data/{name}/unique.h5": rooms.splits[""] for name in params.export.sets}
    photos = found.get("crop_faces.source")
    if photos is not None and photos.splits and not rests_on_unknown(params.crop_faces.max_faces):
        faces = (
            sources_of_the_demo()[params.crop_faces.source].get("faces", math.inf)
            if photos.form == "rendered"
            else math.inf
        )
        crops = int(photos.splits[""] * min(params.crop_faces.max_faces, faces * SPREAD))
        stores |= {f"data/{name}/crops.h5": crops for name in params.crop_faces.sets}
    return sets, stores
