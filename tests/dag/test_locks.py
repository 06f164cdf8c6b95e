"""One engine at a time in a checkout: the second reports it and leaves, and touches nothing that the first made.

The DAG is a single stage that waits until a file appears, in a clean copy of the project.
"""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dag.reliability import fault
from workflow.engines.lock import ENGINE_LOCK, STAGES_LOCK, lock

Run = Callable[..., Any]
WAITING = '''"""Waits until a file appears."""

import time
from pathlib import Path

from workflow.engines.stage import run_stage


def main() -> None:
    Path("waiting").touch()
    while not Path("end").exists():
        time.sleep(0.05)
    Path("data/demo").mkdir(parents=True, exist_ok=True)
    Path("data/demo/done.txt").write_text("done")


run_stage(main)
'''
DAG = """stages:
  wait:
    cmd: python -m stages.wait
    deps: [stages/wait.py]
    outs: [data/demo]
    meta: {threads: 1, gpu: 0, mem_mb: 100, runtime: 1}
"""


@pytest.fixture
def waiting(checkout: Path) -> Iterator[Path]:
    """A copy of the project whose only stage waits."""
    (checkout / "stages/wait.py").write_text(WAITING)
    (checkout / "dvc.yaml").write_text(DAG)
    yield checkout
    (checkout / "end").touch()


