"""The DAG as data: the stages of `dvc.yaml`, resolved by DVC's own parser, in the form that Snakemake needs.

`dvc.yaml` is the only place where the DAG is written. `Snakefile` makes a rule of each stage that `resolved_stages`
returns, so the two engines cannot drift apart. What only one of them would understand is refused here.

Of code, DVC compares the list of digests that `digest_code` writes for each script. The lists are all written at once,
so Snakemake, which compares times of files, gets the digests as a parameter of each rule instead.

Input: `dvc.yaml`, `params.yaml`, the imports of the code. Output: `Stage` objects by name, kept as JSON under
`.snakemake/`, keyed by a digest of all these, because every job on a cluster reads the Snakefile again.
`python -m workflow.engines.dag` prints every output of the DAG, one a line.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

from dcgan.core.files import InputError, write_json
from workflow.engines.code_dependencies import PACKAGES, code_digests, listed_script

TIMESTAMP = ".snakemake_timestamp"  # in a folder that Snakemake made: its time in Snakemake's eyes
CACHE = Path(".snakemake/resolved_stages.json")
STAGE_KEYS = {"cmd", "deps", "params", "outs", "metrics", "plots", "meta", "desc"}
OUTPUT_KEYS = ("outs", "metrics", "plots")
OUTPUT_FLAGS = {"cache", "x", "y", "x_label", "y_label", "title", "template", "header", "desc"}
META_TYPES = {
    "threads": int,
    "gpu": int,
    "mem_mb": int,
    "runtime": int,
    "processes": int,
    "local": bool,
}
REQUIRED_META = ("threads", "gpu", "mem_mb", "runtime")


@dataclass(frozen=True)
class Stage:
    """One node of the DAG.

    `dependencies` are the paths as dvc.yaml has them; `inputs` those of them that are data, as Snakemake has to see
    them: every path is either an output of another stage, whole, or a file or folder that no stage makes. `code`: path
    -> digest of the files of this project that the stage runs. `threads`, `gpu` and `mem_mb` are those of all processes
    of the stage together; where `run.device` is cpu, no GPU is asked for.
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
    def rule(self) -> str:
        """The stage's name as Snakemake allows it."""
        return "".join(letter if letter.isalnum() else "_" for letter in self.name)


def resolved_stages(root: Path) -> dict[str, Stage]:
    """Every stage of root/dvc.yaml with its parameters filled in; raises InputError for what cannot be resolved."""
    digest = definition_digest(root)
    cached = read_cache(root / CACHE, digest)
    if cached is None:
        cached = resolve(root)
        write_cache(root / CACHE, digest, cached)
    return cached


def resolve(root: Path) -> dict[str, Stage]:
    """The same as `resolved_stages`, without the cache."""
    from workflow.params.load import (
        read_yaml,  # here, as DVC below: a job that finds the stages in the cache needs neither
    )

    definitions = dvc_definitions(root)
    parameters = read_yaml(root / "params.yaml")
    for name, definition in definitions.items():
        check_definition(name, definition)
    producers = producers_of_outputs(definitions)
    return {
        name: make_stage(name, definition, parameters, producers.keys(), root)
        for name, definition in definitions.items()
    }


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


def check_definition(name: str, definition: Mapping[str, Any]) -> None:
    """Raises InputError where a stage has a key that Snakemake, or this reader, has no meaning for."""
    meta = definition.get("meta", {})
    for where, found, allowed in (
        ("", definition, STAGE_KEYS),
        ("meta.", meta, set(META_TYPES)),
        *(("outs: ", flags, OUTPUT_FLAGS) for _, flags in declared_outputs(definition)),
    ):
        for key in sorted(set(found) - allowed):
            raise InputError(f"dvc.yaml: {name}: {where}{key} is not supported (known: {', '.join(sorted(allowed))})")
    for key in REQUIRED_META:
        if key not in meta:
            raise InputError(f"dvc.yaml: {name}: meta.{key} is missing")
    for key, value in meta.items():
        if type(value) is not META_TYPES[key]:
            raise InputError(f"dvc.yaml: {name}: meta.{key}: {value!r} is not of type {META_TYPES[key].__name__}")
    for entry in definition.get("params", []):
        if not isinstance(entry, str):
            raise InputError(f"dvc.yaml: {name}: params: {entry!r}: only keys of params.yaml are supported")


