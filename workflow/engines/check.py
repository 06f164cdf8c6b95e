"""Checks everything that a person gave before any work starts: `python -m workflow.engines.check`.

Checked: params.yaml against its schema; the DAG under both engines' rules; that every path exists that a stage needs
and no stage makes; that raw sources and image stores of one's own are what their parameter says, by their names and
headers; that there will be as many images, splits and classes as the parameters ask for; that there are GPUs for a run
on them. Prints what was understood of each source. Exit status 2 with one line for everything that is wrong, at once;
a value that the schema refuses hides only what rests on it.
"""

import math
import os
import re
import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from dcgan.core.files import InputError, raise_all
from dcgan.data.layouts import UnclearLayout
from workflow.engines.dag import Stage, is_folder, is_inside, needed_for, resolved_stages, stages_by_kind, whole_outputs
from workflow.engines.device import check_devices
from workflow.engines.own_data import folder_of, look_into, open_file, other_files, own_kinds, own_sets, stores_to_open
from workflow.engines.stage import command_parser, run_stage
from workflow.params.consistency import Rule, broken, combinations, where_only_stages_write
from workflow.params.figures import by_hand
from workflow.params.late import found_out_late
from workflow.params.load import read_params, read_yaml, total
from workflow.params.refused import apart
from workflow.params.rows import PackedRows, asks_too_much
from workflow.params.sections import Params
from workflow.params.spelling import did_you_mean, nearest
from workflow.params.unknown import rests_on_unknown

if TYPE_CHECKING:
    from dcgan.data.contents import Contents

FILLED_BY_HAND = " (put {} into it: `make annotate` fills it once its generator is trained)"
RATES = Path(__file__).parents[1] / "planning/rates.yaml"  # has how large the demo's sources become
DIGITS_AND_THINGS = 10  # classes of the demo's sets with labels
NAME, NEARLY = re.compile(r"[a-z]+_[\w@]+"), 0.8  # of a stage, and how like one a word is that is meant for it
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
    elsewhere = shutil.which("sbatch") is not None and "SLURM_JOB_ID" not in os.environ
    for line in check(Path(), devices=not elsewhere):
        print(line)
    if elsewhere:
        print("GPUs: not looked at; jobs of Slurm run on other machines", file=sys.stderr)


def check(root: Path, targets: Collection[str] = (), *, devices: bool = False) -> list[str]:
    """What was understood, in lines for a person; raises InputError with a line for all that would stop a run.

    targets: words, of which rules and outputs limit what is checked to what these need. devices: whether the run is on
    this machine, so that it has to have the GPUs.
    """
    content, stages_of = read_yaml(root / "params.yaml"), partial(resolved_stages, root)
    return check_content(root, content, "params.yaml", stages_of, targets, devices=devices)


def check_content(
    root: Path,
    content: Mapping[str, Any],
    where: str,
    stages_of: Callable[[], dict[str, Stage]],
    targets: Collection[str] = (),
    *,
    devices: bool = False,
) -> list[str]:
    """The same for other parameters than the checkout's, called `where`, and what resolves their stages."""
    params, refused = read_params(content)
    problems = [f"{where}: {line}" for line in refused]
    if devices and not rests_on_unknown(params.run.device):
        problems += lacking_devices(params)
    try:
        stages = stages_of()
    except Exception as error:
        # DVC's parser may fail in any way over what the schema refuses, and what it says is no news.
        if not (refused or isinstance(error, InputError)):
            raise
        lines = (f"{where}: {line}" for line in apart(broken(combinations(params)), refused))
        raise InputError("\n".join([*problems, *lines, *([] if refused else [str(error)])])) from error
    raise_all(misspelled(targets, stages))
    outputs = {path for stage in stages.values() for path in stage.outputs}
    whole, stages = len(stages), needed_for(targets, stages)
    inputs = {path: stage.name for stage in stages.values() for path in stage.inputs}
    make_folders(root, inputs.keys() - outputs)
    data = [one for one in data_of(params) if len(stages) == whole or {one.path, folder_of(one.path)} & inputs.keys()]
    missing = {path: name for path, name in inputs.items() if path not in outputs and not (root / path).exists()}
    known = (one for one in data if one.path not in missing and not rests_on_unknown(one))
    found, unfit = look_at(known, root, outputs, params)
    sets, stores = bounds(params, found)
    own = own_kinds(params, found)
    rules = [*combinations(params, own), *asks_too_much(params, sets, stores), *found_out_late(params, sets, own)]
    rules += other_files(params, found)
    named = {path: f"{where}: {key}" for key, path in [*annotators_of(params), *(one[:2] for one in data)]}
    absent = [
        f"{named.get(path, f'stage {name}')}: {path!r} does not exist, and no stage makes it{hint(root, path)}"
        for path, name in missing.items()
        if not follows(path, rules) and (path in named or not refused)
    ]
    told = (f"{where}: {line}" for line in apart(chain(unfit, broken(rules)), refused))
    raise_all([*problems, *absent, *told])
    sources = {one.path for one in data if one.source}
    parts = f"{len(sources)} sources, {len(params.pack.sets)} sets, {len(params.train)} networks, {len(stages)} stages"
    return [*(f"{key}: {contents}" for key, contents in found.items()), f"{where} is fine: {parts}"]


