"""`make compare` on a small repository: experiments, the workspace, what is missing, names that stand for nothing."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dcgan.core.files import InputError
from tests.dag.conftest import commit_everything
from workflow.experiments import table
from workflow.experiments.compare import chosen, main, paired, rows_of

DAG = """
stages:
  train_dcgan:
    foreach: [rooms]
    do:
      cmd: python draw.py
      deps: [draw.py]
      params: [run.seed, train.rooms]
      outs: [results/figures/training/rooms]
      metrics: [results/metrics/train_rooms.json]
      plots: [results/curves/rooms.csv]
  judge_claims:
    cmd: python judge.py
    deps: [judge.py, results/metrics/train_rooms.json]
    outs: [results/claims.csv]
"""
PARAMS = "run: {seed: 42}\ntrain:\n  rooms: {network: tiny, rate: 0.5, sample_epochs: [1, 2]}\n"
# Stands in for a training: everything it writes follows from the parameters.
SCRIPT = """
import json, os
from ruamel.yaml import YAML
from PIL import Image
params = YAML(typ="safe").load(open("params.yaml"))
rate = params["train"]["rooms"]["rate"]
for folder in ("figures/training/rooms", "metrics", "curves"):
    os.makedirs(f"results/{folder}", exist_ok=True)
for epoch in params["train"]["rooms"]["sample_epochs"]:
    Image.new("RGB", (16, 16), (int(250 * rate), 60 * epoch, 0)).save(
        f"results/figures/training/rooms/epoch-000{epoch}.png"
    )