def declared_outputs(definition: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Paths and flags of everything that a stage makes: outs, metrics and plots."""
    found = []
    for entry in (entry for key in OUTPUT_KEYS for entry in definition.get(key, [])):
        found.extend([(entry, {})] if isinstance(entry, str) else [(path, flags) for path, flags in entry.items()])
    return found


def producers_of_outputs(definitions: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Output -> name of its stage; raises InputError where two outputs are the same, or one lies inside another."""
    producers: dict[str, str] = {}
    for name, definition in definitions.items():
        for path, _ in declared_outputs(definition):
            if path in producers:
                raise InputError(f"dvc.yaml: {path} is an output of both {producers[path]} and {name}")
            producers[path] = name
    for path in producers:
        for folder in set(map(str, PurePosixPath(path).parents)) & producers.keys():
            raise InputError(f"dvc.yaml: {path} ({producers[path]}) lies inside {folder} ({producers[folder]})")
    return producers


def make_stage(
    name: str, definition: Mapping[str, Any], parameters: Mapping[str, Any], outputs: Iterable[str], root: Path
) -> Stage:
    """Stage of a checked definition."""
    commands = definition["cmd"]
    meta = definition["meta"]
    processes = meta.get("processes", 1)
    on_cpu = parameters.get("run", {}).get("device") == "cpu"
    dependencies = definition.get("deps", [])
    return Stage(
        name=name,
        description=definition.get("desc", ""),
        command=commands if isinstance(commands, str) else " && ".join(commands),
        dependencies=dependencies,
        inputs=whole_outputs(data_of(dependencies, root), outputs),
        code=digests_of_code(dependencies, root),
        outputs=[path for path, _ in declared_outputs(definition)],
        parameters={key: parameter(parameters, key, name) for key in definition.get("params", [])},
        threads=meta["threads"] * processes,
        gpu=0 if on_cpu else meta["gpu"] * processes,
        mem_mb=meta["mem_mb"] * processes,
        runtime_minutes=meta["runtime"],
        local=meta.get("local", False),
        processes=processes,
    )


def data_of(dependencies: Iterable[str], root: Path) -> list[str]:
    """Dependencies other than lists of code; a package's folder, of which only its code counts, as its files."""
    paths: list[str] = []
    for path in dependencies:
        if path in PACKAGES:
            paths.extend(files_of_package(path, root))
        elif listed_script(path) is None:
            paths.append(path)
    return paths


def digests_of_code(dependencies: Iterable[str], root: Path) -> dict[str, str]:
    """Path -> digest of every file in the lists of code among the dependencies."""
    scripts = filter(None, map(listed_script, dependencies))
    return {path: digest for script in scripts for path, digest in code_digests(script, root).items()}


def files_of_package(package: str, root: Path) -> list[str]:
    """Every file below a package's folder but what Python has compiled."""
    found = (path.relative_to(root) for path in sorted((root / package).rglob("*")) if path.is_file())
    return [path.as_posix() for path in found if "__pycache__" not in path.parts]


def whole_outputs(dependencies: Iterable[str], outputs: Iterable[str]) -> list[str]:
    """Dependencies with a path inside an output replaced by it, and a folder above outputs by all of these."""
    outputs = list(outputs)
    inputs: dict[str, None] = {}
    for dependency in dependencies:
        within = [out for out in outputs if out == dependency or is_inside(dependency, out)]
        below = [out for out in outputs if is_inside(out, dependency)]
        inputs.update(dict.fromkeys(within or below or [dependency]))
    return list(inputs)


def is_inside(path: str, folder: str) -> bool:
    """Whether a path lies below a folder."""
    return PurePosixPath(folder) in PurePosixPath(path).parents


def parameter(parameters: Mapping[str, Any], key: str, stage: str) -> Any:
    """The value of a dotted key; raises InputError where params.yaml has none."""
    value: Any = parameters
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise InputError(f"dvc.yaml: {stage}: params: {key} is not in params.yaml")
        value = value[part]
    return value


def in_order(stages: Mapping[str, Stage]) -> Iterator[Stage]:
    """Stages, each after those whose outputs it reads."""
    waiting, made = list(stages.values()), set[str]()
    outputs = {path for stage in waiting for path in stage.outputs}
    while waiting:
        stage = next(stage for stage in waiting if set(stage.inputs) & outputs <= made)
        waiting.remove(stage)
        made.update(stage.outputs)
        yield stage


def is_folder(path: str) -> bool:
    """Whether an output is a folder: dvc.yaml has no mark for it, so in this project a file has a suffix."""
    return PurePosixPath(path).suffix == ""


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


def read_cache(path: Path, digest: str) -> dict[str, Stage] | None:
    """The stages that were kept for this digest, or None."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {stage["name"]: Stage(**stage) for stage in content["stages"]} if content["digest"] == digest else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_cache(path: Path, digest: str, stages: Mapping[str, Stage]) -> None:
    """Keeps resolved stages for the next reader; where nothing can be written, they are resolved again."""
    with suppress(InputError, OSError):
        write_json(path, {"digest": digest, "stages": [asdict(stage) for stage in stages.values()]})


if __name__ == "__main__":
    print(*(path for stage in resolved_stages(Path.cwd()).values() for path in stage.outputs), sep="\n")
