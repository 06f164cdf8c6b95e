"""Collects what a run of the DAG made and renders it as one HTML file that opens offline, from a mail attachment.

Input: the resolved stages of dvc.yaml, and the files that they name as outputs. A file that no current stage makes
never gets in, though it may lie in the same folder. Output: text of an HTML page without any reference to another file:
pictures are data URIs, curves inline SVG. Without an account of the run, whose times and machine are never the same
twice, the same results give the same bytes anywhere; workflow/report/write.py adds one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from dcgan.core.files import InputError, read_json
from workflow.claims.words import CLAIMS, Line, count, lines, read_claims
from workflow.description import CHAPTERS, FURTHER, caption_of, describe, item_of
from workflow.engines.dag import Stage
from workflow.params.load import read_yaml
from workflow.report.charts import Chart, chart, series_of
from workflow.report.page import AS_IT_IS, Picture, fill_template, picture, picture_name
from workflow.report.run_history import Account
from workflow.report.table_rows import pairs, tables_of

DEVIATIONS = "docs/deviations.md"


@dataclass(frozen=True)
class Result:
    """What one stage has to show."""

    stage: str
    title: str
    caption: str
    sentence: str
    classifier: str
    pictures: list[Picture]
    charts: list[Chart]
    figures: list[tuple[str, str, str]]


def render(
    root: Path,
    stages: Mapping[str, Stage],
    title: str,
    account: Account | None = None,
    quality: int = AS_IT_IS,
    expected: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> str:
    """The whole page, with an account of the run if one is given, and pictures of some quality (see page.py).

    expected: what to expect of claims, by their ids (workflow/report/reference.py).
    """
    params = read_yaml(root / "params.yaml")
    metrics, claims = metrics_by_name(root, stages), claims_of(root, stages)
    return fill_template(
        "report.html.j2",
        title=title,
        claims=claims,
        expected=expected,
        verdicts=count(claims),
        tables=tables_of(metrics),
        chapters=chapters(root, stages, quality),
        quality=quality,
        stages=list(stages.values()),
        account=account,
        parameters=params,
        deviations=table_of(root / DEVIATIONS),
        stand_ins=sorted(stand_ins(params)),
    )


def claims_of(root: Path, stages: Mapping[str, Stage]) -> list[Line]:
    """The claims that the DAG judges; none if it does not, or has not yet."""
    made = any(CLAIMS.as_posix() in stage.outputs for stage in stages.values())
    return lines(read_claims(root / CLAIMS)) if made and (root / CLAIMS).is_file() else []


def chapters(root: Path, stages: Mapping[str, Stage], quality: int) -> dict[str, list[Result]]:
    """Everything that stages have to show, by chapter, in the order of the DAG."""
    found: dict[str, list[Result]] = {title: [] for title in (*CHAPTERS, FURTHER)}
    for stage in stages.values():
        result = result_of(root, stage, classifier_of(root, stage, stages), quality)
        if result.pictures or result.charts or result.figures:
            found[describe(stage.name).chapter or FURTHER].append(result)
    return {title: results for title, results in found.items() if results}


def result_of(root: Path, stage: Stage, classifier: str, quality: int) -> Result:
    """What one stage has to show."""
    measured, title = sentence_of(root, stage), title_of(stage)
    figures = [pair for path in outputs(root, stage, ".json", "results/metrics/") for pair in pairs(read_json(path))]
    charts = list(charts_of(root, stage))
    files = {path.relative_to(root).as_posix(): path for path in outputs(root, stage, ".png")}
    # Who does not see a picture gets what it is and what was measured; its caption stands beside it in any case.
    what = ". ".join(filter(None, [stage.description, measured]))
    pictures = [
        picture(
            file.read_bytes(), path, f"{title}{f', {picture_name(path)}' if len(files) > 1 else ''}: {what}", quality
        )
        for path, file in files.items()
    ]
    return Result(stage.name, title, caption_of(stage.name), measured, classifier, pictures, charts, figures)


def sentence_of(root: Path, stage: Stage) -> str:
    """What a stage's metrics say."""
    found = [describe(stage.name).measured(read_json(path)) for path in outputs(root, stage, ".json")]
    return ". ".join(filter(None, found))


def classifier_of(root: Path, stage: Stage, stages: Mapping[str, Stage]) -> str:
    """How often the classifier that a stage's numbers rest on is right; empty if they rest on none."""
    classifier = stages.get(f"{describe(stage.name).classifier}@{item_of(stage.name)}")
    if classifier is None or set(classifier.outputs).isdisjoint(stage.dependencies):
        return ""
    return sentence_of(root, classifier)


def title_of(stage: Stage) -> str:
    """What a reader calls a stage's results."""
    title, item = describe(stage.name).title or stage.description, item_of(stage.name)
    return f"{title}: {item.replace('_', ' ')}" if item else title


def charts_of(root: Path, stage: Stage) -> Iterator[Chart]:
    """The curves of a stage."""
    for path in outputs(root, stage, ".csv", "results/curves/"):
        try:
            table = pd.read_csv(path)
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: not a readable CSV ({error})") from error
        drawn = [chart(plan, series_of(table, plan)) for plan in describe(stage.name).charts]
        yield from filter(None, drawn)


def outputs(root: Path, stage: Stage, suffix: str, folder: str = "results/") -> list[Path]:
    """Files of a kind that a stage makes in a folder, those inside its own folders too, in a fixed order."""
    found: list[Path] = []
    for path in (root / path for path in stage.outputs if path.startswith(folder)):
        found += sorted(path.rglob(f"*{suffix}")) if path.is_dir() else [path] if path.suffix == suffix else []
    return [path for path in found if path.is_file()]


def metrics_by_name(root: Path, stages: Mapping[str, Stage]) -> dict[str, dict[str, Any]]:
    """The content of every metrics file of the DAG by the name of the file."""
    return {path.stem: read_json(path) for stage in stages.values() for path in outputs(root, stage, ".json")}


def table_of(path: Path) -> list[list[list[str]]]:
    """Rows of the one table of a Markdown text, its header first; a cell is cut at its backticks, so that every second
    piece is code. Raises InputError if there is no such table.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    rows = [[cell.strip().split("`") for cell in line.strip("| ").split("|")] for line in lines if line.startswith("|")]
    if len(rows) < 3 or any(len(row) != len(rows[0]) for row in rows):
        raise InputError(f"{path}: no table whose rows have as many cells as its header")
    return [rows[0], *rows[2:]]


def stand_ins(value: Any) -> set[str]:
    """All paths in the parameters that lie in the demo world: rendered stand-ins for the paper's data."""
    if isinstance(value, Mapping | list):
        return set().union(*map(stand_ins, value.values() if isinstance(value, Mapping) else value))
    return {value} if isinstance(value, str) and value.startswith("data/demo/") else set()
