"""The DAG as a Mermaid drawing of its kinds of stages, for README: chapters as boxes, data as arrows.

An arrow that others imply is left out. Kinds of one chapter with the same arrows share a node. `digest_code`,
`judge_claims` and `build_report`, which have no chapter, are left out: their arrows go to and from everything.
"""

import re
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

from workflow.description import CHAPTERS, describe, kind_of
from workflow.engines.dag import declared_outputs, dvc_definitions, whole_outputs, with_parameters
from workflow.params.load import read_yaml

Arrows = dict[str, set[str]]  # kind of stage -> kinds that read what it makes


def drawing(root: Path) -> list[str]:
    """The drawing of root/dvc.yaml, as lines of Markdown."""
    arrows = without_implied(arrows_of(every_kind(root)))
    nodes = shared_nodes(arrows)
    lines = ["```mermaid", "flowchart LR"]
    for number, (chapter, where) in enumerate(CHAPTERS.items()):
        lines.append(f'  subgraph c{number}["{chapter} ({where})"]')
        for first, kinds in nodes.items():
            if describe(first).chapter == chapter:
                lines.append(f"    {first}" if len(kinds) == 1 else f'    {first}["{"<br/>".join(kinds)}"]')
        lines.append("  end")
    lines += [f"  {first} --> {later}" for first in nodes for later in nodes if later in arrows[first]]
    return [*lines, "```"]


def every_kind(root: Path) -> dict[str, dict[str, Any]]:
    """The stages of root/dvc.yaml, resolved, with one item where params.yaml has none, so that no kind is missing."""
    params = read_yaml(root / "params.yaml")
    item = next(iter(params["train"]))  # what is left out is left out for every network
    for stage in read_yaml(root / "dvc.yaml")["stages"].values():
        for key in re.findall(r"\$\{([\w.]+)\}", str([stage.get("foreach"), stage.get("matrix")])):
            *path, last = key.split(".")
            section = reduce(getitem, path, params)
            if not section[last]:
                fields = dict.fromkeys(re.findall(r"\$\{item\.(\w+)\}", str(stage)), item)
                section[last] = [item] if isinstance(section[last], list) else {item: fields}
    with with_parameters(root, params) as folder:
        return dvc_definitions(folder)


def arrows_of(definitions: dict[str, dict[str, Any]]) -> Arrows:
    """Which kinds read what each kind makes, in the order of dvc.yaml."""
    makers = {path: kind_of(name) for name, stage in definitions.items() for path, _ in declared_outputs(stage)}
    found: Arrows = {kind_of(name): set() for name in definitions if describe(name).chapter}
    for name in (name for name in definitions if kind_of(name) in found):
        for path in whole_outputs(definitions[name].get("deps", []), makers):
            if makers.get(path) in found:
                found[makers[path]].add(kind_of(name))
    return found


def without_implied(arrows: Arrows) -> Arrows:
    """The same without arrows to kinds that a longer way leads to."""

    def beyond(kind: str) -> set[str]:
        return arrows[kind].union(*map(beyond, arrows[kind]))

    return {kind: after - set().union(*map(beyond, after)) for kind, after in arrows.items()}


def shared_nodes(arrows: Arrows) -> dict[str, list[str]]:
    """Kinds with the same chapter and the same arrows, by the first of them."""
    groups: dict[Any, list[str]] = {}
    for kind, after in arrows.items():
        before = frozenset(other for other in arrows if kind in arrows[other])
        groups.setdefault((describe(kind).chapter, before, frozenset(after)), []).append(kind)
    return {kinds[0]: kinds for kinds in groups.values()}
