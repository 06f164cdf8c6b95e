"""A stage is added in four places: its script, dvc.yaml, its parameters with their schema, and its description."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import UndefinedError
from jinja2.exceptions import SecurityError

from tests.dag.demo import DEMO, demo_stages
from workflow.description import CHAPTERS, Description, describe, fill_in, kind_of
from workflow.engines.code_dependencies import PACKAGES, code_digests
from workflow.params.load import read_yaml
from workflow.workload import Work, work_of

STAGE = """
  count_rooms:
    foreach: ${counted}
    do:
      desc: Counts the rooms of a set
      cmd: python -m stages.count_rooms --out results/metrics/rooms_${key}.json
      deps:
        - data/code/count_rooms.txt
        - data/bedrooms/unique.h5
      params:
        - counted.${key}
      metrics:
        - results/metrics/rooms_${key}.json
      meta: {threads: 1, gpu: 0, mem_mb: 2000, runtime: 10}
"""
DESCRIPTION = """# Rooms that are counted.
chapter: Data
title: Rooms
sentence: "{rooms:,} rooms are {share:.1%}"
in_summary: true
makes:
  "Figure 12: rooms": all
work:  # seven images, and two seconds for each
  images: 7
  core_seconds: images * p.counted[item]
"""
SHOW = """
from pathlib import Path
from tests.dag_drawing import drawing
from tests.readme import index
from workflow.engines.dag import resolved_stages
from workflow.params.load import read_yaml
from workflow.planning.plan import RATES, plan, table
from workflow.report.collect import render
from workflow.report.summary import sentence_lines
root = Path.cwd()
stages = resolved_stages(root)
print(*sentence_lines(root, stages), sep="\\n")
print(table(plan(root, read_yaml(root / "params.yaml"), read_yaml(RATES), "none", 2)))
print(*index(read_yaml(root / "dvc.yaml")["stages"]), *drawing(root), sep="\\n")
print(render(root, stages, "Test"))
"""


@pytest.fixture
def extended(root: Path, tmp_path: Path) -> Path:
    """A copy of the project with one stage more, and a result of it."""
    for name in ("dcgan", "demo", "stages", "workflow", "docs"):
        shutil.copytree(root / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tests").mkdir()
    for name in ("Snakefile", "dvc.yaml", "tests/__init__.py", "tests/readme.py", "tests/dag_drawing.py"):
        shutil.copy(root / name, tmp_path / name)
    shutil.copy(DEMO, tmp_path / "params.yaml")
    definition = (tmp_path / "dvc.yaml").read_text()
    (tmp_path / "dvc.yaml").write_text(definition.replace("\n  build_report:", f"{STAGE}\n  build_report:"))
    with (tmp_path / "params.yaml").open("a") as params:
        params.write("\ncounted: {all: 2.0}\n")
    schema = tmp_path / "workflow/params/sections.py"
    schema.write_text(schema.read_text().replace("\nclass Params(Section):", SECTION, 1))
    (tmp_path / "stages/count_rooms.py").write_text('"""Counts rooms."""\n')
    (tmp_path / "workflow/descriptions/count_rooms.yaml").write_text(DESCRIPTION)
    (tmp_path / "results/metrics").mkdir(parents=True)
    (tmp_path / "results/metrics/rooms_all.json").write_text('{"rooms": 5000, "share": 0.25}')
    return tmp_path


SECTION = """
class WithCounted(Section):
    counted: dict[Name, float]