@pytest.mark.parametrize("refusal", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    """Another refusal of the system is an error."""

    def refuse(file: object, kind: int) -> None:
        raise OSError(refusal, os.strerror(refusal))

    monkeypatch.setattr("fcntl.flock", refuse)
    with lock(tmp_path / "a/lock", fcntl.LOCK_EX, "{} is at work", "snakemake") as held:
        held.seek(0)
        assert held.read() == "snakemake"
    refusal = errno.EIO
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        lock(tmp_path / "a/lock", fcntl.LOCK_EX, "{} is at work")


def start(folder: Path, environment: dict[str, str], *command: str) -> "subprocess.Popen[str]":
    """Starts an engine and waits until its stage runs."""
    process = subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    wait_for(folder / "waiting", process)
    return process


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None and time.monotonic() < until, process.stderr and process.stderr.read()
        time.sleep(0.05)


def let_end(folder: Path) -> None:
    """Lets the stage end, and waits for it: its lock is free then."""
    (folder / "end").touch()
    subprocess.run(["flock", "--exclusive", folder / STAGES_LOCK, "true"], check=True, timeout=60)


def refusal(finished: Any) -> str:
    """The line that says why an engine left."""
    (line,) = [line for line in finished.stderr.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in finished.stderr
    return line.split("(process")[0] + line.partition(")")[2] if "(process" in line else line


@fault(
    "`dvc repro` while Snakemake runs",
    "DVC's `Unable to acquire lock`, before it touches anything",
    "255",
    "`dvc repro`",
)
@fault(
    "Snakemake is killed (-9) and started again while its stage goes on",
    "`stages of an engine that has ended are still at work`; later it goes on",
    "2",
    "one stage",
)
def test_two_engines_and_a_killed_one(waiting: Path, run: Run, environment: dict[str, str]) -> None:
    snakemake = start(waiting, environment, "snakemake", "--cores", "1")
    printed = run(waiting, "dvc", "repro", status=255).stderr
    assert "Unable to acquire lock" in printed
    run(waiting, "snakemake", "--cores", "1", "--dry-run", "--nolock")

    snakemake.kill()
    snakemake.wait()
    run(waiting, "snakemake", "--unlock")
    line = refusal(run(waiting, "snakemake", "--cores", "1", "--rerun-incomplete", status=2))
    assert "stages of an engine that has ended are still at work" in line
    let_end(waiting)
    run(waiting, "snakemake", "--cores", "1", "--rerun-incomplete")
    assert (waiting / "data/demo/done.txt").read_text() == "done"


@fault(
    "Snakemake while `dvc repro` runs",
    "`dvc (process ...) is at work in this checkout`; DVC ends well",
    "2",
    "`snakemake --cores 1`",
)
def test_snakemake_leaves_while_dvc_is_at_work(waiting: Path, run: Run, environment: dict[str, str]) -> None:
    dvc = start(waiting, environment, "dvc", "repro")
    line = refusal(run(waiting, "snakemake", "--cores", "1", status=2))
    assert line == "error: dvc  is at work in this checkout; start again when it has ended"
    (waiting / "end").touch()
    _, printed = dvc.communicate(timeout=60)
    assert dvc.returncode == 0, printed
    assert (waiting / "data/demo/done.txt").read_text() == "done"


@fault(
    "both engines start in the same second",
    "one leaves, the other ends well",
    "2 or 255",
    "both engines",
)
def test_two_engines_started_in_the_same_second(waiting: Path, environment: dict[str, str]) -> None:
    """Whoever comes first works, the other leaves; nobody can say who that will be."""
    engines = [
        subprocess.Popen(
            words, cwd=waiting, env=environment, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for words in (["dvc", "repro"], ["snakemake", "--cores", "1"])
    ]
    until = time.monotonic() + 60
    while all(engine.poll() is None for engine in engines) and time.monotonic() < until:
        time.sleep(0.05)
    gone = [engine.poll() is not None for engine in engines]
    assert gone.count(True) == 1, "one leaves while the other waits for its stage"
    (waiting / "end").touch()
    printed = [engine.communicate(timeout=60)[1] for engine in engines]
    left, stayed = gone.index(True), gone.index(False)
    assert engines[left].returncode in (2, 255) and (
        "at work in this" in printed[left] or "acquire lock" in printed[left]
    )
    assert engines[stayed].returncode == 0, printed[stayed]
    assert (waiting / "data/demo/done.txt").read_text() == "done"


@fault(
    "a file changes while a stage reads it",
    "the stage fails at its end: `... changed while the stage read it`; the next start runs it again",
    "2",
    "both engines",
)
@pytest.mark.parametrize("engine", ["dvc repro", "snakemake --cores 1"])
def test_a_file_that_changes_under_a_running_stage(
    waiting: Path, run: Run, environment: dict[str, str], engine: str
) -> None:
    """What the stage made is recorded by neither engine, and made again the next time."""
    read = waiting / "data/raw/read.txt"
    read.parent.mkdir(parents=True, exist_ok=True)
    read.write_text("before")
    (waiting / "dvc.yaml").write_text(DAG.replace("[stages/wait.py]", "[stages/wait.py, data/raw/read.txt]"))
    process = start(waiting, environment, *engine.split())
    read.write_text("after!")
    (waiting / "end").touch()
    _, printed = process.communicate(timeout=60)
    log = waiting / "logs/wait.log"  # where Snakemake's stages say what they say
    assert "read.txt changed while the stage read it" in (log.read_text() if log.exists() else printed)
    assert process.returncode not in (0, None)
    again = run(waiting, *engine.split())
    assert "Running stage 'wait'" in again.stdout or "rule wait" in again.stderr
    assert (waiting / "data/demo/done.txt").read_text() == "done"


HOLDING = """
from pathlib import Path
from workflow.engines.lock import hold
hold(Path(), "first")
print("held", flush=True)
input()
"""


def test_a_killed_holder_leaves_no_lock(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = os.environ | {"PYTHONPATH": str(root)}
    command = [sys.executable, "-c", HOLDING]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    first = subprocess.Popen(command, cwd=tmp_path, env=environment, text=True, **pipes)
    assert first.stdout is not None and first.stdout.readline() == "held\n"
    second = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert f"first (process {first.pid} on" in second.stderr and second.returncode == 1
    first.send_signal(signal.SIGKILL)
    first.communicate()
    third = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, input="\n", check=True
    )
    assert third.stdout == "held\n" and (tmp_path / ENGINE_LOCK).exists()
