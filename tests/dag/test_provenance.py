"""Sidecars say where a result comes from, and a stage whose data changed while it ran is refused."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dcgan.core.files import InputError
from dcgan.data.image_store import StoreWriter
from tests.dag.conftest import commit_everything
from tests.dag.reliability import fault
from workflow.engines import digests, provenance
from workflow.engines.code_dependencies import code_digests, list_text
from workflow.engines.dag import Stage
from workflow.engines.provenance import differences, traced

KEYS = ["stage", "command", "started", "seconds", "git_revision", "git_dirty", "parameters", "inputs", "outputs"]
KEYS += ["packages", "peak_memory_mb", "machine"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one stage, which this process pretends to be."""
    for name, text in {
        "params.yaml": "{}",
        "stages/x.py": "X = 1\n",
        "data/in/1.txt": "one",
        "data/in/é/2.txt": "two",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / ".gitignore").write_text("data\n")
    commit_everything(tmp_path)
    dependencies = ["data/code/x.txt", "data/in"]
    stage = Stage("pack@x", "", "python -m stages.x", dependencies, [], {}, ["data/out"], {"k": 1}, 1, 0, 1, 1, False)
    monkeypatch.setattr(provenance, "stage_that_runs", lambda root: stage)
    return tmp_path


def run_in(folder: Path) -> dict[str, object]:
    with traced(folder):
        (folder / "data/out").mkdir(exist_ok=True)
        (folder / "data/out/r.txt").write_text("result")
    return json.loads((folder / "results/provenance/pack@x.json").read_text())


def test_a_sidecar_says_where_a_result_comes_from(folder: Path) -> None:
    sidecar = run_in(folder)
    assert list(sidecar) == KEYS
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=True)
    assert sidecar["git_revision"] == head.stdout.strip() and sidecar["git_dirty"] is False
    assert sidecar["parameters"] == {"k": 1}
    listed = list_text(code_digests("stages.x", folder))
    assert listed.endswith("  stages/x.py\n")
    assert sidecar["inputs"]["data/code/x.txt"] == f"md5:{hashlib.md5(listed.encode()).hexdigest()}"
    assert sidecar["inputs"]["data/in"].endswith(".dir") and sidecar["outputs"]["data/out"].endswith(".dir")
    assert sidecar["packages"]["numpy"] and sidecar["machine"]["processor"] and sidecar["peak_memory_mb"] > 10


def test_results_do_not_make_a_checkout_dirty_but_code_does(folder: Path) -> None:
    run_in(folder)
    assert run_in(folder)["git_dirty"] is False
    (folder / "stages/new.py").write_text("")
    assert run_in(folder)["git_dirty"] is True


def test_what_is_too_large_to_read_twice_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "READ_BYTES", 4)
    os.utime(folder / "data/in/1.txt", (0, 0))
    os.utime(folder / "data/in/é/2.txt", (3600, 3600))
    assert run_in(folder)["inputs"]["data/in"] == "unread: 2 files, 6 bytes, changed 1970-01-01T01:00:00+00:00"
    assert run_in(folder)["outputs"]["data/out"] == run_in(folder)["outputs"]["data/out"] != "missing"
    monkeypatch.setattr(digests, "READ_FILES", 1)
    assert run_in(folder)["inputs"]["data/in"] == "unread: more than 1 files"


def test_a_large_input_whose_time_alone_was_renewed_is_no_difference(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "READ_BYTES", 4)
    run_in(folder)
    os.utime(folder / "data/in/1.txt", (2**33, 2**33))
    stage = provenance.stage_that_runs(folder)
    assert stage is not None and differences(folder, stage) == []


def test_of_several_processes_the_first_leaves_the_sidecar(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    with traced(folder):
        pass
    assert not (folder / "results").exists()
    monkeypatch.setenv("RANK", "0")
    assert run_in(folder)["stage"] == "pack@x"


def change_parameter(folder: Path, stage: Stage) -> Stage:
    return replace(stage, parameters={"k": 2})


def change_input(folder: Path, stage: Stage) -> Stage:
    (folder / "data/in/1.txt").write_text("1")
    return stage


def change_output(folder: Path, stage: Stage) -> Stage:
    (folder / "data/out/r.txt").write_text("Result")
    return stage


def lose_sidecar(folder: Path, stage: Stage) -> Stage:
    (folder / "results/provenance/pack@x.json").unlink()
    return stage


@pytest.mark.parametrize("change", [change_parameter, change_input, change_output, lose_sidecar])
@pytest.mark.parametrize("large", [False, True])
def test_what_a_stage_did_not_make_of_what_is_there_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path, Stage], Stage], large: bool
) -> None:
    """Whatever the times say, which `snakemake --touch` renews."""
    if large:
        monkeypatch.setattr(digests, "READ_BYTES", 1)
    run_in(folder)
    stage = provenance.stage_that_runs(folder)
    assert stage is not None and differences(folder, stage) == []
    assert differences(folder, change(folder, stage)) == ["data/out"]


