"""README's generated parts: the table "published / ours", the DAG as a drawing, the index of the paper's figures.

`make overview` writes them, each between two marks; tests hold README in git against them. Input: dvc.yaml, the stages'
descriptions, the reference run (`make reference`).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dcgan.core.files import InputError, read_json, replace_when_done
from tests.dag_drawing import drawing
from workflow.claims.seeds import by_seed, over_seeds
from workflow.claims.words import lines, read_claims
from workflow.description import describe, fill_in
from workflow.engines.dag import declared_outputs
from workflow.engines.stage import run_stage
from workflow.params.load import read_yaml
from workflow.report.reference import METRICS, SEEDS
from workflow.report.table_rows import Metrics

PLACES = ("section", "table", "figure")  # in the order of a list of them
INDEX_HEAD = ("| paper | stage | library | `params.yaml` | output |", "|---|---|---|---|---|")


def main() -> None:
    """Renews the parts in the checkout one stands in."""
    root = Path.cwd()
    text = renewed((root / "README.md").read_text(encoding="utf-8"), root, read_json(root / METRICS))
    with replace_when_done(root / "README.md") as partial:
        partial.write_text(text, encoding="utf-8")


def renewed(readme: str, root: Path, metrics: Metrics) -> str:
    """README with its parts renewed for a project; raises InputError if the marks of one are missing."""
    definitions = read_yaml(root / "dvc.yaml")["stages"]
    parts = {
        "claims": claims(root),
        "table": table(definitions, metrics),
        "dag": drawing(root),
        "index": index(definitions),
    }
    for name, content in parts.items():
        begin, end = f"<!-- make overview: {name} -->\n", f"<!-- end: {name} -->"
        before, _, rest = readme.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise InputError(f"README.md: no lines {begin.strip()} and {end}")
        readme = "\n".join([before + begin, *content, "", end]) + after
    return readme


def place(text: str) -> tuple[int, list[int]]:
    """Where a text belongs that begins with a place of the paper: "Table 1: ..." comes after "section 4.1: ..."."""
    label = text.partition(":")[0].lower()
    return PLACES.index(label.split()[0]), [int(number) for number in re.findall(r"\d+", label)]


def table(kinds: Mapping[str, Any], metrics: Metrics) -> list[str]:
    """The claims of the paper beside ours; raises InputError if a metric is missing."""
    rows = sorted((row for kind in kinds for row in describe(kind).table_rows), key=place)
    try:
        return ["| what | published | ours |", "|---|---|---|", *(f"| {fill_in(row, metrics)} |" for row in rows)]
    except KeyError as error:
        raise InputError(f"README's table: no {error} among the metrics of this run") from error


def claims(root: Path) -> list[str]:
    """The paper's claims with their verdicts over seeds, and in how many of these each holds."""
    table = read_claims(root / SEEDS)
    each = {name: list(verdicts.values()) for name, verdicts in by_seed(table).items()}
    rows = [
        f"| {one.paper}: {one.claim} | {one.verdict} | {each[one.id].count('holds')} of {len(each[one.id])} | "
        f"{one.comparisons[0]} |"
        for one in lines(over_seeds(table))
        if one.verdict != "not run"
    ]
    weakest = "its weakest comparison: means (ranges), 95 % interval of the difference"
    return [f"| claim | over all seeds | holds in | {weakest} |", "|---|---|---|---|", *rows]


def index(definitions: Mapping[str, Any]) -> list[str]:
    """A row for each figure, table and section of the paper that the project makes: where its code and output are."""
    makers: dict[str, list[tuple[str, str]]] = {}
    words: dict[str, str] = {}
    for kind in definitions:
        for label, item in describe(kind).makes.items():
            short, _, what = label.partition(": ")
            makers.setdefault(short, []).append((kind, item))
            words[short] = words.get(short) or what
    rows = [index_row(f"{label}: {words[label]}", makers[label], definitions) for label in sorted(makers, key=place)]
    return [*INDEX_HEAD, *rows]


def index_row(label: str, makers: list[tuple[str, str]], definitions: Mapping[str, Any]) -> str:
    """The stages that make one of them, the modules of the library, sections of params.yaml, and results."""
    modules = dict.fromkeys(module for kind, _ in makers for module in describe(kind).modules)
    sections, outputs = dict[str, None](), dict[str, None]()
    for kind, item in makers:
        stage = definitions[kind].get("do", definitions[kind])
        keys, paths = [
            [re.sub(r"\$\{(key|item(\.set)?)\}", item, text) for text in texts]
            for texts in (stage.get("params", []), [path for path, _ in declared_outputs(stage)])
        ]
        own = [key for key in keys if item and key.endswith(f".{item}")]
        sections |= dict.fromkeys(own or [key.partition(".")[0] for key in keys if not key.startswith("run.")])
        outputs |= dict.fromkeys(path for path in paths if path.startswith(("results/figures", "results/metrics")))
    cells = (
        label,
        ", ".join(f"[`{kind}`](stages/{kind}.py)" for kind, _ in makers),
        ", ".join(f"[`{module}`](dcgan/{module}.py)" for module in modules),
        *(", ".join(f"`{one}`" for one in found) for found in (sections, outputs)),
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    run_stage(main)