def misspelled(words: Iterable[str], stages: Mapping[str, Stage]) -> list[str]:
    """A line for each word of a command line that is nearly the name of a stage, or of a kind of stages.

    Paths, and what only options take, are left to the engine.
    """
    names = stages.keys() | stages_by_kind(stages).keys()
    found = {word: nearest(word, sorted(names), NEARLY) for word in words if NAME.fullmatch(word) and word not in names}
    return [f"{word}: there is no such stage (did you mean {near}?)" for word, near in found.items() if near]


def lacking_devices(params: Params) -> Iterator[str]:
    """A line for each GPU that this machine lacks."""
    try:
        check_devices(params)
    except InputError as error:
        yield from str(error).splitlines()


def look_at(
    data: Iterable[Data], root: Path, outputs: set[str], params: Params
) -> tuple["dict[str, Contents]", list[str]]:
    """What the data of each key hold, and a line for each that is not what it should be."""
    found, unfit = dict[str, "Contents"](), list[str]()
    for one in data:
        try:
            contents = contents_of_data(root, one, outputs, params)
        except InputError as error:
            unfit.append(f"{one.key}: {error}{settled_by(one.key, error)}")
        else:
            found |= {} if contents is None else {one.key: contents}
    return found, unfit


def follows(path: str, rules: Iterable[Rule]) -> bool:
    """Whether a path is missing because a parameter names what no stage makes, for which there is a line already."""
    *folders, file = PurePosixPath(path).parts
    names = {path, *folders[2:], PurePosixPath(file).stem}
    return where_only_stages_write(path) and any(rule[0] and str(rule[2]) in names for rule in rules)


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
    for path, (key, opens) in stores_to_open(params).items():
        yield Data(key, path, opens, source=False)
    if params.crop_faces.sets and params.crop_faces.detector == "yunet" and params.crop_faces.model is not None:
        yield Data("crop_faces.model", params.crop_faces.model, open_file, source=False)
    if params.quality.sets and params.quality.inception is not None:
        yield Data("quality.inception", params.quality.inception, open_file, source=False)


def annotators_of(params: Params) -> Iterator[tuple[str, str]]:
    """Keys and paths of what tells concepts apart for a figure."""
    for kind in ("windows", "arithmetic", "turn"):
        for name, figure in getattr(params.figures, kind).items():
            yield f"figures.{kind}.{name}.annotator", figure.annotator


def contents_of_data(root: Path, data: Data, outputs: set[str], params: Params) -> "Contents | None":
    """What a person's own data hold, or what the DAG will render; None for what it makes of them.

    Raises InputError if a path is a folder above outputs, leads to one by another name than the DAG's, so that nothing
    would make it first, or is not what it should be.
    """
    refuse_outputs(root, data.path, outputs)
    if data.path not in outputs and whole_outputs([data.path], outputs) == [data.path]:
        return data.look(root / data.path)
    return rendered(params, data.path) if data.source else None


def refuse_outputs(root: Path, path: str, outputs: set[str]) -> None:
    """Raises InputError if a path, however it is written, is above outputs, or in one that its text does not name."""
    if path in outputs:
        return
    place, made = Path(os.path.realpath(root / path)), {Path(os.path.realpath(root / one)): one for one in outputs}
    within = [output for real, output in made.items() if real != place and real.is_relative_to(place)]
    if within or any(is_inside(output, path) for output in outputs):
        raise InputError(f"{path!r} holds what the DAG makes; it is no source")
    if whole_outputs([path], outputs) == [path]:
        for folder in made.keys() & {place, *place.parents}:
            named = str(Path(made[folder]) / place.relative_to(folder))
            raise InputError(f"{path!r} is made by the DAG, which knows it as {named!r}")


def rendered(params: Params, path: str) -> "Contents | None":
    """What a source of the demo will hold, None for anything else."""
    from dcgan.data.contents import Contents

    known = read_yaml(RATES)["sources"].get(path)
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
            read_yaml(RATES)["sources"][params.crop_faces.source].get("faces", math.inf)
            if photos.form == "rendered"
            else math.inf
        )
        crops = int(photos.splits[""] * min(params.crop_faces.max_faces, faces * SPREAD))
        stores |= {f"data/{name}/crops.h5": crops for name in params.crop_faces.sets}
    return sets, stores


def hint(root: Path, path: str) -> str:
    """What a missing path may have been meant to be: a name beside it; or how it comes to be there."""
    if by_hand(path):
        return FILLED_BY_HAND
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
