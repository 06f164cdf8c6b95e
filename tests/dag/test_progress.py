"""How far a run is: one line, from what stages took before and from how fast this run goes."""

import contextlib
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.dag.demo import demo_stages
from tests.dag.tiny import tiny_params
from workflow.engines import progress
from workflow.engines.dag import needed_for, resolve
from workflow.engines.lock import STAGES_LOCK
from workflow.engines.progress import BEFORE, Run, expected_seconds, stages_to_make
from workflow.engines.provenance import SIDECARS
from workflow.planning.plan import planned_seconds

STAGE = '''"""Reads, counts as training does, writes."""

import argparse
import os
import time
from pathlib import Path

from dcgan.core.files import InputError
from dcgan.core.progress import Progress
from workflow.engines.stage import run_stage


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    print("said by", options.out)
    with Progress(12, "count", "numbers") as counted:
        for _ in range(12):
            time.sleep(float(os.environ.get("COUNT_SECONDS", "0")))
            counted.update()
            if Path("wrong").exists() and options.out.name == "second":
                raise InputError("the second is wrong")
            if Path("broken").exists() and options.out.name == "second":
                raise ValueError("of a fault")
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "done.txt").write_text("done")


if __name__ == "__main__":
    run_stage(main)
'''
DAG = """stages:
  first:
    cmd: python -m stages.counts --out data/demo
    deps: [stages/counts.py]
    outs: [data/demo]
    meta: {threads: 1, gpu: 0, mem_mb: 100, runtime: 1}
  second:
    cmd: python -m stages.counts --out data/second
    deps: [stages/counts.py, data/demo]
    outs: [data/second]
    meta: {threads: 1, gpu: 0, mem_mb: 100, runtime: 1}
"""
LINES = ["[1/2] first", "[2/2] second"]
SLOWLY = {"COUNT_SECONDS": "0.1"}  # so that a stage takes longer than the line is old when it is renewed
RUN_DVC = ("python", "-c", "from workflow.repro import run_dvc; print(run_dvc(), 'ran')")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of day, which passes only when told."""
    now = [1000.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(time=lambda: now[0]))
    return now


@pytest.fixture
def counting(checkout: Path) -> Path:
    """A copy of the project with two stages that count, for COUNT_SECONDS a number."""
    (checkout / "stages/counts.py").write_text(STAGE)
    (checkout / "dvc.yaml").write_text(DAG)
    (checkout / SIDECARS).mkdir(parents=True)
    for name, out in (("first", "demo"), ("second", "second")):
        sidecar = {"command": f"python -m stages.counts --out data/{out}", "parameters": {}, "seconds": 3.0}
        sidecar |= {"inputs": {}, "outputs": {}}
        (checkout / SIDECARS / f"{name}.json").write_text(json.dumps(sidecar))
    return checkout


def test_a_line_tells_stage_share_and_time_left(clock: list[float]) -> None:
    """As fast as expected: 25 % after 60 of 240 seconds."""
    run = Run(engine=1, started=1000.0, current=3, seconds={"a": 60.0, "b": 120.0, "c": 60.0})
    run.begin("a")
    assert run.line("a") == "[4/6] a · 0 % · about 4 min left"
    clock[0] += 60
    run.end("a")
    run.begin("b")
    assert run.line("b") == "[5/6] b · 25 % · about 3 min left"
    clock[0] += 30
    # What the stage itself knows counts more: 210 seconds of its own and 60 after it.
    assert run.line("b", left=210.0) == "[5/6] b · 25 % · about 4 min left"


def test_a_slow_machine_takes_longer(clock: list[float]) -> None:
    """A third as fast as expected, tempered by 20 seconds of trust: (600 + 20) / (1800 + 20)."""
    run = Run(engine=1, started=1000.0, current=0, seconds={"a": 600.0, "b": 620.0})
    run.begin("a")
    clock[0] += 1800
    run.end("a")
    assert run.left({}) == pytest.approx(1820)


def test_stages_side_by_side_take_less(clock: list[float]) -> None:
    run = Run(engine=1, started=1000.0, current=0, seconds=dict.fromkeys("abcd", 100.0))
    for name in "ab":
        run.begin(name)
    clock[0] += 100
    for name in "ab":
        run.end(name)
    assert run.left({}) == pytest.approx(200 / (220 / 120))


def test_a_stage_that_nobody_expected_counts(clock: list[float]) -> None:
    run = Run(engine=1, started=1000.0, current=2, seconds={})
    run.begin("a")
    assert run.line("a") == "[2/2] a"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(2, "10 s"), (44, "40 s"), (89, "90 s"), (91, "2 min"), (389, "6 min"), (5399, "90 min"), (9000, "2.5 h")],
)
def test_times_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert progress.rounded(seconds) == said


def test_expected_is_what_a_stage_took_with_these_parameters_else_the_plan(tmp_path: Path, root: Path) -> None:
    stages = demo_stages()
    (tmp_path / "params.yaml").write_bytes((root / "workflow/presets/demo.yaml").read_bytes())
    for name, changed in (("train_dcgan@faces", {}), ("train_dcgan@bedrooms", {"run.seed": 43})):
        stage = stages[name]
        sidecar = {"command": stage.command, "parameters": stage.parameters | changed, "seconds": 1234.5}
        sidecar |= {"inputs": {}, "outputs": {}}
        (tmp_path / SIDECARS).mkdir(parents=True, exist_ok=True)
        (tmp_path / SIDECARS / f"{name}.json").write_text(json.dumps(sidecar))
    seconds = expected_seconds(tmp_path, stages, set(stages), planned_seconds)
    assert seconds.keys() == stages.keys()
    assert seconds["train_dcgan@faces"] == 1236.0
    assert 20 < seconds["train_dcgan@bedrooms"] < 600, "the plan's"
    without_plan = expected_seconds(tmp_path, stages, {"train_dcgan@bedrooms", "judge_claims"})
    assert without_plan["train_dcgan@bedrooms"] == 1236.0, "with another seed it took no other time"


def test_targets_bring_what_they_wait_for() -> None:
    stages = demo_stages()
    found = needed_for(["dvc", "repro", "evaluate_duplicates@bedrooms"], stages)
    assert {"render_demo@bedrooms", "encode_images@1", "drop_duplicates@bedrooms"} <= found.keys()
    assert not {"train_dcgan@bedrooms", "judge_claims"} & found.keys()
    assert needed_for(["dvc", "repro"], stages) == stages
    kind = needed_for(["snakemake", "export_lsun"], stages)
    assert kind == needed_for(["export_lsun@0", "export_lsun@1"], stages) and "render_demo@bedrooms" in kind


def test_dvc_alone_gets_a_line_a_stage_and_what_is_current_is_not_expected(
    counting: Path, tmp_path: Path, run: Any, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An experiment, in whose own folder no stage has run, knows it from its checkout."""
    assert stages_to_make(counting, resolve(counting)) == {"first", "second"}
    printed = run(counting, "dvc", "repro").stderr
    assert re.findall(r"^(\[./2\] \w+) · \d+ % · about [12]0 s left$", printed, re.MULTILINE) == LINES
    assert stages_to_make(counting, resolve(counting)) == set()
    apart = Path(shutil.copytree(counting, tmp_path / "apart"))
    shutil.rmtree(apart / SIDECARS)
    monkeypatch.setitem(environment, BEFORE, str(counting))
    again = run(apart, "dvc", "repro", "--force", "--single-item", "second")
    assert "said by" in again.stdout and re.findall(r"^(\[./2\] \w+)", again.stderr, re.MULTILINE) == LINES[1:]
    (counting / "data/demo/done.txt").unlink()
    (counting / "data/demo").rmdir()
    assert stages_to_make(counting, resolve(counting)) == {"first", "second"}


