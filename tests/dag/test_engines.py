"""The whole DAG, very small, under both engines: same bytes, one agrees with the other, experiments compare.

`tiny.yaml` says how small. Each engine runs in a clean copy of the project of its own.
"""

import csv
import io
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dcgan.core.files import InputError
from tests.dag.conftest import commit_everything
from tests.dag.tiny import digests, tiny_params
from workflow.engines import dag, record
from workflow.engines.clock import renew_times
from workflow.params.load import read_yaml

pytestmark = pytest.mark.slow
Run = Callable[..., Any]


def test_both_engines_make_the_same_bytes(under_dvc: Path, under_snakemake: Path) -> None:
    ours, theirs = digests(under_dvc), digests(under_snakemake)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []


def test_outputs_tell_nothing_of_the_machine(under_dvc: Path) -> None:
    """No path of the checkout in any output: two people with the same parameters get the same bytes."""
    mark = str(under_dvc).encode()
    assert [name for name in digests(under_dvc) if mark in (under_dvc / name).read_bytes()] == []


def test_a_run_changes_the_lock_alone_in_git(under_dvc: Path, under_snakemake: Path, run: Run) -> None:
    assert run(under_dvc, "git", "status", "--porcelain", "-uall").stdout.split()[1:] == ["dvc.lock"]
    assert run(under_snakemake, "git", "status", "--porcelain", "-uall").stdout == ""


def test_after_dvc_snakemake_has_nothing_to_do(under_dvc: Path, run: Run) -> None:
    """Though it has no record of the outputs: no `make touch`, no run of its own."""
    assert not (under_dvc / ".snakemake/metadata").exists()
    done = run(under_dvc, "snakemake", "--dry-run")
    assert "Nothing to be done" in done.stdout and "note: DVC made these outputs" in done.stderr


def test_every_job_of_snakemake_has_a_log(under_snakemake: Path) -> None:
    logs = {path.stem for path in (under_snakemake / "logs").glob("*.log")}
    assert logs == {stage.name for stage in dag.resolve(under_snakemake).values()}


def test_dvc_agrees_after_snakemake(under_snakemake: Path, run: Run) -> None:
    run(under_snakemake, "python", "-m", "workflow.engines.record", "snakemake")
    assert json.loads(run(under_snakemake, "dvc", "status", "--json").stdout) == {}
    started = time.monotonic()
    printed = run(under_snakemake, "dvc", "repro").stdout
    print(f"dvc repro with nothing to do: {time.monotonic() - started:.1f} s")
    assert "Running stage" not in printed
    assert "Nothing to be done" in run(under_snakemake, "snakemake", "--dry-run").stdout
    # As in a clone with outputs from DVC's cache, where no sidecar lies.
    (under_snakemake / "results/provenance/train_dcgan@faces.json").unlink()
    run(under_snakemake, "python", "-m", "workflow.engines.record", "snakemake")


def test_snakemake_agrees_after_dvc(under_dvc: Path, run: Run) -> None:
    run(under_dvc, "python", "-m", "workflow.engines.record", "dvc")
    started = time.monotonic()
    printed = run(under_dvc, "snakemake", "--cores", "2").stderr
    print(f"snakemake with nothing to do: {time.monotonic() - started:.1f} s")
    assert "Nothing to be done" in printed and "note: " not in printed
    assert json.loads(run(under_dvc, "dvc", "status", "--json").stdout) == {}


def test_after_make_repro_outputs_that_came_with_the_clone_are_current_for_snakemake(under_dvc: Path, run: Run) -> None:
    """DVC leaves a metric alone that is what it should be, however old its file; Snakemake would make it again."""
    for path in (under_dvc / "results/metrics").iterdir():
        os.utime(path, (1, 1))
    assert "evaluate_samples" in run(under_dvc, "snakemake", "--dry-run").stdout
    run(under_dvc, "python", "-m", "workflow.repro")
    assert "Nothing to be done" in run(under_dvc, "snakemake", "--dry-run").stdout
    assert renew_times(under_dvc, dag.resolve(under_dvc)) == []
    assert json.loads(run(under_dvc, "dvc", "status", "--json").stdout) == {}


