"""Which results in a checkout are those of its parameters, and why the others are not.

A record of the run that made a result has to say so: the stage's sidecar (workflow/engines/provenance.py), or its entry
in dvc.lock, which alone knows of results that DVC took from its cache. Command and parameters have to be those that the
stage has now, and results have to be as the run left them. What the run read has to be what its makers have left, and
has to belong as well. Data that is not at hand, or too large to be read twice, counts as unchanged, and so do folders
of raw data. Code is not compared: the engines do that.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from flatten_dict import flatten

from dcgan.core.files import InputError
from workflow.engines.code_dependencies import PACKAGES, listed_script
from workflow.engines.dag import Stage, in_order, whole_outputs
from workflow.engines.digests import MISSING, digest_of_input, digest_of_output, without_time
from workflow.engines.provenance import last_sidecar
from workflow.params.load import read_yaml

LOCK = "dvc.lock"
NOT_READ = "unread"  # how the digest of a large input starts
NAMED_AT_MOST = 3
Record = Mapping[str, Any]  # command, parameters, inputs and outputs; a sidecar has more
Digests = Callable[[str], str]


class Reason(NamedTuple):
    """Why results of a stage are not of these parameters: what is wrong, and with which stage."""

    stage: str
    text: str

    def about(self, stage: str) -> str:
        """The reason in words for a stage, which may rest on the one that is named."""
        return self.text if stage == self.stage else f"{self.text} (of {self.stage}, on which they rest)"


def belonging(root: Path, stages: Mapping[str, Stage]) -> tuple[dict[str, Record], dict[str, Reason]]:
    """By stage: the record of the run that made its results with these parameters; or why there is none."""
    records: dict[str, Record] = {}
    others: dict[str, Reason] = {}
    makers = {path: stage.name for stage in stages.values() for path in stage.outputs}
    made: dict[str, str] = {}  # digests of what the runs in `records` have made
    on_disk = cache(lambda path: digest_now(root, path, makers))
    locked = cache(lambda: records_of_lock(root))

    def digest(path: str) -> str:
        return made.get(path) or on_disk(path)

    for stage in in_order(stages):
        above = next((others[makers[path]] for path in stage.inputs if makers.get(path) in others), None)
        reason = None
        for record in records_of(root, stage.name, locked):
            found = objection(root, stage, record, above, digest)
            if found is None:
                records[stage.name] = record
                made |= record["outputs"]
                break
            reason = reason or found
        else:
            others[stage.name] = reason or Reason(stage.name, "nothing says how they were made")
    return records, others


def digest_now(root: Path, path: str, makers: Mapping[str, str]) -> str:
    """The digest of something that stages read; of a folder of raw data none."""
    raw = path not in makers and whole_outputs([path], makers) == [path]
    return MISSING if raw and (root / path).is_dir() else digest_of_input(root, path)


def records_of(root: Path, name: str, locked: Callable[[], Mapping[str, Record]]) -> Iterator[Record]:
    """What is known of runs of a stage: its sidecar, and, if that is not enough, what DVC has noted."""
    if sidecar := last_sidecar(root, name):
        yield sidecar
    if name in locked():
        yield locked()[name]


def records_of_lock(root: Path) -> dict[str, Record]:
    """What DVC has noted of each stage, with the keys of a sidecar; nothing if it has run none."""
    try:
        return {name: record_of_lock(entry) for name, entry in read_yaml(root / LOCK)["stages"].items()}
    except (InputError, AttributeError, KeyError, TypeError):
        return {}


def record_of_lock(entry: Mapping[str, Any]) -> Record:
    """An entry of dvc.lock as a record."""
    inputs, outputs = ({one["path"]: f"md5:{one['md5']}" for one in entry.get(key, [])} for key in ("deps", "outs"))
    parameters = entry.get("params", {}).get("params.yaml", {})
    return {"command": entry["cmd"], "parameters": parameters, "inputs": inputs, "outputs": outputs}


def objection(root: Path, stage: Stage, record: Record, above: Reason | None, digest: Digests) -> Reason | None:
    """Why a stage's results are not of a record's run with these parameters; `above`: why what that run read is not."""
    if text := other_parameters(stage, record):
        return Reason(stage.name, text)
    text = "" if above else other_files(root, stage, record, digest)
    return Reason(stage.name, text) if text else above


def other_parameters(stage: Stage, record: Record) -> str:
    """In what a record's parameters or command are not those of a stage, in words; empty if they are."""
    then, now = (by_dotted_key(parameters) for parameters in (record["parameters"], stage.parameters))
    changed = [key for key in then | now if then.get(key) != now.get(key)]
    if changed:
        named = (
            f"{key} was {then.get(key, 'left out')}, is {now.get(key, 'left out')}" for key in changed[:NAMED_AT_MOST]
        )
        more = f"; and {len(changed) - NAMED_AT_MOST} more" if len(changed) > NAMED_AT_MOST else ""
        return f"{'; '.join(named)}{more}"
    return "" if record["command"] == stage.command else "another command made them"


def by_dotted_key(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Parameters as text, each value by its own key; lists are whole."""
    values = flatten(parameters, reducer="dot", keep_empty_types=(dict,))
    return {key: "empty" if value is None else json.dumps(value) for key, value in values.items()}


def other_files(root: Path, stage: Stage, record: Record, digest: Digests) -> str:
    """What a record's run has made or read that is something else now, in words; empty if nothing is."""
    for path in (path for path in stage.outputs if path.startswith("results/")):
        if digest_of_output(root, path) not in (MISSING, record["outputs"].get(path)):
            return f"{path} is not what that run left"
    for path in filter(is_data, stage.dependencies):
        if differ(record["inputs"].get(path, ""), digest(path)):
            return f"{path} has changed since"
    return ""


def is_data(path: str) -> bool:
    """Whether a dependency is neither code nor what lies beside code."""
    return listed_script(path) is None and path.partition("/")[0] not in PACKAGES


def differ(then: str, now: str) -> bool:
    """Whether two digests are of different content, as far as they can be compared."""
    comparable = now != MISSING and then.startswith(NOT_READ) == now.startswith(NOT_READ)
    return comparable and without_time(then) != without_time(now)