def test_make_repro_prints_lines_and_keeps_what_stages_say(counting: Path, run: Any) -> None:
    """At the end it tells how long it took, and which file to open."""
    ran = run(counting, "python", "-m", "workflow.repro")
    assert [line.split(" · ")[0] for line in ran.stderr.splitlines()] == LINES
    assert re.match(r"2 of 2 stages ran, \d+ s in all\.\n\n", ran.stdout)
    assert "\nEverything, with pictures: results/report.html\n" in ran.stdout
    assert (counting / "results/report.html").is_file()
    assert (counting / "logs/second.log").read_text().startswith("said by data/second\n")
    assert json.loads(run(counting, "dvc", "status", "--json").stdout) == {}
    again = run(counting, *RUN_DVC)
    assert (again.stdout, again.stderr) == ("0 ran\n", "")


def test_a_stage_that_fails_is_named_with_its_words(counting: Path, run: Any) -> None:
    (counting / "wrong").touch()
    failed = run(counting, *RUN_DVC, status=2)
    assert failed.stderr.splitlines()[-1] == "error: second: the second is wrong"
    assert "Traceback" not in failed.stderr
    # What was done before is recorded.
    changed = json.loads(run(counting, "dvc", "status", "--json").stdout)
    assert changed.keys() == {"second"}
    (counting / "wrong").rename(counting / "broken")
    failed = run(counting, *RUN_DVC, status=1)
    assert "error: second failed; logs/second.log ends:\n" in failed.stderr
    assert failed.stderr.endswith("  ValueError: of a fault\n")


