"""The parameters in git, made very small by `tiny.yaml`, and the bytes that a run of the DAG left.

`python -m tests.dag.tiny` runs every stage of the checkout one stands in without any engine, one after the other in one
process, which pays for imports once.
"""

import hashlib
import importlib
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.dag.demo import preset_values
from tests.dag.reads import recorded_reads
from workflow.engines import dag
from workflow.engines.dag import Stage
from workflow.engines.provenance import traced
from workflow.params.load import check_params, read_yaml
from workflow.presets.merge import LEFT_OUT

TINY = read_yaml(Path(__file__).with_name("tiny.yaml"))


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in every output."""
    return digests_of(folder, [path for stage in dag.resolve(folder).values() for path in stage.outputs])


def digests_of(folder: Path, outputs: list[str]) -> dict[str, str]:
    """SHA-256 of every file in some outputs; an AssertionError where one has none."""
    found = {}
    for output in outputs:
        inside = sorted((folder / output).rglob("*")) if dag.is_folder(output) else [folder / output]
        files = [path for path in inside if path.is_file() and path.name != dag.TIMESTAMP]
        assert files, f"{output} is empty"
        found.update({str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files})
    return found


def tiny_params(path: Path, further: Mapping[str, Any] | None = None) -> None:
    """Writes a params.yaml: the demo's values, those of tiny.yaml, and further ones; an unknown key is an error."""
    params = preset_values()
    override(params, TINY)
    override(params, further or {})
    check_params(params, path)
    YAML(typ="safe").dump(params, path)


def override(params: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Sets values in a tree; the key `*` means every key of a section, the value `left out` takes a key away."""
    for key, value in changes.items():
        if key == "*":
            for section in params.values():
                override(section, value)
        elif value == LEFT_OUT:
            del params[key]
        elif isinstance(value, Mapping):
            override(params[key], value)
        else:
            params[key] = value


def run_all(root: Path) -> dict[str, set[str]]:
    """Every stage of root, which has to be the working directory, in this process; returns what keys each has read."""
    read = {}
    for stage in dag.in_order(dag.resolve(root)):
        module = importlib.import_module(f"stages.{script_of(stage)}")
        with traced(root, stage), recorded_reads(module) as read[stage.name]:
            module.main(shlex.split(stage.command)[3:])
    return read


def script_of(stage: Stage) -> str:
    """The name of a stage's script in stages/."""
    return shlex.split(stage.command)[2].removeprefix("stages.")


if __name__ == "__main__":
    run_all(Path.cwd())
