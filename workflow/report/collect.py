"""Collects what a run of the DAG made and renders it as one HTML file that opens offline, from a mail attachment.

Input: the resolved stages of dvc.yaml, and the files that they name as outputs. A file that no current stage makes
never gets in, though it may lie in the same folder. Output: text of an HTML page without any reference to another file:
pictures are data URIs, curves inline SVG. Without an account of the run, whose times and machine are never the same
twice, the same results give the same bytes anywhere; workflow/report/write.py adds one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from dcgan.core.files import InputError, read_json
from workflow.engines.dag import Stage
from workflow.params.load import read_yaml
from workflow.report.charts import CURVES, Chart, chart, series_of
from workflow.report.deviations import read_deviations
from workflow.report.page import anchor, as_yaml, environment
from workflow.report.paper_tables import TABLES
from workflow.report.pictures import AS_THEY_ARE, Form, Picture, picture, picture_name
from workflow.report.run_history import Account
from workflow.report.sentences import sentence
from workflow.report.table_rows import compare, pairs

DEVIATIONS = "docs/deviations.md"
# Chapters, and the stages whose results they hold, by what a reader calls them.
SECTIONS = {
    "Data": {
        "fit_autoencoder": "The autoencoder of the binary codes",
        "drop_duplicates": "Duplicates dropped",
        "evaluate_duplicates": "Duplicates found, against the truth",
        "join_faces": "Face crops",
    },
    "Training": {
        "train_dcgan": "Training",
        "evaluate_samples": "Quality of samples",
        "animate_training": "Training as a moving picture",
        "draw_samples": "Samples",
        "compare_guidelines": "The guidelines, broken one at a time",
    },
    "Representations": {
        "evaluate_svm": "Linear classifier on features",
        "fit_kmeans": "K-means baseline",
        "select_supervised_cnn": "Supervised baseline",
        "evaluate_neighbours": "Nearest neighbour among generated digits",
    },
    "Looking inside": {
        "draw_walk": "Walk through the latent space",
        "draw_nearest": "Nearest training images",
        "draw_guided": "What features answer to",
        "fit_window_classifier": "The classifier of windows",
        "draw_windows": "Forgetting windows",
        "fit_face_classifier": "The classifier of faces",
        "draw_arithmetic": "Vector arithmetic",
        "draw_turn": "Turning heads",
    },
}
# Figures that rest on a classifier, and the stage whose sentence says how far it can be trusted.
CLASSIFIED_BY = {
    "draw_windows": "fit_window_classifier",
    "draw_arithmetic": "fit_face_classifier",
    "draw_turn": "fit_face_classifier",
}
TITLES = {base: title for chapter in SECTIONS.values() for base, title in chapter.items()}


@dataclass(frozen=True)
class Result:
    """What one stage has to show."""

    stage: str
    anchor: str
    title: str
    caption: str
    sentence: str
    classifier: str
    pictures: list[Picture]
    charts: list[Chart]
    figures: list[tuple[str, str, str]]


@dataclass(frozen=True)
class Section:
    """A chapter of the report."""

    anchor: str
    title: str
    results: list[Result]


def render(
    root: Path, stages: Mapping[str, Stage], title: str, account: Account | None = None, form: Form = AS_THEY_ARE
) -> str:
    """The whole page, with an account of the run where one is given."""
    params = read_yaml(root / "params.yaml")
    metrics = metrics_by_name(root, stages)
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            title=title,
            anchor=anchor,
            tables=[compare(table, metrics) for table in TABLES],
            sections=sections(root, stages, form),
            form=form.said,
            stages=list(stages.values()),
            account=account,
            parameters=[(name, as_yaml(section)) for name, section in params.items()],
            deviations=read_deviations(root / DEVIATIONS),
            stand_ins=sorted(stand_ins(params)),
        )
    )


def sections(root: Path, stages: Mapping[str, Stage], form: Form) -> list[Section]:
    """Everything that stages have to show, in the order of `SECTIONS`, then what belongs to none of them."""
    known = {base: title for title, bases in SECTIONS.items() for base in bases}
    found: dict[str, list[Result]] = {title: [] for title in (*SECTIONS, "Further results")}
    order = {base: number for number, base in enumerate(known)}
    for stage in sorted(stages.values(), key=lambda stage: order.get(base_name(stage), len(order))):
        result = result_of(root, stage, classifier_of(root, stage, stages), form)
        if result.pictures or result.charts or result.figures:
            found[known.get(base_name(stage), "Further results")].append(result)
    return [Section(anchor(title), title, results) for title, results in found.items() if results]


def base_name(stage: Stage) -> str:
    """A stage's name without what `foreach` added."""
    return stage.name.split("@")[0]


