"""`make replicate`: seeds as experiments, in a checkout whose only stage judges a claim."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dcgan.core.files import InputError
from tests.dag.conftest import ROOT, commit_everything
from tests.dag.demo import preset_values
from tests.dag.test_params import write
from workflow.claims.judge import judge, read_registry
from workflow.claims.seeds import REPLICATES, by_seed, over_seeds
from workflow.claims.words import lines, read_claims
from workflow.experiments import table
from workflow.experiments.replicate import PAGE, main, name_of
from workflow.experiments.start import run_apart
from workflow.params.load import OFF, read_yaml

pytestmark = pytest.mark.slow
DAG = """
stages:
  judge_claims:
    cmd: python judge.py
    deps: [judge.py]
    params: [run.seed]
    outs:
      - results/claims.csv
    meta: {threads: 1, gpu: 0, mem_mb: 2000, runtime: 10, local: true}
"""
JUDGE = """
import os, pathlib, numpy, pandas, ruamel.yaml
from workflow.claims.judge import judge_all, read_registry
seed = ruamel.yaml.YAML().load(pathlib.Path("params.yaml"))["run"]["seed"]
with open(os.environ["RUNS"], "a") as file:
    file.write(f"{seed}\\n")
assert seed != 13, "an unlucky seed"
faces = (numpy.random.default_rng(seed).random((1, 300)) < [[0.9]]).astype("f4")
others = (numpy.random.default_rng(seed + 100).random((1, 300)) < [[0.1]]).astype("f4")
files = {"turn_faces": {"turned": faces, "random_direction": others}}
pathlib.Path("results").mkdir(exist_ok=True)
pandas.DataFrame(judge_all(read_registry(), files, 1)).to_csv("results/claims.csv", index=False)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """A checkout with one stage, committed."""
    folder = tmp_path_factory.mktemp("made")
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"]):
        subprocess.run(command, cwd=folder, env=environment, check=True)
    (folder / "dvc.yaml").write_text(DAG)
    params = preset_values()
    write(folder / "params.yaml", {name: params[name] for name in ("run", "shared", "report")} | OFF)
    (folder / "judge.py").write_text(JUDGE)
    (folder / ".gitignore").write_text("/.state\n/results/replicates.*\n")
    commit_everything(folder)
    return folder


@pytest.fixture
def checkout(made: Path, tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that checkout, in which the test is; `runs.txt` beside it says which seeds were run."""
    folder = Path(shutil.copytree(made, tmp_path / "checkout", symlinks=True))
    further = {"PYTHONPATH": str(ROOT), "RUNS": str(tmp_path / "runs.txt")}
    for name, value in (environment | further).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    return folder


def test_seeds_run_once_each_and_give_a_table_a_page_and_verdicts(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that fails is named, and tried again."""
    for _ in range(2):
        with pytest.raises(InputError, match=r"^seed-13-\w{8}: failed, as DVC says above$"):
            main(["13", "1"])
    main(["1", "2", "3", "--jobs", "2"])
    assert sorted((checkout.parent / "runs.txt").read_text().split()) == ["1", "13", "13", "2", "3"]
    found = read_claims(REPLICATES)
    assert sorted(set(found.seed)) == [1, 2, 3] and by_seed(found)["heads_turn"] == dict.fromkeys((1, 2, 3), "holds")
    said = capsys.readouterr().out
    assert "Over 3 seeds: 1 hold, 0 fail, 0 undecided" in said and "holds     Figure 8: A turn vector" in said
    assert "seed 3" in PAGE.read_text() and "a turn vector turns any face" in PAGE.read_text().lower()
    assert read_yaml(checkout / "params.yaml")["run"]["seed"] == 42
    table.main([])
    told = capsys.readouterr().out
    assert told.startswith("HEAD: no claims were judged\n") and told.count(": 1 hold, 0 fail, 0 undecided, ") == 3


@pytest.mark.parametrize(
    ("seed", "change", "words"),
    [("-1", {}, "run.seed: -1 is not allowed"), ("1", {"threads": 0}, "run.threads: 0 is not allowed")],
)
def test_what_cannot_run_is_told_before_anything_does(
    checkout: Path, seed: str, change: dict[str, int], words: str
) -> None:
    params = read_yaml(checkout / "params.yaml")
    write(checkout / "params.yaml", params | {"run": params["run"] | change})
    commit_everything(checkout)
    with pytest.raises(InputError, match=words):
        main([seed, "2"])
    assert not (checkout.parent / "runs.txt").exists()


def test_what_is_not_committed_is_not_replicated(checkout: Path) -> None:
    (checkout / "params.yaml").write_text("run:\n  seed: 7\n")
    with pytest.raises(InputError, match=r"commit or undo first: params\.yaml"):
        main(["1", "2"])
    with pytest.raises(InputError, match="at least two"):
        main(["1"])


def verdict_over(differences: list[float]) -> str:
    claim = next(claim for claim in read_registry() if claim.id == "heads_turn")
    row = judge(claim, {"turn_faces": dict.fromkeys(("turned", "random_direction"), np.ones((1, 9), "f4"))}, 1)[0]
    table = pd.DataFrame([row | {"seed": seed, "difference": d} for seed, d in enumerate(differences)])
    return lines(over_seeds(table))[0].verdict


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [([0.5, 0.6, 0.7], "holds"), ([-0.5, -0.6, -0.7], "fails"), ([-0.1, 0.1, 0.9], "undecided")],
)
def test_the_verdict_over_seeds_is_of_the_mean(differences: list[float], verdict: str) -> None:
    assert verdict_over(differences) == verdict


