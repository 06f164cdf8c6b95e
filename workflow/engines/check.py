"""Checks everything that a person gave before any work starts: `python -m workflow.engines.check`.

Checked: params.yaml against its schema; the DAG under both engines' rules; that every path exists that a stage needs
and no stage makes; that raw sources and image stores of one's own are what their parameter says, by their names and
headers; that there will be as many images, splits and classes as the parameters ask for; that there are GPUs for a run
on them. Prints what was understood of each source. Exit status 2 with one line for everything that is wrong, at once;
a value that the schema refuses hides only what rests on it. If it hides the DAG, what stages may make counts as made.
"""

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
from workflow.engines.inputs import Data, bounds, data_of, may_be_made, read_by_stages, rendered
from workflow.engines.own_data import folder_of, own_kinds, unusable
from workflow.engines.stage import command_parser, run_stage
from workflow.params.consistency import Rule, broken, combinations, where_only_stages_write
from workflow.params.figures import by_hand
from workflow.params.late import found_out_late
from workflow.params.load import read_params, read_yaml
from workflow.params.refused import apart
from workflow.params.rows import asks_too_much
from workflow.params.sections import Params
from workflow.params.spelling import did_you_mean, nearest
from workflow.params.unknown import rests_on_unknown

if TYPE_CHECKING:
    from dcgan.data.contents import Contents

FILLED_BY_HAND = " (put {} into it: `make annotate` fills it once its generator is trained)"
NAME, NEARLY = re.compile(r"[a-z]+_[\w@]+"), 0.8  # of a stage, and how like one a word is that is meant for it


class Run(NamedTuple):
    """What stages read, with the name of one that does; what they make; how many they are, and whether all of them;
    what is wrong with the DAG or with what is asked of it.
    """

    inputs: Mapping[str, str]
    outputs: set[str]
    stages: int
    whole: bool
    problems: Collection[str]


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
    run = what_runs(params, stages_of, targets, refused=bool(refused))
    make_folders(root, run.inputs.keys() - run.outputs)
    named = read_by_stages(params)
    data = [one for one in data_of(params) if run.whole or {one.path, folder_of(one.path)} & run.inputs.keys()]
    missing = {
        path: name for path, name in run.inputs.items() if path not in run.outputs and not (root / path).exists()
    }
    known = (one for one in data if one.path not in missing and not rests_on_unknown(one))
    found, unfit = look_at(known, root, run.outputs, params)
    sets, stores = bounds(params, found)
    own = own_kinds(params, found)
    rules = [*combinations(params, own), *asks_too_much(params, sets, stores), *found_out_late(params, sets, own)]
    rules += unusable(params, found)
    absent = [
        f"{f'{where}: {named[path]}' if path in named else f'stage {name}'}: {path!r} does not exist, and no stage "
        f"makes it{hint(root, path)}"
        for path, name in missing.items()
        if not follows(path, rules) and (path in named or not refused)
    ]
    told = (f"{where}: {line}" for line in apart(chain(unfit, broken(rules)), refused))
    raise_all([*problems, *run.problems, *absent, *told])
    sources = {one.path for one in data if one.source}
    parts = f"{len(sources)} sources, {len(params.pack.sets)} sets, {len(params.train)} networks, {run.stages} stages"
    return [*(f"{key}: {contents}" for key, contents in found.items()), f"{where} is fine: {parts}"]


def what_runs(
    params: Params, stages_of: Callable[[], dict[str, Stage]], targets: Collection[str], *, refused: bool
) -> Run:
    """What a run reads and makes; while the DAG cannot be resolved, what parameters name and what stages may make."""
    try:
        stages = stages_of()
    except Exception as error:
        # DVC's parser may fail in any way over what the schema refuses, and what it says is no news.
        if not (refused or isinstance(error, InputError)):
            raise
        inputs = dict.fromkeys(read_by_stages(params), "")
        made = {path for path in inputs if may_be_made(path)}
        return Run(inputs, made, 0, True, [] if refused else [str(error)])
    outputs = {path for stage in stages.values() for path in stage.outputs}
    needed = needed_for(targets, stages)
    inputs = {path: stage.name for stage in needed.values() for path in stage.inputs}
    return Run(inputs, outputs, len(needed), len(needed) == len(stages), misspelled(targets, stages))


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
    made = {path: Path(os.path.realpath(root / path)) for path in outputs}
    for one in data:
        try:
            contents = contents_of_data(root, one, made, params)
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


def contents_of_data(root: Path, data: Data, outputs: Mapping[str, Path], params: Params) -> "Contents | None":
    """What a person's own data hold, or what the DAG will render; None for what it makes of them.

    outputs: each with where it lies, links followed. Raises InputError if a path is a folder above outputs, leads to
    one by another name than the DAG's, so that nothing would make it first, or is not what it should be.
    """
    refuse_outputs(root, data.path, outputs)
    if data.path not in outputs and whole_outputs([data.path], outputs) == [data.path]:
        return data.look(root / data.path)
    return rendered(params, data.path) if data.source else None


def refuse_outputs(root: Path, path: str, outputs: Mapping[str, Path]) -> None:
    """Raises InputError if a path, however it is written, is above outputs, or in one that its text does not name."""
    if path in outputs:
        return
    place, made = Path(os.path.realpath(root / path)), {real: output for output, real in outputs.items()}
    within = [output for real, output in made.items() if real != place and real.is_relative_to(place)]
    if within or any(is_inside(output, path) for output in outputs):
        raise InputError(f"{path!r} holds what the DAG makes; it is no source")
    if whole_outputs([path], outputs) == [path]:
        for folder in made.keys() & {place, *place.parents}:
            named = str(Path(made[folder]) / place.relative_to(folder))
            raise InputError(f"{path!r} is made by the DAG, which knows it as {named!r}")


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