def test_only_what_changed_is_made_again_and_nothing_stale_is_recorded(under_snakemake: Path, run: Run) -> None:
    path = under_snakemake / "params.yaml"
    before, times = path.read_text(), path.stat()
    try:
        tiny_params(path, {"train": {"bedrooms": {"learning_rate": 0.0004}}})
        stale = set(record.stale_in_snakemake(under_snakemake))
        changed = json.loads(run(under_snakemake, "dvc", "status", "--json").stdout)
        assert "data/networks/bedrooms" in stale
        assert "train_dcgan@bedrooms" in changed
        assert not {"data/networks/faces", "data/bedrooms/unique.h5"} & stale
        assert not {"train_dcgan@faces", "drop_duplicates@bedrooms"} & changed.keys()
        for hand_over in (record.record_snakemake, record.record_dvc):
            with pytest.raises(InputError, match="not current: "):
                hand_over(under_snakemake)
    finally:
        path.write_text(before)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_an_output_that_was_edited_is_not_recorded(under_snakemake: Path) -> None:
    """Snakemake looks at times: an output newer than its inputs is current to it, whatever is in it."""
    path = under_snakemake / "data/report.html"
    before, times = path.read_bytes(), path.stat()
    try:
        path.write_bytes(before + b"edited")
        with pytest.raises(
            InputError, match=r"not current: data/report\.html; run `snakemake --cores N --forcerun RULE`"
        ):
            record.record_snakemake(under_snakemake)
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    record.record_snakemake(under_snakemake)


def test_changed_code_makes_stale_what_runs_it_and_a_comment_nothing(under_snakemake: Path, run: Run) -> None:
    module = under_snakemake / "dcgan/representation/one_nn.py"
    before = module.read_text()
    stages = dag.resolve(under_snakemake)
    run_it = {stage.name for stage in stages.values() if "dcgan/representation/one_nn.py" in stage.code}
    assert run_it == {"digest_code", "evaluate_neighbours@mnist"}
    module.write_text(f"{before}# more\n")
    assert "Nothing to be done" in run(under_snakemake, "snakemake", "--dry-run").stdout
    run(under_snakemake, "dvc", "repro", "digest_code")
    assert json.loads(run(under_snakemake, "dvc", "status", "--json").stdout) == {}

    module.write_text(f"{before}MORE = 1\n")
    made_of_it = {"judge_claims", "build_report"}
    assert set(record.stale_in_snakemake(under_snakemake)) == {
        path for name in run_it | made_of_it for path in stages[name].outputs
    }
    printed = run(under_snakemake, "snakemake", "--dry-run", "results/metrics/neighbours_mnist.json").stdout
    (reason,) = {line for line in printed.splitlines() if "before:" in line}
    assert reason.count("dcgan/representation/one_nn.py: ") == 2 and reason.count(".py: ") == 2
    run(under_snakemake, "dvc", "repro", "digest_code")
    assert json.loads(run(under_snakemake, "dvc", "status", "--json").stdout).keys() == run_it - {"digest_code"}

    # DVC makes it again, and after `make touch` Snakemake agrees, though it had recorded other code.
    run(under_snakemake, "dvc", "repro")
    assert record.stale_in_snakemake(under_snakemake) != []
    run(under_snakemake, "python", "-m", "workflow.engines.record", "dvc")
    assert "Nothing to be done" in run(under_snakemake, "snakemake", "--dry-run").stdout


def test_experiments_compare_offline(under_dvc: Path, run: Run) -> None:
    """What people do with these tools: run with another number, list, compare parameters, metrics and curves."""
    commit_everything(under_dvc)
    key = "train.mnist.learning_rate"  # of a network that few stages rest on
    before = read_yaml(under_dvc / "params.yaml")["train"]["mnist"]["learning_rate"]
    run(under_dvc, "dvc", "exp", "run", "--name", "faster", "-S", f"{key}=0.0004")
    assert read_yaml(under_dvc / "params.yaml")["train"]["mnist"]["learning_rate"] == 0.0004

    shown = list(csv.DictReader(io.StringIO(run(under_dvc, "dvc", "exp", "show", "--csv").stdout)))
    (experiment,) = [row for row in shown if row["Experiment"] == "faster"]
    assert experiment[key] == "0.0004"
    assert experiment["results/metrics/train_mnist.json:g_loss"] != ""

    parameters = json.loads(run(under_dvc, "dvc", "params", "diff", "--json").stdout)
    assert parameters == {"params.yaml": {key: {"old": before, "new": 0.0004, "diff": pytest.approx(0.0004 - before)}}}
    metrics = json.loads(run(under_dvc, "dvc", "metrics", "diff", "--json").stdout)
    assert "g_loss" in metrics["results/metrics/train_mnist.json"]
    assert "results/metrics/train_faces.json" not in metrics

    run(under_dvc, "dvc", "plots", "diff", "--out", "plots", "HEAD", "workspace")
    page = (under_dvc / "plots" / "index.html").read_text()
    assert "mnist, losses" in page and "d_loss" in page
