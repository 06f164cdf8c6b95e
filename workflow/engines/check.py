"""Checks everything that a person gave before any work starts: `python -m workflow.engines.check`.

Checked: params.yaml against its schema; the DAG under both engines' rules; that every path exists that a stage needs
and no stage makes; that raw sources and image stores of one's own are what their parameter says, by their names and
headers; that there will be as many images, splits and classes as the parameters ask for; that there are GPUs for a run
on them. Prints what was understood of each source. Exit status 2 with one line for everything that is wrong.
"""

import math
import os
import shutil
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dcgan.core.files import InputError, raise_all
from dcgan.data.layouts import UnclearLayout
from workflow.engines.dag import is_folder, is_inside, needed_for, resolved_stages, whole_outputs
from workflow.engines.device import check_devices
from workflow.engines.stage import command_parser, run_stage
from workflow.params.consistency import broken
from workflow.params.figures import by_hand
from workflow.params.late import found_out_late
from workflow.params.load import load_params, read_yaml, total
from workflow.params.rows import PackedRows, asks_too_much
from workflow.params.sections import Params
from workflow.params.spelling import did_you_mean

if TYPE_CHECKING:
    from dcgan.data.contents import Contents

FILLED_BY_HAND = " (put {} into it: `make annotate` fills it once its generator is trained)"
RATES = Path(__file__).parents[1] / "planning/rates.yaml"  # has how large the demo's sources become
DIGITS_AND_THINGS = 10  # classes of the demo's sets with labels
SPREAD = 1.1  # of what depends on chance in the demo: at most so much above its mean


class Data(NamedTuple):
    """A parameter that names data: its key, the path, what looks into it, and whether it is a raw source."""

    key: str
    path: str
    look: "Callable[[Path], Contents | None]"
    source: bool = True


def main() -> None:
    """Checks the checkout in the working directory."""
    command_parser(__doc__).parse_args()
    for line in check(Path()):
        print(line)
    if shutil.which("sbatch") and "SLURM_JOB_ID" not in os.environ:
        print("GPUs: not looked at; jobs of Slurm run on other machines", file=sys.stderr)
    else:
        check_devices(load_params(Path("params.yaml")))


def check(root: Path, targets: Collection[str] = ()) -> list[str]:
    """What was understood, in lines for a person; raises InputError with a line for all that would stop a run.

    targets: words, of which rules and outputs limit what is checked to what these need.
    """
    params, stages = load_params(root / "params.yaml"), resolved_stages(root)
    outputs = {path for stage in stages.values() for path in stage.outputs}
    whole, stages = len(stages), needed_for(targets, stages)
    inputs = {path for stage in stages.values() for path in stage.inputs}
    make_folders(root, inputs - outputs)
    data = [one for one in data_of(params) if len(stages) == whole or one.path in inputs]
    named = {path: f"params.yaml: {key}" for key, path in [*annotators_of(params), *(one[:2] for one in data)]}
    problems, missing = [], set()
    for stage in stages.values():
        for path in (path for path in stage.inputs if path not in outputs and not (root / path).exists()):
            missing.add(path)
            where = named.get(path, f"stage {stage.name}")
            hint = FILLED_BY_HAND if by_hand(path) else nearest(root, path)
            problems.append(f"{where}: {path!r} does not exist, and no stage makes it{hint}")
    found: dict[str, Contents] = {}
    for one in (one for one in data if one.path not in missing):
        try:
            contents = contents_of_data(root, one, outputs, params)
        except InputError as error:
            problems.append(f"params.yaml: {one.key}: {error}{settled_by(one.key, error)}")
        else:
            found |= {} if contents is None else {one.key: contents}
    sets, stores = bounds(params, found)
    rules = [*asks_too_much(params, sets, stores), *found_out_late(params, sets)]
    raise_all([*problems, *(f"params.yaml: {line}" for line in broken(rules))])
    sources = {one.path for one in data if one.source}
    parts = f"{len(sources)} sources, {len(params.pack.sets)} sets, {len(params.train)} networks, {len(stages)} stages"
    return [*(f"{key}: {contents}" for key, contents in found.items()), f"params.yaml is fine: {parts}"]


