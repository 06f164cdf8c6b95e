"""What the stages of the DAG have to show: pictures, curves, numbers, and what they say in words.

Input: the resolved stages of dvc.yaml, and the files that they name as outputs. A file that no current stage makes
never gets in, though it may lie in the same folder.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcgan.core.files import read_csv, read_json
from workflow.claims.words import Line
from workflow.description import CHAPTERS, FOLDER, FURTHER, caption_of, describe, item_of
from workflow.engines.dag import Stage
from workflow.report.charts import Chart, chart, series_of
from workflow.report.page import Picture, picture, picture_name
from workflow.report.table_rows import number, pairs

# What a caption expects, beside what the claim about it has come to.
OUTCOMES = {
    "holds": "",
    "fails": "The claim about it fails in this run.",
    "undecided": "The claim about it is undecided in this run.",
    "not run": "This run has not measured whether it does.",
}


@dataclass(frozen=True)
class Result:
    """What one stage has to show; `other`: why it is not of these parameters, empty if it is."""

    stage: str
    place: str
    title: str
    caption: str
    sentence: str
    classifier: str
    pictures: list[Picture]
    charts: list[Chart]
    figures: list[tuple[str, str, str]]
    other: str = ""


def chapters(
    root: Path, stages: Mapping[str, Stage], others: Mapping[str, str], claims: list[Line], quality: int
) -> dict[str, list[Result]]:
    """Everything that stages have to show, by chapter, in the order of the paper and then of the DAG."""
    found: dict[str, list[Result]] = {title: [] for title in (*CHAPTERS, FURTHER)}
    current = {name: stage for name, stage in stages.items() if name not in others}
    for stage in stages.values():
        result = result_of(root, stage, current, others.get(stage.name, ""), claims, quality)
        if result.pictures or result.charts or result.figures:
            found[describe(stage.name).chapter or FURTHER].append(result)
    return {title: sorted(results, key=in_the_paper) for title, results in found.items() if results}


def in_the_paper(result: Result) -> tuple[bool, bool, list[int]]:
    """Orders results by their places in the paper: sections, then figures and tables, then what it does not have."""
    first = result.place.partition(",")[0]
    return not first, not first.startswith("Section"), [int(number) for number in re.findall(r"\d+", first)]


def result_of(
    root: Path, stage: Stage, current: Mapping[str, Stage], other: str, claims: list[Line], quality: int
) -> Result:
    """What one stage has to show."""
    measured, title = sentence_of(root, stage), title_of(stage)
    figures = [pair for path in outputs(root, stage, ".json", "results/metrics/") for pair in pairs(read_json(path))]
    files = {path.relative_to(root).as_posix(): path for path in outputs(root, stage, ".png")}
    # Who does not see a picture gets what is to be seen, which its caption says first, and what was measured.
    what = ". ".join(filter(None, [caption_of(stage.name).partition(". ")[0] or stage.description, measured]))
    pictures = [
        picture(
            file.read_bytes(), path, f"{title}{f', {picture_name(path)}' if len(files) > 1 else ''}: {what}", quality
        )
        for path, file in files.items()
    ]
    return Result(
        stage.name,
        ", ".join(place.partition(":")[0] for place in places_of(stage.name)),
        title,
        " ".join(filter(None, [caption_of(stage.name), "" if other else outcome_of(root, stage, claims)])),
        measured,
        "" if other else classifier_of(root, stage, current),
        pictures,
        list(charts_of(root, stage)),
        figures,
        other,
    )


def places_of(stage: str) -> list[str]:
    """The figures, tables and sections of the paper that a stage makes: "Table 3: MNIST", "Figure 9: MNIST digits"."""
    return [place for place, item in describe(stage).makes.items() if item == item_of(stage)]


def on_data_of_the_paper(stages: Iterable[str]) -> bool:
    """Whether any stage has to do with a data set of the paper; if none has, there is nothing to compare with it."""
    makes = (describe(path.stem).makes for path in FOLDER.glob("*.yaml"))
    # Shards, which any set has, are numbers.
    sets = {item for places in makes for item in places.values() if not item.isdecimal()}
    return not sets.isdisjoint(map(item_of, stages))


def outcome_of(root: Path, stage: Stage, claims: list[Line]) -> str:
    """What a caption has to add if the run does not show what it expects; empty if it does, or if nobody knows."""
    about = describe(stage.name)
    verdicts = {claim.id: claim.verdict for claim in claims}
    found = [OUTCOMES[verdicts.get(about.claim, "not run")]] if about.claim and claims else []
    found += [missed(about.expects, read_json(path)) for path in outputs(root, stage, ".json")]
    return " ".join(filter(None, found))


def missed(expected: str, metrics: Mapping[str, Any]) -> str:
    """In words, that of two metrics, `a < b`, the first is not below the second; empty if it is."""
    names = expected.split(" < ")
    if any(metrics.get(name) is None for name in names) or metrics[names[0]] < metrics[names[1]]:
        return ""
    numbers = (f"{name.replace('_', ' ')} ({number(metrics[name])})" for name in names)
    return f"This run does not show it: {' is not below '.join(numbers)}."


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
        table = read_csv(path, {})
        drawn = [chart(plan, series_of(table, plan)) for plan in describe(stage.name).charts]
        yield from filter(None, drawn)


def outputs(root: Path, stage: Stage, suffix: str, folder: str = "results/") -> list[Path]:
    """Files whose names end so that a stage makes in a folder, those inside its own folders too, in a fixed order."""
    found: list[Path] = []
    for path in (root / path for path in stage.outputs if path.startswith(folder)):
        found += sorted(path.rglob(f"*{suffix}")) if path.is_dir() else [path] if path.name.endswith(suffix) else []
    return [path for path in found if path.is_file()]


def metrics_by_name(root: Path, stages: Mapping[str, Stage]) -> dict[str, dict[str, Any]]:
    """The content of every metrics file of the DAG by the name of the file."""
    return {path.stem: read_json(path) for stage in stages.values() for path in outputs(root, stage, ".json")}
