"""The DAG as data: the stages of `dvc.yaml`, resolved by DVC's own parser, in the form that Snakemake needs.

`dvc.yaml` is the only place where the DAG is written. `Snakefile` makes a rule of each stage that `resolved_stages`
returns, so the two engines cannot drift apart. What only one of them would understand is refused here.

For code, DVC compares the list of digests that `digest_code` writes per script. All lists are written at once, so
Snakemake, which compares times of files, gets the digests as a parameter of each rule instead.

Input: `dvc.yaml`, `params.yaml`, the code. Output: `Stage` objects by name. They are kept as JSON under `.snakemake/`,
keyed by a digest of all input, because every job on a cluster reads the Snakefile again.
`python -m workflow.engines.dag` prints every output of the DAG, one per line.
"""

import hashlib
import json
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import reduce
from graphlib import TopologicalSorter
from operator import getitem
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from dcgan.core.files import InputError, write_json
from workflow.engines.code_dependencies import PACKAGES, code_digests, listed_script, read_code

TIMESTAMP = ".snakemake_timestamp"  # in a folder that Snakemake made: its time in Snakemake's eyes
CACHE = Path(".snakemake/resolved_stages.json")
OUTPUT_KEYS = ("outs", "metrics", "plots")
STAGE_KEYS = {"cmd", "deps", "params", "meta", "desc", *OUTPUT_KEYS}
OUTPUT_FLAGS = {"cache", "x", "y", "x_label", "y_label", "title", "template", "header", "desc"}
NO_META = {"threads": None, "gpu": None, "mem_mb": None, "runtime": None, "processes": 1, "local": False}


@dataclass(frozen=True)
class Stage:
    """One node of the DAG.

    dependencies: the paths as dvc.yaml has them.
    inputs: the data among them as Snakemake has to see them: whole outputs of other stages, and what no stage makes.
    code: path -> digest of each file of this project that the stage runs.
    threads, gpu, mem_mb: of all processes of the stage together; no GPU if `run.device` is cpu.
    """

    name: str
    description: str
    command: str
    dependencies: list[str]
    inputs: list[str]
    code: dict[str, str]
    outputs: list[str]
    parameters: dict[str, Any]
    threads: int
    gpu: int
    mem_mb: int
    runtime_minutes: int
    local: bool
    processes: int = 1

    @property
    def compared(self) -> list[str]:
        """Parameters and digests of code as texts of their own, so that Snakemake names just those that changed."""
        return [f"{key}: {value}" for key, value in (self.parameters | self.code).items()]


def resolved_stages(root: Path) -> dict[str, Stage]:
    """Every stage of root/dvc.yaml with its parameters filled in; raises InputError for what cannot be resolved."""
    digest = definition_digest(root)
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads((root / CACHE).read_text(encoding="utf-8"))
        if kept["digest"] == digest:
            return {stage["name"]: Stage(**stage) for stage in kept["stages"]}
    stages = resolve(root)
    with suppress(InputError, OSError):  # if nothing can be written, the next reader resolves them again
        write_json(root / CACHE, {"digest": digest, "stages": [asdict(stage) for stage in stages.values()]})
    return stages


def definition_digest(root: Path) -> str:
    """A digest of everything that the resolved stages depend on, this reader included."""
    digest = hashlib.sha256()
    code = [path for package in PACKAGES for path in files_of_package(package, root)]
    for path in ("dvc.yaml", "params.yaml", *code):
        try:
            digest.update(path.encode() + hashlib.sha256((root / path).read_bytes()).digest())
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()


def resolve(root: Path) -> dict[str, Stage]:
    """The same as `resolved_stages`, without the cache."""
    from workflow.params.load import read_yaml  # a job that finds the stages in the cache needs neither it nor DVC

    definitions = dvc_definitions(root)
    parameters = read_yaml(root / "params.yaml")
    for name, definition in definitions.items():
        for problem in problems_of(definition):
            raise InputError(f"dvc.yaml: {name}: {problem}")
    outputs = [path for definition in definitions.values() for path, _ in declared_outputs(definition)]
    return {name: make_stage(name, definition, parameters, outputs, root) for name, definition in definitions.items()}


@contextmanager
def with_parameters(root: Path, parameters: Mapping[str, Any]) -> Iterator[Path]:
    """A folder with root/dvc.yaml and other parameters than the checkout's."""
    with TemporaryDirectory() as folder:
        shutil.copy(root / "dvc.yaml", folder)
        write_json(Path(folder) / "params.yaml", parameters)  # JSON is YAML
        yield Path(folder)


def dvc_definitions(root: Path) -> dict[str, dict[str, Any]]:
    """The stages as DVC's parser resolves them: `foreach`, `matrix` and `${...}` are gone."""
    from dvc.exceptions import DvcException
    from dvc.fs import LocalFileSystem
    from dvc.parsing import DataResolver
    from dvc.utils.serialize import load_yaml

    try:
        content = load_yaml(str(root / "dvc.yaml"))
        repository: Any = SimpleNamespace(fs=LocalFileSystem(), config={})
        stages: dict[str, dict[str, Any]] = DataResolver(repository, str(root), content).resolve()["stages"]
    except DvcException as error:
        raise InputError(" ".join(str(error).split())) from error
    return stages