def classifier_of(root: Path, stage: Stage, stages: Mapping[str, Stage]) -> str:
    """How often the classifier that a figure rests on is right; nothing where it rests on none."""
    classifier = stages.get(f"{CLASSIFIED_BY.get(base_name(stage))}@{item_name(stage)}")
    rests_on_it = classifier is not None and not set(classifier.outputs).isdisjoint(stage.dependencies)
    return " ".join(sentences(root, classifier)) if classifier and rests_on_it else ""


def item_name(stage: Stage) -> str:
    """What `foreach` added to a stage's name."""
    return stage.name.partition("@")[2]


def sentences(root: Path, stage: Stage) -> list[str]:
    """What a stage's metrics say."""
    said = [sentence(stage.name, read_json(root / path)) for path in outputs(root, stage, ".json")]
    return [text for text in said if text]


def title_of(stage: Stage) -> str:
    """What a reader calls a stage's results."""
    title = TITLES.get(base_name(stage), stage.description)
    return f"{title}: {item_name(stage).replace('_', ' ')}" if item_name(stage) else title


def result_of(root: Path, stage: Stage, classifier: str, form: Form) -> Result:
    """What one stage has to show."""
    metrics = [read_json(root / path) for path in outputs(root, stage, ".json") if path.startswith("results/metrics/")]
    pngs, measured = outputs(root, stage, ".png"), sentences(root, stage)
    return Result(
        stage.name,
        anchor(stage.name),
        title_of(stage),
        stage.caption,
        ". ".join(measured),
        classifier,
        [picture((root / path).read_bytes(), path, alternative(stage, path, pngs, measured), form) for path in pngs],
        charts_of(root, stage),
        [pair for figures in metrics for pair in pairs(figures)],
    )


def alternative(stage: Stage, path: str, pictures: list[str], measured: list[str]) -> str:
    """What stands for a picture where it is not seen: what it is and what was measured; its caption says the rest."""
    which = f", {picture_name(path)}" if len(pictures) > 1 else ""
    return f"{title_of(stage)}{which}: {'. '.join([stage.description, *measured])}"


def charts_of(root: Path, stage: Stage) -> list[Chart]:
    """The curves of a stage."""
    tables = [read_table(root / path) for path in outputs(root, stage, ".csv") if path.startswith("results/curves/")]
    plans = CURVES.get(base_name(stage), ())
    charts = [chart(plan, series_of(table, plan)) for table in tables for plan in plans]
    return [found for found in charts if found is not None]


def read_table(path: Path) -> pd.DataFrame:
    """A CSV of results/curves; raises InputError where it is none."""
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable CSV ({error})") from error


def outputs(root: Path, stage: Stage, suffix: str) -> list[str]:
    """Files of a kind that a stage makes, those inside its folders too, of results only and in a fixed order."""
    found = []
    for path in (path for path in stage.outputs if path.startswith("results/")):
        if PurePosixPath(path).suffix == suffix:
            found.append(path)
        elif (root / path).is_dir():
            inside = sorted((root / path).rglob(f"*{suffix}"))
            found += [file.relative_to(root).as_posix() for file in inside]
    return [path for path in found if (root / path).is_file()]


def metrics_by_name(root: Path, stages: Mapping[str, Stage]) -> dict[str, dict[str, Any]]:
    """The content of every metrics file of the DAG by the name of the file."""
    paths = [path for stage in stages.values() for path in outputs(root, stage, ".json")]
    return {PurePosixPath(path).stem: read_json(root / path) for path in paths}


def stand_ins(value: Any) -> set[str]:
    """All paths in the parameters that lie in the demo world: rendered stand-ins for the paper's data."""
    if isinstance(value, Mapping):
        return set().union(*(stand_ins(part) for part in value.values()))
    if isinstance(value, list):
        return set().union(*(stand_ins(part) for part in value))
    return {value} if isinstance(value, str) and value.startswith("data/demo/") else set()
