"""`make experiment`: a run of the last commit with other parameters that leaves the checkout as it is."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest

from dcgan.core.files import InputError
from tests.dag.conftest import commit_everything
from tests.dag.demo import DEMO, ROOT, demo_project
from workflow.experiments import run as experiment
from workflow.experiments import table
from workflow.experiments.changes import check_changes
from workflow.experiments.revisions import Revision
from workflow.experiments.run import main

DAG = """
stages:
  train:
    cmd: python train.py
    deps: [train.py]
    params: [rate]
    outs: [data/network]
    metrics: [results/metrics/train.json]
"""
SCRIPT = """
import json, os, sys, time
from pathlib import Path
from ruamel.yaml import YAML
rate = YAML(typ="safe").load(open("params.yaml"))["rate"]
for path in ("data/network", "results/metrics/train.json"):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps({"g_loss": 2 * rate}))
checkpoint = Path(os.environ["DCGAN_STATE"]) / str(rate)
if rate == 7 and not checkpoint.exists():
    checkpoint.write_text("half of it")
    time.sleep(600)
checkpoint.write_text("all of it")
if rate == 13:
    sys.exit("error: an unlucky rate")
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """A checkout after a run of its only stage, committed, whose parameters have no schema."""
    folder = tmp_path_factory.mktemp("made")
    (folder / ".state").mkdir()
    for name, content in {
        "dvc.yaml": DAG,
        "params.yaml": "rate: 0.5\n",
        "train.py": SCRIPT,
        ".gitignore": "/.state\n/logs\n/data\n/results\n",
    }.items():
        (folder / name).write_text(content)
    state = {"DCGAN_STATE": str(folder / ".state")}
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["dvc", "repro", "-q"]):
        subprocess.run(command, cwd=folder, env=environment | state, check=True)
    commit_everything(folder)
    return folder


