"""The stage writes the report twice: as an output that is the same for the same results, and with its run."""

import shutil
from pathlib import Path

import pytest

from stages.build_report import main
from tests.dag.demo import DEMO
from tests.unit.conftest import leave_sidecar
from workflow.engines.dag import resolved_stages

ROOT = Path(__file__).parents[2]


def leave_provenance(root: Path, revision: str, seconds: float) -> None:
    """What another stage has left about its run."""
    leave_sidecar(root, resolved_stages(root)["render_demo@bedrooms"], git_revision=revision, seconds=seconds)


def test_the_output_knows_nothing_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(DEMO, tmp_path / "params.yaml")
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    found = []
    for revision, seconds in (("1111111111111", 61), ("2222222222222", 7260)):
        leave_provenance(tmp_path, revision, seconds)
        main(["--dag", "dvc.yaml", "--out", "data/report.html", "--with-run", "results/report.html"])
        found.append([(tmp_path / name).read_text() for name in ("data/report.html", "results/report.html")])
    (first, first_run), (second, second_run) = found
    assert first == second
    assert "111111111111" in first_run and "1 min 01 s" in first_run
    assert "222222222222" in second_run and "2 h 01 min" in second_run
    assert "111111111111" not in first