class Params(WithCounted):"""


def test_a_stage_is_added_by_its_script_dvc_yaml_parameters_and_description(
    extended: Path, run: Callable[..., Any]
) -> None:
    shown = run(extended, sys.executable, "-c", SHOW).stdout
    assert "\nFigure 12, rooms: 5,000 rooms are 25.0 %\n" in f"\n{shown}"
    (planned,) = [line.split() for line in shown.splitlines() if line.startswith("count_rooms ")]
    assert planned[1:4] == ["1", "7", f"{(7 * 2 + 4) / 3600:.3f}"]  # jobs, images, hours: four seconds start a job
    assert '<h3 id="count-rooms-all"><span class="place">Figure 12</span> Rooms: all' in shown
    assert "| Figure 12: rooms | [`count_rooms`](stages/count_rooms.py) |" in shown
    assert "`counted.all` | `results/metrics/rooms_all.json` |" in shown
    assert '"evaluate_duplicates<br/>count_rooms"' in shown  # both read what drop_duplicates makes
    rules = run(extended, "snakemake", "--list-rules", "--quiet", "all").stdout.split()
    stages = {"count_rooms@all", *demo_stages()}
    assert sorted(rules) == sorted({"all", *stages, *map(kind_of, stages)})


def test_the_report_depends_on_all_descriptions(extended: Path) -> None:
    path = "workflow/descriptions/count_rooms.yaml"
    before = code_digests("stages.build_report", extended)
    assert {path, "workflow/descriptions/draw_turn.yaml", "workflow/description.py"} <= before.keys()
    (extended / path).write_text(DESCRIPTION.replace("are", "make"))
    after = code_digests("stages.build_report", extended)
    assert {name for name in before if before[name] != after[name]} == {path}
    assert path not in code_digests("stages.train_dcgan", extended)


def test_no_module_is_chosen_by_name(root: Path) -> None:
    """Nobody would see that a stage runs its code."""
    command = ["git", "grep", "-lE", "import_module|__import__|runpy", "--", *(f"{name}/" for name in PACKAGES)]
    assert subprocess.run(command, cwd=root, capture_output=True, text=True).stdout == ""


def test_every_description_is_of_a_stage_and_in_a_chapter(root: Path) -> None:
    described = {path.stem for path in (root / "workflow/descriptions").glob("*.yaml")}
    kinds = read_yaml(root / "dvc.yaml")["stages"].keys()
    assert described == kinds - {"digest_code", "judge_claims", "build_report"}
    assert {describe(kind).chapter for kind in described} == CHAPTERS.keys()
    assert {describe(kind).classifier for kind in described} - {""} <= described
    assert describe("no_such_stage@x") == describe("<script>@x") == describe("digest_code")


def test_numbers_in_sentences() -> None:
    assert fill_in("{a:.1%} and {b[c]:rest.0%}", {"a": 0.054, "b": {"c": 0.25}}) == "5.4 % and 75 %"
    assert fill_in("{a:.1%}, {n:,}", {"a": None, "n": 1200}) == "-, 1,200"
    assert fill_in("{a:yes|no}, {b:yes|no}", {"a": True, "b": False}) == "yes, no"
    with pytest.raises(KeyError, match="absent"):
        fill_in("{absent}", {})


def test_the_first_sentence_whose_numbers_are_there() -> None:
    both = Description(sentence=("{a} of {b}", "only {a}"))
    assert [both.measured(m) for m in ({"a": 1, "b": 2}, {"a": 1}, {"b": 2})] == ["1 of 2", "only 1", ""]
    assert describe("animate_training@x").measured({"grids": 1}) == ""  # too few to compare


def test_a_description_with_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValueError, match="captoin"):
        Description(**{"captoin": "x"})


@pytest.mark.parametrize(
    ("formula", "error"),
    [
        ("absent", UndefinedError),
        ("s.absent + images", UndefinedError),
        ("s.__class__", SecurityError),
        ("images.__class__.__base__", SecurityError),
    ],
)
def test_a_formula_knows_only_what_it_is_told(formula: str, error: type[Exception]) -> None:
    scale: Any = SimpleNamespace(params={"n": 3}, cost={}, rates={})
    assert work_of({"images": "2 * p.n", "core_seconds": "images / 4"}, scale, "x") == Work(6, core_seconds=1.5)
    with pytest.raises(error):
        work_of({"images": 1, "core_seconds": formula}, scale, "x")