def make_folders(root: Path, paths: Collection[str]) -> None:
    """Empty folders of results that stages read and none writes into: with all figures off, the report reads none."""
    for path in (path for path in paths if is_inside(path, "results") and is_folder(path)):
        (root / path).mkdir(parents=True, exist_ok=True)


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
    for name, section in params.train.items():
        yield Data(f"train.{name}.images", section.images, open_store, source=False)
    if params.crop_faces.sets and params.crop_faces.detector == "yunet" and params.crop_faces.model is not None:
        yield Data("crop_faces.model", params.crop_faces.model, open_file, source=False)
    if params.quality.sets and params.quality.inception is not None:
        yield Data("quality.inception", params.quality.inception, open_file, source=False)


def annotators_of(params: Params) -> Iterator[tuple[str, str]]:
    """Keys and paths of what tells concepts apart for a figure."""
    for kind in ("windows", "arithmetic", "turn"):
        for name, figure in getattr(params.figures, kind).items():
            yield f"figures.{kind}.{name}.annotator", figure.annotator


def look_into(path: Path, kind: Any, named: Mapping[str, str] | None = None) -> "Contents":
    """What a source holds; raises InputError if it is none of its kind."""
    from dcgan.data.contents import contents_of
    from dcgan.data.formats import inspect_source

    inspect_source(path, kind, named)
    return contents_of(path, kind, named)


def open_store(path: Path) -> "Contents | None":
    """How many images a store has; raises InputError if a file is none."""
    from dcgan.data.contents import Contents
    from dcgan.data.image_store import ImageStore  # h5py is needed here only

    return Contents("image store", {"": len(ImageStore(path))}) if path.exists() else None


def open_file(path: Path) -> None:
    """Raises InputError if a file of a model is none."""
    if not path.is_file():
        raise InputError(f"{str(path)!r} is no file")


def contents_of_data(root: Path, data: Data, outputs: set[str], params: Params) -> "Contents | None":
    """What a person's own data hold, or what the DAG will render; None for what it makes of them.

    Raises InputError if a path is a folder above outputs, or not what it should be.
    """
    if any(is_inside(output, data.path) for output in outputs):
        raise InputError(f"{data.path!r} holds what the DAG makes; it is no source")
    if data.path not in outputs and whole_outputs([data.path], outputs) == [data.path]:
        return data.look(root / data.path)
    return rendered(params, data.path) if data.source else None


def rendered(params: Params, path: str) -> "Contents | None":
    """What a source of the demo will hold, None for anything else."""
    from dcgan.data.contents import Contents

    known = read_yaml(RATES)["sources"].get(path)
    if known is None:
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
    sets, stores = {}, {}
    for name in params.pack.sets:
        contents = found.get(f"pack.sets.{name}.source")
        if contents is not None and contents.splits:
            named = {split or "train": n for split, n in contents.splits.items()}
            sets[f"data/packed/{name}"] = PackedRows(named, contents.classes)
    for name, section in params.train.items():
        if (store := found.get(f"train.{name}.images")) is not None:
            stores[section.images] = store.splits[""]
    if (rooms := found.get("export.source")) is not None and rooms.splits:
        stores |= {f"data/{name}/unique.h5": rooms.splits[""] for name in params.export.sets}
    if (photos := found.get("crop_faces.source")) is not None and photos.splits:
        faces = (
            read_yaml(RATES)["sources"][params.crop_faces.source]["faces"] if photos.form == "rendered" else math.inf
        )
        crops = int(photos.splits[""] * min(params.crop_faces.max_faces, faces * SPREAD))
        stores |= {f"data/{name}/crops.h5": crops for name in params.crop_faces.sets}
    return sets, stores


def nearest(root: Path, path: str) -> str:
    """What a missing path may have been meant to be: a name beside it."""
    folder = (root / path).parent
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    near = did_you_mean(Path(path).name, names)
    return f"; {near}" if near else ""


def settled_by(key: str, error: InputError) -> str:
    """The parameter that settles what can be read in two ways."""
    splits = key.removesuffix("source") + "splits"
    return f"; name them in {splits}" if isinstance(error, UnclearLayout) else ""


if __name__ == "__main__":
    run_stage(main)