def test_snakemake_alone_gets_a_line_a_stage(counting: Path, run: Any) -> None:
    """Among what it prints itself."""
    printed = run(counting, "snakemake", "--cores", "1").stderr
    assert re.findall(r"^(\[./2\] \w+) · \d+ % · about [12]0 s left$", printed, re.MULTILINE) == LINES
    assert "Finished jobid" in printed


def test_what_ran_is_counted_where_snakemake_does_not_tell_of_ends(counting: Path, run: Any) -> None:
    done = run(counting, "snakemake", "--cores", "1", "--quiet")
    assert re.search(r"^2 of 2 stages ran, \d+ s in all\.$", done.stdout, re.MULTILINE)


def test_make_snakemake_tells_the_same(counting: Path, run: Any) -> None:
    (counting / "wrong").touch()
    failed = run(counting, "snakemake", "--cores", "1", "--quiet", "all", status=1)
    lines = failed.stderr.splitlines()
    assert [line.split(" · ")[0] for line in lines] == [*LINES, "error: second: the second is wrong"]
    (counting / "wrong").unlink()
    done = run(counting, "snakemake", "--cores", "1", "--quiet", "all")
    assert re.fullmatch(r"\[2/2\] second · \d+ % · about 10 s left\n", done.stderr)
    assert re.fullmatch(r"1 of 2 stages ran, \d+ s in all\.\n", done.stdout)


def test_on_a_terminal_one_line_is_renewed(counting: Path, environment: dict[str, str]) -> None:
    """Within a stage, too; what stages and DVC print stays off the terminal, and at the end the line is gone."""
    printed, status = on_terminal(counting, environment | SLOWLY, *RUN_DVC)
    assert status == 0
    shown = printed.split("\r\x1b[K")
    assert shown[0] == "" and shown[-1].startswith("2 ran\r\n")
    assert {line.split(" · ")[0] for line in shown[1:-2]} == set(LINES)
    assert sum(line.startswith("[1/2] first · ") for line in shown) > 1, "the stage tells how far it is"
    assert all("\n" not in line for line in shown[:-1])