@pytest.fixture
def checkout(made: Path, tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that checkout, in which the test is."""
    folder = Path(shutil.copytree(made, tmp_path / "checkout", symlinks=True))
    for name, value in (environment | {"DCGAN_STATE": str(folder / ".state")}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(experiment, "check_changes", lambda *given: None)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This project with the preset `demo`, committed."""
    folder = demo_project(tmp_path_factory.mktemp("project"))
    commit_everything(folder)
    return folder


def state(folder: Path) -> tuple[str, ...]:
    """What an experiment must leave alone: parameters, results, git's view of the checkout."""
    files = ("params.yaml", "dvc.lock", "data/network", "results/metrics/train.json")
    status = subprocess.run(["git", "status", "--porcelain"], cwd=folder, capture_output=True, text=True, check=True)
    return (*((folder / name).read_text() for name in files), status.stdout)


def test_experiments_stay_apart(checkout: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = state(checkout)
    main(["a", "--set", "rate=1.5 +decay=2"])
    assert 'a is done. Beside the last commit: make compare EXPERIMENTS="HEAD a"' in capfd.readouterr().out
    with pytest.raises(InputError, match=r"^bad: failed, as DVC says above$"):
        main(["bad", "--set", "rate=13"])
    printed = capfd.readouterr().err
    assert "an unlucky rate" in printed and "failed to reproduce 'train'" in printed
    assert (checkout / ".state/13").exists(), "its checkpoint outlives its folder"
    main(["b", "--set", "rate=2"])
    assert state(checkout) == before
    with pytest.raises(InputError, match=r"^b: exists; choose another NAME"):
        main(["b", "--set", "rate=3"])

    capfd.readouterr()
    table.main([])
    shown = capfd.readouterr().out.splitlines()
    b = ["b: no claims were judged", "  changed  rate 0.5 → 2", "  moved    train.g_loss 1 → 4"]
    assert shown[-3:] == b, "a's changes are not in it"
    assert shown[1:-3] == [
        "a: no claims were judged",
        "  changed  rate 0.5 → 1.5",
        "  changed  decay absent → 2",
        "  moved    train.g_loss 1 → 3",
    ]


def test_claims_of_the_commit_before_are_not_told_as_those_of_an_experiment() -> None:
    """One with a TARGET leaves the verdicts as they lie in the commit."""
    base, one, bare = (
        cast(Revision, SimpleNamespace(claims=lambda rows=rows: pd.DataFrame(rows)))
        for rows in ([{"id": "a", "ours": 0.5}], [{"id": "a", "ours": 0.5}], [])
    )
    assert table.verdicts(one, base) == table.verdicts(bare, base) == "no claims were judged"


def test_after_a_stop_the_same_command_goes_on(checkout: Path) -> None:
    before = state(checkout)
    # Where tests run in the background, their processes do not listen to SIGINT.
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    without_schema = "from workflow.experiments import run; run.check_changes = print; run.run_stage(run.main)"
    command = [sys.executable, "-c", f"{listen}; {without_schema}", "slow", "--set", "rate=7"]
    path = {"PYTHONPATH": str(ROOT)}
    job = subprocess.Popen(command, env=os.environ | path, start_new_session=True, stderr=subprocess.PIPE, text=True)
    checkpoint, until = checkout / ".state/7", time.monotonic() + 300
    while not checkpoint.exists():
        assert job.poll() is None and time.monotonic() < until
        time.sleep(0.2)
    os.killpg(job.pid, signal.SIGINT)
    _, said = job.communicate(timeout=300)
    assert (job.returncode, said.splitlines()[-1]) == (130, "interrupted")
    assert state(checkout) == before
    main(["slow", "--set", "rate=7"])
    assert checkpoint.read_text() == "all of it" and state(checkout) == before


@pytest.mark.parametrize("name", ["params.yaml", "dvc.lock"])
def test_what_is_not_committed_is_named(checkout: Path, name: str) -> None:
    with (checkout / name).open("a") as file:
        file.write("\n# edited\n")
    with pytest.raises(InputError, match=rf"experiments are of the last commit; commit or undo first: {name}"):
        main(["a", "--set", "rate=2"])
    with pytest.raises(InputError, match="name it and say what changes"):
        main(["a"])


EPOCHS = "train.bedrooms.epochs"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (["train.bedroms.epochs=3"], [f"train.bedroms.epochs: unknown key (did you mean {EPOCHS}?)"]),
        (
            ["run.sed=3", "~explor"],
            ["run.sed: unknown key (did you mean run.seed?)", "explor: unknown key (did you me"],
        ),
        (
            ["train.bedrooms.beta1=0.6"],
            ["train.bedrooms.beta1: unknown key (its section has it from shared; write ++train.bedrooms.beta1=0.6)"],
        ),
        (["++run.sed=3"], ["with these changes: run.sed: unknown key (did you mean seed?)"]),
        ([f"{EPOCHS}=[1"], [f"{EPOCHS}=[1: no viable alternative at input '[1'"]),
        (["nonsense"], ["nonsense: Error parsing override 'nonsense'"]),
        ([f"{EPOCHS}=${{x}}"], [f"{EPOCHS}=${{x}}: Interpolation key 'x' not found"]),
        (["run.seed=???"], ["run.seed=???: Missing mandatory value: seed"]),
        ([f"{EPOCHS}=-3"], [f"with these changes: {EPOCHS}: -3 is not allowed (Input should be greater than or eq"]),
        (
            ["train.bedrooms.network=demo23", "export.source=data/raw/nowhere", "train.svhn.batch_size=3501"],
            [
                "with these changes: export.source: 'data/raw/nowhere' does not exist, and no stage makes it",
                "with these changes: train.bedrooms.network: 'demo23' is not allowed (one of ",
                "with these changes: train.svhn.batch_size: 3501 is not allowed (at most 3,500: ",
            ],
        ),
        (["run.device=cuda"], ["run.device is cuda, but PyTorch "]),
    ],
)
def test_wrong_changes_are_told_before_anything_runs(
    project: Path, changes: list[str], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(InputError) as error:
        check_changes(project, changes)
    lines = str(error.value).split("\n")
    assert len(lines) == len(expected) and all(map(str.startswith, lines, expected)), lines
    assert (project / "params.yaml").read_bytes() == DEMO.read_bytes()


def test_right_changes_and_targets(project: Path) -> None:
    check_changes(project, [f"{EPOCHS}=3", "++train.bedrooms.beta1=0.6"])
    check_changes(project, [f"{EPOCHS}=3"], "train_dcgan")
    # What the target does not need may be wrong.
    check_changes(project, ["export.source=data/raw/nowhere"], "train_dcgan@faces")
    with pytest.raises(InputError, match=r"^with these changes: export\.source: .*nowhere' does not exist"):
        check_changes(project, ["export.source=data/raw/nowhere"], "train_dcgan")


def test_the_command_ends_with_one_line_and_status_2(project: Path, run: Callable[..., Any]) -> None:
    """DVC, which would not run here (this is no repository of its), is not started."""
    command = (sys.executable, "-m", "workflow.experiments.run", "a", "--set", "train.bedroms.epochs=3")
    (line,) = run(project, *command, status=2).stderr.splitlines()
    assert line == f"error: train.bedroms.epochs: unknown key (did you mean {EPOCHS}?)"
