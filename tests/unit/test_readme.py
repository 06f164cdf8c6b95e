"""README's generated parts are what the project would write: the table, the drawing of the DAG, the index."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dcgan.core.files import InputError
from tests.dag.demo import DEMO, demo_stages
from tests.dag_drawing import arrows_of, drawing, every_kind, without_implied
from tests.readme import index, renewed, table
from workflow.claims.judge import read_registry
from workflow.description import describe
from workflow.params.load import load_params, read_yaml
from workflow.report.reference import METRICS, REFERENCE, SEEDS
from workflow.report.table_rows import TABLES

ROOT = Path(__file__).parents[2]
KINDS: dict[str, Any] = read_yaml(ROOT / "dvc.yaml")["stages"]
MARKS = "\n".join(
    f"<!-- make overview: {name} -->\nold\n<!-- end: {name} -->" for name in ("claims", "table", "dag", "index")
)


def in_git(*arguments: str) -> str:
    """What git says of the last commit, so that a run of another preset in this checkout changes nothing."""
    finished = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if finished.returncode:
        pytest.skip(f"git {arguments[0]}: {finished.stderr.strip()}")
    return finished.stdout


@pytest.fixture(scope="module")
def metrics() -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = json.loads(in_git("show", f"HEAD:{METRICS}"))
    return found


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """dvc.yaml, params.yaml and the reference run's seeds as they are in git."""
    folder = tmp_path_factory.mktemp("committed")
    (folder / REFERENCE).mkdir(parents=True)
    for name in ("dvc.yaml", "params.yaml", SEEDS.as_posix()):
        (folder / name).write_text(in_git("show", f"HEAD:{name}"))
    return folder


def test_readme_in_git_is_what_the_project_would_write(committed: Path, metrics: dict[str, dict[str, float]]) -> None:
    readme = in_git("show", "HEAD:README.md")
    assert renewed(readme, committed, metrics) == readme, "`make overview` renews README; then commit it"


def test_the_index_has_everything_of_the_paper_that_is_made() -> None:
    rows = [line.split(" | ") for line in index(KINDS)[2:]]
    sections = ["Section 3", "Section 4.1", "Section 4.1.1", "Section 4.2"]
    tables, figures = [f"Table {n}" for n in (1, 2, 3)], [f"Figure {n}" for n in range(1, 12)]
    assert [row[0].removeprefix("| ").partition(":")[0] for row in rows] == [*sections, *tables, *figures]
    assert all(len(row) == 5 and all(cell.strip("| ") for cell in row) for row in rows)
    turn = rows[-4]
    assert turn[3:] == ["`figures.turn.faces`", "`results/figures/turn_faces.png`, `results/metrics/turn_faces.json` |"]


def test_what_the_index_names_is_in_the_project(metrics: dict[str, dict[str, float]]) -> None:
    """Sections of params.yaml, and outputs of the stages that the demo runs; it leaves the guidelines out."""
    text = "\n".join(line for line in index(KINDS) if not line.startswith("| Section 3"))
    outputs = {path for stage in demo_stages().values() for path in stage.outputs}
    assert set(re.findall(r"`(results/[^`]+)`", text)) <= outputs
    tree = load_params(DEMO).model_dump()
    for key in {cell for line in text.splitlines()[2:] for cell in re.findall(r"`([^`]+)`", line.split(" | ")[3])}:
        found = tree
        for part in key.split("."):
            found = found[part]


def test_the_drawing_has_every_kind_and_the_arrows_of_the_data(committed: Path) -> None:
    lines = drawing(committed)
    drawn = [kind for line in lines if line.startswith("    ") for kind in re.findall(r"[a-z]\w+_\w+", line)]
    assert set(drawn) == KINDS.keys() - {"digest_code", "judge_claims", "build_report"}
    assert len([line for line in lines if line.startswith("    ")]) <= 27
    assert {"  encode_images --> drop_duplicates", "  train_guideline --> compare_guidelines"} <= set(lines)
    assert "  fit_autoencoder --> drop_duplicates" not in lines  # by way of encode_images


def test_the_glossary_has_every_measure_that_claims_rest_on() -> None:
    """But shares of right answers, and what the tables measure."""
    glossary = in_git("show", "HEAD:README.md").partition("## Glossary")[2].partition("\n## ")[0]
    heads = [line.partition(":")[0].replace("*", "") for line in glossary.splitlines() if line.startswith("- ")]
    names = [re.split(r", or |, ", re.sub(r"^- | \(\w.*", "", head)) for head in heads]
    terms = {re.sub(r" (of|from) .*", "", name) for several in names for name in several}
    assert len(terms) > 25 and {"restlessness", "z", "roughness", "distance"} <= terms
    claims = {one.what for claim in read_registry() for one in claim.comparisons}
    measures = [what for what in claims if not what.startswith(("Table", "all labels", "few labels", "accuracy"))]
    assert [what for what in measures if not any(re.search(rf"\b{re.escape(term)}\b", what) for term in terms)] == []


def test_a_longer_way_replaces_an_arrow(committed: Path) -> None:
    assert without_implied({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == {"a": {"b"}, "b": {"c"}, "c": set()}
    arrows = arrows_of(every_kind(committed))
    assert {"evaluate_samples", "draw_walk"} <= arrows["fit_autoencoder"]
    assert not {"evaluate_samples", "draw_walk"} & without_implied(arrows)["fit_autoencoder"]


def test_every_sentence_can_be_made_of_the_metrics_in_git(metrics: dict[str, dict[str, float]]) -> None:
    sentences = {
        stage.name: describe(stage.name).measured(metrics[Path(path).stem])
        for stage in demo_stages().values()
        for path in stage.outputs
        if Path(path).suffix == ".json" and Path(path).stem in metrics
    }
    assert len(sentences) == len(metrics)
    assert {name.partition("@")[0] for name, words in sentences.items() if words} >= {"draw_nearest", "evaluate_svm"}


def test_published_numbers_of_the_table_are_quotes_of_the_papers_tables() -> None:
    rows = [row.split(" | ") for kind in KINDS for row in describe(kind).table_rows]
    quoted = {
        str(table["number"]): {text for row in table["rows"] for text in row["paper"] if text} for table in TABLES
    }
    checked = [row for row in rows if row[0].startswith("Table")]
    assert len(checked) == 7
    for what, published, _ in checked:
        assert set(published.removesuffix(" %").split(" / ")) <= quoted[what[len("Table ")]], what


def test_a_changed_metric_changes_its_line_alone(metrics: dict[str, dict[str, float]], committed: Path) -> None:
    old = renewed(f"before\n{MARKS}\nafter\n", committed, metrics)
    assert old.startswith("before\n") and old.endswith("\nafter\n") and "\nold\n" not in old
    changed = {**metrics, "supervised_cnn": {**metrics["supervised_cnn"], "error": 0.4321}}
    new = renewed(old, committed, changed)
    assert set(new.split("\n")) - set(old.split("\n")) == {"| Table 2: supervised CNN, error | 28.87 % | 43.2 % |"}
    assert new.count("\n") == old.count("\n")


def test_what_is_missing_is_named(metrics: dict[str, dict[str, float]], committed: Path) -> None:
    with pytest.raises(InputError, match="no 'duplicates' among the metrics"):
        table(KINDS, {name: content for name, content in metrics.items() if name != "duplicates"})
    with pytest.raises(InputError, match=r"README.md: no lines <!-- make overview: claims -->"):
        renewed("no marks here", committed, metrics)