def test_what_a_seed_lacks_is_not_judged_over_seeds(measure: Callable[[list[float]], str] = verdict_over) -> None:
    assert measure([0.5, float("nan")]) == "not run"


def test_a_comparison_that_one_seed_lacks_is_not_judged_over_seeds() -> None:
    """Two seeds have the turns of cats, all three those of faces."""
    claim = next(claim for claim in read_registry() if claim.id == "heads_turn")
    right = np.ones((1, 9), "f4")
    both = {f"turn_{name}": {"turned": right, "random_direction": 0 * right} for name in ("cats", "faces")}
    worlds = [both, both, {"turn_faces": both["turn_faces"]}]
    rows = [row | {"seed": seed} for seed, files in enumerate(worlds) for row in judge(claim, files, 1)]
    table = over_seeds(pd.DataFrame(rows)).set_index("comparison")
    assert list(table.comparison_verdict) == ["not run", "holds"] and set(table.verdict) == {"not run"}


def test_over_seeds_both_sides_have_their_range() -> None:
    claim = next(claim for claim in read_registry() if claim.id == "heads_turn")
    rows = []
    for seed, turned in enumerate((700, 800, 900)):
        right = np.asarray(np.arange(1000) < turned, "f4")[None]
        files = {"turn_faces": {"turned": right, "random_direction": np.asarray(np.arange(1000) < 100, "f4")[None]}}
        rows += [row | {"seed": seed} for row in judge(claim, files, 1)]
    (line,) = lines(over_seeds(pd.DataFrame(rows)))
    numbers = "80.0 % (70.0 to 90.0) against 10.0 %, difference +45.2 to +94.8"
    assert line.comparisons == (f"steady turns against random directions (faces): {numbers}",)


def test_a_seed_whose_experiment_ended_before_the_claims_is_named(checkout: Path) -> None:
    """One run by hand with a target has the claims of the commit that it started from, which are of another seed."""
    other = "  other:\n    cmd: python --version\n    params: [run.seed]\n"
    (checkout / "dvc.yaml").write_text(DAG + other + "    meta: {threads: 1, gpu: 0, mem_mb: 9, runtime: 1}\n")
    subprocess.run(["dvc", "repro", "-q"], check=True)
    commit_everything(checkout)
    name = name_of(checkout, 1)
    assert run_apart(checkout, name, ["run.seed=1"], "other") == 0
    with pytest.raises(InputError, match=f"^{name}: no claims of its own in it"):
        main(["42", "1"])
    subprocess.run(["dvc", "exp", "remove", "-q", name], check=True)
    main(["42", "1"])
    assert set(by_seed(read_claims(REPLICATES))["heads_turn"]) == {42, 1}
