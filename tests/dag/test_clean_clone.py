"""A run leaves a clone clean: git sees dvc.lock alone, and experiments start at once."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.dag.conftest import ROOT, commit_everything
from workflow.report.summary import lock_hint

DAG = """
stages:
  train:
    cmd: python train.py
    deps: [train.py]
    params: [rate]
    outs: [data/networks, results/figures/a.png, results/claims.csv]
    metrics: [results/metrics/a.json]
    plots: [results/curves/a.csv]
"""
SCRIPT = """
import json, os
from ruamel.yaml import YAML
rate = YAML(typ="safe").load(open("params.yaml"))["rate"]
for path in ("data/networks/a", "results/figures/a.png", "results/claims.csv", "results/metrics/a.json",
             "results/curves/a.csv", "results/provenance/train.json"):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "w").write(json.dumps({"loss": 2 * rate}))
"""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, run: Callable[..., Any]) -> Path:
    """A repository with this project's settings of git and DVC after a first `dvc repro`, not committed."""
    folder = tmp_path_factory.mktemp("clone")
    for name, content in {"dvc.yaml": DAG, "params.yaml": "rate: 0.5\n", "train.py": SCRIPT}.items():
        (folder / name).write_text(content)
    commit_everything(folder)
    run(folder, "dvc", "init", "--quiet")
    for name in (".gitignore", ".dvcignore", ".dvc/config"):
        shutil.copy(ROOT / name, folder / name)
    commit_everything(folder)
    run(folder, "dvc", "repro", "--quiet")
    return folder


def status(clone: Path, run: Callable[..., Any]) -> str:
    return str(run(clone, "git", "status", "--porcelain", "--untracked-files=all").stdout)


def test_only_the_lock_changes_and_the_summary_says_so(clone: Path, run: Callable[..., Any]) -> None:
    assert status(clone, run) in {"A  dvc.lock\n", "?? dvc.lock\n"}
    (hint,) = lock_hint(clone)
    assert hint.endswith("git commit -m Results dvc.lock")
    commit_everything(clone)
    run(clone, "dvc", "repro", "--quiet")
    assert status(clone, run) == "" and lock_hint(clone) == []


def test_experiments_start_at_once_and_compare(clone: Path, run: Callable[..., Any]) -> None:
    """Also where the lock was not committed, here after another rate."""
    (clone / "params.yaml").write_text("rate: 1.5\n")
    run(clone, "dvc", "repro", "--quiet")
    run(clone, "dvc", "exp", "run", "--quiet", "--name", "fast", "-S", "rate=2.0")
    assert {line.split()[1] for line in status(clone, run).splitlines()} == {"params.yaml", "dvc.lock"}
    found = json.loads(run(clone, "dvc", "metrics", "diff", "--json", "HEAD", "fast").stdout)
    assert found == {"results/metrics/a.json": {"loss": {"old": 1.0, "new": 4.0, "diff": 3.0}}}
    run(clone, "git", "checkout", "-q", ".")
    run(clone, "dvc", "checkout", "--quiet")
    assert json.loads((clone / "results/metrics/a.json").read_text()) == {"loss": 1.0}
    run(clone, "dvc", "exp", "apply", "fast")
    assert json.loads((clone / "results/metrics/a.json").read_text()) == {"loss": 4.0}
    run(clone, "dvc", "exp", "save", "--quiet", "--force", "--name", "saved")
    assert "saved" in run(clone, "dvc", "exp", "list", "--name-only").stdout