@pytest.mark.parametrize("target", ["repro", "snakemake"])
def test_ctrl_c_ends_in_one_calm_line(checkout: Path, environment: dict[str, str], target: str) -> None:
    """No error of make, DVC or Snakemake; the status tells that the run was stopped."""
    tiny_params(checkout / "params.yaml")
    (checkout / ".venv").symlink_to(sys.prefix)
    command = ("make", "--old-file", ".venv/.installed", target, "CORES=1")
    printed, status = on_terminal(checkout, environment, *command, interrupt_at="render_demo@")
    last = re.split(r"\r\x1b\[K|\r\n", printed.strip())[-1]
    assert re.fullmatch(rf"(\^C)?stopped.*; `make {target}` goes on from there", last), printed
    assert "***" not in printed and "Traceback" not in printed and "rror" not in printed
    assert status == -signal.SIGINT


def test_what_a_killed_run_had_made_is_not_made_again(counting: Path, environment: dict[str, str], run: Any) -> None:
    """It had not written dvc.lock; DVC's run cache knows the stage."""
    killed = subprocess.Popen(RUN_DVC, cwd=counting, env=environment | SLOWLY, stderr=subprocess.DEVNULL)
    while not (counting / "logs/second.log").exists():
        assert killed.poll() is None
        time.sleep(0.05)
    killed.kill()
    killed.wait()
    subprocess.run(["flock", "--exclusive", counting / STAGES_LOCK, "true"], check=True, timeout=120)
    printed = run(counting, "dvc", "repro").stdout
    assert "Stage 'first' is cached - skipping run" in printed and "Running stage 'second'" in printed


COMMANDS = sorted({*re.findall(r"python -m (workflow[\w.]+)", (Path(__file__).parents[2] / "Makefile").read_text())})


@pytest.mark.parametrize("module", [*COMMANDS, "stages.train_dcgan", "stages.join_faces"])
def test_ctrl_c_while_modules_are_imported_is_one_calm_line(
    root: Path, tmp_path: Path, environment: dict[str, str], module: str
) -> None:
    """As later; here a module of Python's own presses it, which all of them import."""
    (tmp_path / "hashlib.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    command = (sys.executable, "-m", module, "--help")
    ended = subprocess.run(
        command,
        cwd=root,
        env=environment | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        preexec_fn=heed_ctrl_c,
        check=False,
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("", "interrupted\n", 130)


def heed_ctrl_c() -> None:
    """In a child: what a shell has started in the background ignores Ctrl-C, and so do its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def on_terminal(
    folder: Path, environment: dict[str, str], *command: str, interrupt_at: str | None = None
) -> tuple[str, int]:
    """What a command prints on a terminal of its own, and its status; a person presses Ctrl-C once a text is there."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        heed_ctrl_c()
        os.execvpe(command[0], command, environment)
    printed = ""
    with contextlib.suppress(OSError):  # Linux's way to say that nobody is left who may print
        while part := os.read(terminal, 1000):
            printed += part.decode()
            if interrupt_at and interrupt_at in printed:
                interrupt_at = None
                time.sleep(0.5)
                os.write(terminal, b"\x03")
    printed = printed.replace("\x1b[0m", "")  # DVC's colours end, though there were none
    return printed, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_setup_shows_that_it_lives(checkout: Path, run: Any) -> None:
    """A dot every two seconds while pip is silent, and an end of the line; pip's failure is make's."""
    python = checkout / "python"
    python.write_text("""#!/bin/bash -e
if [ "$2" = venv ]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; fi
if [ "$2" = pip ]; then sleep $(cat seconds); echo "from pip" >&2; exit $(cat status); fi
""")
    python.chmod(0o755)
    (checkout / "status").write_text("1")
    (checkout / "seconds").write_text("0")
    failed = run(checkout, "make", "setup", f"PYTHON={python}", status=2)
    assert failed.stderr.startswith("from pip\n") and not (checkout / ".venv/.installed").exists()
    (checkout / "status").write_text("0")
    (checkout / "seconds").write_text("5")
    assert re.fullmatch(r"Installing .*\n\.\.+\n", run(checkout, "make", "setup", f"PYTHON={python}").stdout)
    assert (checkout / ".venv/.installed").exists()