json.dump({"g_loss": 2 * rate, "images_seen": 64}, open("results/metrics/train_rooms.json", "w"))
open("results/curves/rooms.csv", "w").write(
    f"images,epoch,d_loss,g_loss\\n32,1,0.5,{4 * rate}\\n64,2,0.5,{2 * rate}\\n"
)
"""
# Stands in for the judge: the claim holds at low losses.
JUDGE = """
import json
loss = json.load(open("results/metrics/train_rooms.json"))["g_loss"]
open("results/claims.csv", "w").write(
    "id,verdict,paper,claim,comparison,comparison_verdict,published,better,unit,ours,other,difference,low,high,margin\\n"
    f"low_loss,{'holds' if loss < 1.2 else 'fails'},Table 1,Low,loss,holds,,lower,number,{loss},1.2,0.2,0.1,0.3,0\\n"
)
"""
TARGET = "train_dcgan@rooms"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, run: Callable[..., Any]) -> Path:
    """A repository of DVC with one committed run and four experiments; of three the claims were not judged."""
    folder = tmp_path_factory.mktemp("repository")
    for name, content in {
        "dvc.yaml": DAG,
        "params.yaml": PARAMS,
        "draw.py": SCRIPT,
        "judge.py": JUDGE,
        ".gitignore": "/page.html",
    }.items():
        (folder / name).write_text(content)
    commit_everything(folder)
    run(folder, "dvc", "init", "--quiet")
    (folder / ".dvc" / "config").write_text("[core]\n    analytics = false\n    autostage = true\n")
    run(folder, "dvc", "repro", "--quiet")
    commit_everything(folder)
    changes = {
        "faster": ["train.rooms.rate=0.75"],
        "shorter": ["train.rooms.rate=0.9", "train.rooms.sample_epochs=[1]"],
        "seeded": ["train.rooms.rate=0.5", "train.rooms.sample_epochs=[1,2]", "run.seed=7"],
    }
    run(folder, "dvc", "exp", "run", "--quiet", "--temp", "--name", "whole", "--set-param=train.rooms.rate=0.8")
    for name, keys in changes.items():
        run(folder, "dvc", "exp", "run", "--quiet", "--name", name, *(f"--set-param={key}" for key in keys), TARGET)
    return folder


@pytest.fixture
def page(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.chdir(repository)

    def page(*names: str) -> str:
        main([*names, "--out", "page.html"])
        return " ".join((repository / "page.html").read_text().split())

    return page


def test_experiments_stand_side_by_side(page: Callable[..., str]) -> None:
    text = page("HEAD", "faster", "seeded")
    assert "2 of 4 parameters" in text
    assert "<td>0.75<br><small>+0.25 (+50.0 %)</small></td>" in text  # the rate
    assert "<td>1.5<br><small>+0.5 (+50.0 %)</small></td>" in text  # the generator's loss
    assert "rooms: g loss" in text and "rooms: d loss" not in text  # the discriminator's curve is the same in all
    assert text.count("<polyline") == 3
    assert text.count('<img src="data:image/png') == 3 and text.count(", epoch 2</figcaption>") == 3
    assert "Not the same z: it depends on run.seed." in text


def test_grids_are_of_the_same_number_of_images(page: Callable[..., str]) -> None:
    text = page("HEAD", "shorter")
    assert text.count(", epoch 1</figcaption>") == 2 and ", epoch 2</figcaption>" not in text


@pytest.mark.parametrize(
    ("states", "shown"),
    [
        ([{"16": 160, "1": 10}, {"1": 10}], ["1", "1"]),  # never epoch 16 beside epoch 1
        ([{"5": 500, "18": 1800}, {"5": 510, "20": 2000}], ["5", "5"]),
        ([{"18": 1800}, {"9": 1790, "1": 199}, {}], ["18", "9", ""]),  # of half the images an epoch; not at hand
        ([{"2": 64}, {"1": 32}], ["", ""]),
        ([{}, {}], ["", ""]),
    ],
)
def test_pictures_are_paired_by_images(states: list[dict[str, float]], shown: list[str]) -> None:
    assert paired(states) == shown


def test_of_each_experiment_it_is_told_what_changed(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository)
    table.main([])
    head, *found = capsys.readouterr().out.split("\n")
    faster, shorter = found.index("faster: no claims were judged"), found.index("shorter: no claims were judged")
    assert head == "HEAD: 1 hold, 0 fail, 0 undecided" and "whole: 0 hold, 1 fail, 0 undecided" in found
    assert found[faster + 1 : faster + 3] == [
        "  changed  train.rooms.rate 0.5 → 0.75",
        "  moved    train_rooms.g_loss 1 → 1.5",
    ]
    assert "  changed  train.rooms.sample_epochs [1, 2] → [1]" in found[shorter : shorter + 4]


def test_verdicts_are_those_of_experiments_that_judged_claims(page: Callable[..., str]) -> None:
    """As in `make experiments`; the table in one with a target is that of the commit it started from."""
    text = page("HEAD", "faster", "whole")
    assert "<td>holds</td> <td>–</td> <td>fails<br><small>differs</small></td>" in text
    assert "Verdicts, 1 of 1 differ" in text and "<p>–: faster has no verdicts." in text
    text = page("faster", "HEAD")
    assert "<td>–</td> <td>holds</td>" in text and "Verdicts, 0 of 1 differ" in text


def test_without_a_name_the_workspace_is_compared_with_head(page: Callable[..., str], repository: Path) -> None:
    path = repository / "params.yaml"
    before = path.read_text()
    path.write_text(PARAMS.replace("0.5", "0.25"))
    try:
        text = page()
    finally:
        path.write_text(before)
    assert "<title>HEAD and workspace</title>" in text and "not committed" in text
    assert "<td>0.25<br><small>−0.25 (−50.0 %)</small></td>" in text
    assert "Cell by cell the same z." not in text and "The same picture in all" in text


def test_the_same_z_is_said_where_it_is(page: Callable[..., str]) -> None:
    assert "Cell by cell the same z." in page("faster")


def test_nothing_is_checked_out_by_it(page: Callable[..., str], repository: Path, run: Callable[..., Any]) -> None:
    before = run(repository, "git", "status", "--porcelain").stdout
    page("HEAD", "faster")
    assert run(repository, "git", "status", "--porcelain").stdout == before


def test_unknown_names_are_named(page: Callable[..., str]) -> None:
    with pytest.raises(
        InputError, match="^absent: neither a revision nor an experiment; `dvc exp list -A` lists these"
    ):
        page("HEAD", "absent")


def test_pictures_that_are_not_at_hand_are_said_to_be_missing(
    page: Callable[..., str], repository: Path, tmp_path: Path
) -> None:
    shutil.move(repository / ".dvc" / "cache", tmp_path / "cache")
    try:
        text = page("HEAD", "faster")
    finally:
        shutil.move(tmp_path / "cache", repository / ".dvc" / "cache")
    assert text.count("Not at hand: never made, never recorded") == 2 and "<img" not in text
    assert "<td>0.75<br><small>+0.25 (+50.0 %)</small></td>" in text  # parameters are in git all the same


def test_what_is_compared_with_what() -> None:
    assert [chosen(names) for names in ([], ["a"], ["HEAD"], ["a", "b"])] == [
        ["HEAD", "workspace"],
        ["HEAD", "a"],
        ["HEAD", "workspace"],
        ["a", "b"],
    ]
    with pytest.raises(InputError, match="a: named twice"):
        chosen(["a", "b", "a"])


def test_values_are_compared_by_their_kind() -> None:
    rows = rows_of([{"a": 1, "b": True, "c": 0.5, "d": [1]}, {"a": 1.0, "b": 1, "c": 0.25, "e": None}])
    second = {row.name: (row.entries[1].text, row.entries[1].changed, row.entries[1].difference) for row in rows}
    assert second == {
        "a": ("1", False, ""),
        "b": ("1", True, ""),
        "c": ("0.25", True, "−0.25 (−50.0 %)"),
        "d": ("absent", True, ""),
        "e": ("–", True, ""),
    }