def problems_of(definition: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a stage: keys that mean nothing to Snakemake or to this reader, missing or wrong hints."""
    meta = definition.get("meta", {})
    for where, found, allowed in (
        ("", definition, STAGE_KEYS),
        ("meta.", meta, NO_META.keys()),
        *(("outs: ", flags, OUTPUT_FLAGS) for _, flags in declared_outputs(definition)),
    ):
        for key in sorted(found.keys() - allowed):
            yield f"{where}{key} is not supported (known: {', '.join(sorted(allowed))})"
    for key, value in {**NO_META, **meta}.items():
        kind = bool if key == "local" else int
        if type(value) is not kind:
            yield f"meta.{key} is missing" if value is None else f"meta.{key}: {value!r} is not of type {kind.__name__}"
    for entry in definition.get("params", []):
        if not isinstance(entry, str):
            yield f"params: {entry!r}: only keys of params.yaml are supported"


def declared_outputs(definition: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Paths and flags of everything that a stage makes: outs, metrics and plots."""
    found = []
    for entry in (entry for key in OUTPUT_KEYS for entry in definition.get(key, [])):
        found.extend([(entry, {})] if isinstance(entry, str) else [(path, flags) for path, flags in entry.items()])
    return found


def make_stage(
    name: str, definition: Mapping[str, Any], parameters: Mapping[str, Any], outputs: Iterable[str], root: Path
) -> Stage:
    """Stage of a checked definition."""
    commands, meta = definition["cmd"], NO_META | definition["meta"]
    processes = meta["processes"]
    on_cpu = parameters.get("run", {}).get("device") == "cpu"
    dependencies = definition.get("deps", [])
    data = [path for path in dependencies if path not in PACKAGES and listed_script(path) is None]
    return Stage(
        name=name,
        description=definition.get("desc", ""),
        command=commands if isinstance(commands, str) else " && ".join(commands),
        dependencies=dependencies,
        inputs=whole_outputs(data, outputs),
        code=code_among(dependencies, root),
        outputs=[path for path, _ in declared_outputs(definition)],
        parameters={key: parameter(parameters, key, name) for key in definition.get("params", [])},
        threads=meta["threads"] * processes,
        gpu=0 if on_cpu else meta["gpu"] * processes,
        mem_mb=meta["mem_mb"] * processes,
        runtime_minutes=meta["runtime"],
        local=meta["local"],
        processes=processes,
    )


def code_among(dependencies: Iterable[str], root: Path) -> dict[str, str]:
    """Path -> digest of every file in the lists of code, and in the packages, among the dependencies."""
    found: dict[str, str] = {}
    for path in dependencies:
        script = listed_script(path)
        if script is not None:
            found |= code_digests(script, root)
        elif path in PACKAGES:
            modules = (file for file in files_of_package(path, root) if file.endswith(".py"))
            found |= {module: read_code(module, root).digest for module in modules}
    return found


def files_of_package(package: str, root: Path) -> list[str]:
    """Every file below a package's folder except those that Python has compiled."""
    found = (path.relative_to(root) for path in sorted((root / package).rglob("*")) if path.is_file())
    return [path.as_posix() for path in found if "__pycache__" not in path.parts]


def whole_outputs(dependencies: Iterable[str], outputs: Iterable[str]) -> list[str]:
    """Dependencies, with outputs in place of paths inside them and of folders above them."""
    outputs = list(outputs)
    inputs: dict[str, None] = {}
    for dependency in dependencies:
        within = [out for out in outputs if out == dependency or is_inside(dependency, out)]
        below = [out for out in outputs if is_inside(out, dependency)]
        inputs.update(dict.fromkeys(within or below or [dependency]))
    return list(inputs)


def is_inside(path: str, folder: str) -> bool:
    """Whether a path lies below a folder."""
    return path.startswith(f"{folder}/")


def parameter(parameters: Mapping[str, Any], key: str, stage: str) -> Any:
    """The value of a dotted key; raises InputError if params.yaml has none."""
    try:
        return reduce(getitem, key.split("."), parameters)
    except (KeyError, TypeError) as error:
        raise InputError(f"dvc.yaml: {stage}: params: {key} is not in params.yaml") from error


def in_order(stages: Mapping[str, Stage]) -> Iterator[Stage]:
    """Stages, each after those whose outputs it reads."""
    producers = {path: name for name, stage in stages.items() for path in stage.outputs}
    graph = {name: [producers[path] for path in stage.inputs if path in producers] for name, stage in stages.items()}
    return (stages[name] for name in TopologicalSorter(graph).static_order())


def needed_for(targets: Collection[str], stages: Mapping[str, Stage]) -> dict[str, Stage]:
    """The stages that stages, kinds of these or outputs among some words need; all of them if no word is one."""
    makers = {path: stage for stage in stages.values() for path in stage.outputs}
    by_target = {path: [stage] for path, stage in makers.items()} | stages_by_kind(stages)
    by_target |= {name: [stage] for name, stage in stages.items()}
    needed, waiting = dict[str, Stage](), [stage for word in targets for stage in by_target.get(word, ())]
    if not waiting:
        return dict(stages)
    while waiting:
        stage = waiting.pop()
        if stage.name not in needed:
            needed[stage.name] = stage
            waiting += [makers[path] for path in stage.inputs if path in makers]
    return needed


def stages_by_kind(stages: Mapping[str, Stage]) -> dict[str, list[Stage]]:
    """The stages of each script."""
    kinds: dict[str, list[Stage]] = {}
    for stage in stages.values():
        kinds.setdefault(stage.name.partition("@")[0], []).append(stage)
    return kinds


def is_folder(path: str) -> bool:
    """Whether an output is a folder: dvc.yaml has no mark for it, so in this project a file has a suffix."""
    return PurePosixPath(path).suffix == ""


if __name__ == "__main__":
    print(*(path for stage in resolved_stages(Path.cwd()).values() for path in stage.outputs), sep="\n")