@pytest.mark.parametrize("large", [False, True])
def test_data_that_change_under_a_running_stage_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    if large:
        monkeypatch.setattr(digests, "READ_BYTES", 1)
    with pytest.raises(InputError, match="data/in changed while the stage read it"), traced(folder):
        (folder / "data/in/1.txt").write_text("One")
    with pytest.raises(InputError, match="data/in changed"), traced(folder):
        (folder / "data/in/1.txt").unlink()
    assert not (folder / "results/provenance").exists()


READING = """
import os, sys
from dcgan.data.image_store import ImageStore
from workflow.engines.stage import run_stage

def main():
    images = ImageStore(sys.argv[1]).images
    os.truncate(sys.argv[1], 5000)
    images.sum()

run_stage(main)
"""


@fault(
    "a store is cut off in place under a running stage",
    "the system kills the stage: `Fatal Python error: Bus error`, with the line that read",
    "-7 (SIGBUS)",
    "a store of images",
)
def test_a_store_that_is_cut_off_under_a_running_stage(root: Path, tmp_path: Path) -> None:
    """The system kills who reads a memory map behind the end of its file; nothing can be caught."""
    with StoreWriter(tmp_path / "store.h5", (64, 64, 3), {}) as writer:
        writer.append(np.zeros((90, 64, 64, 3), np.uint8), [str(number) for number in range(90)])
    command = [sys.executable, "-c", READING, str(tmp_path / "store.h5")]
    read = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert read.returncode == -signal.SIGBUS and "Bus error" in read.stderr and "in main" in read.stderr


def test_data_that_were_only_touched_and_edited_code_do_no_harm(folder: Path) -> None:
    with traced(folder):
        os.utime(folder / "data/in/1.txt", (0, 0))
        (folder / "data/in/.snakemake_timestamp").write_text("")
        (folder / "stages/x.py").write_text("X = 2\n")
    assert (folder / "results/provenance/pack@x.json").exists()


def test_a_stage_that_fails_leaves_no_sidecar(folder: Path) -> None:
    with pytest.raises(RuntimeError), traced(folder):
        raise RuntimeError
    assert not (folder / "results").exists()


def test_without_git_the_revision_is_unknown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    sidecar = run_in(folder)
    assert sidecar["git_revision"] is None and sidecar["git_dirty"] is None


def test_a_sidecar_that_cannot_be_written_costs_no_result(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "results").mkdir()
    (folder / "results/provenance").write_text("a file is in the way")
    with traced(folder):
        pass
    assert "no provenance was kept" in capsys.readouterr().err


def test_only_commands_of_the_dag_leave_a_trace(root: Path) -> None:
    """This process is pytest, whatever its working directory."""
    assert provenance.stage_that_runs(root) is None


def test_a_list_that_is_older_than_the_code_is_refused_under_dvc(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else DVC would record what new code made as what the old code made."""
    monkeypatch.setenv("DVC_STAGE", "pack@x")
    (folder / "data/code").mkdir()
    listed = folder / "data/code/x.txt"
    listed.write_text(list_text(code_digests("stages.x", folder)))
    run_in(folder)
    (folder / "stages/x.py").write_text("X = 2\n")
    with pytest.raises(InputError, match="code has changed since this list was written"):
        run_in(folder)
    monkeypatch.delenv("DVC_STAGE")
    run_in(folder)


def test_code_that_changes_under_the_stage_that_lists_it_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage("digest_code", "", "python", ["stages"], [], {}, ["data/out"], {}, 1, 0, 1, 1, False)
    monkeypatch.setattr(provenance, "stage_that_runs", lambda root: stage)
    (folder / "data/out").mkdir()
    with pytest.raises(InputError, match="stages changed while the stage read it"), traced(folder):
        (folder / "stages/x.py").write_text("X = 2\n")


def test_memory_is_that_of_the_process_not_of_the_one_that_started_it() -> None:
    held = np.ones(400 << 17)  # 400 MB
    code = "from workflow.engines.provenance import peak_memory_mb; print(peak_memory_mb())"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert 10 < int(told.stdout) < held.nbytes >> 20
