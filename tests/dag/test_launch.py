"""Which command starts the processes of a stage."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from torch.distributed.launcher.api import LaunchConfig

from dcgan.core.signals import STOP_SIGNALS
from workflow.engines import torchrun
from workflow.engines.launch import meeting_place, start_processes
from workflow.params.load import read_yaml


def started(count: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command that this process would have become."""
    commands: list[list[str]] = []
    monkeypatch.setattr(os, "execvp", lambda program, command: commands.append(command))
    start_processes("stages.train_dcgan", count, ["--name", "faces"])
    return commands[0]


def test_the_processes_are_torchruns(monkeypatch: pytest.MonkeyPatch) -> None:
    command = started(2, monkeypatch)
    assert command[:3] == [sys.executable, "-m", "workflow.engines.torchrun"]
    assert {"--nnodes=1", "--nproc-per-node=2", "--master-addr=127.0.0.1"} <= set(command)
    assert command[-4:] == ["-m", "stages.train_dcgan", "--name", "faces"]


def test_processes_meet_where_nobody_unpickles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torchrun's rendezvous `c10d`, which `--standalone` is, reads pickles from a port that anybody may write to."""
    command = started(2, monkeypatch)
    assert "--rdzv-backend=static" in command
    assert not any("standalone" in word or "c10d" in word for word in command)


def test_the_slurm_profile_asks_for_a_warning_that_stages_hear(root: Path) -> None:
    """`make slurm-test` sets another time for it; this is what people have."""
    profile = read_yaml(root / "workflow/profiles/slurm/config.yaml")
    found = re.fullmatch(r"'--signal=(\w+)@(\d+)'", profile["default-resources"]["slurm_extra"])
    assert found is not None
    number, seconds = found.groups()
    assert signal.Signals[f"SIG{number}"] in STOP_SIGNALS and int(seconds) >= 120 and profile["retries"] >= 1
    assert 30 < torchrun.SHUTDOWN_SECONDS <= int(seconds) - 20, "torchrun's own end takes seconds, too"


def test_torchrun_gives_a_checkpoint_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own 30 seconds may be too few for a shared file system."""
    monkeypatch.delenv("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", raising=False)
    monkeypatch.setattr(os, "environ", dict(os.environ))  # which torchrun's processes get, and this one does not keep
    found: list[int | None] = []

    def configured() -> None:
        found.append(LaunchConfig(min_nodes=1, max_nodes=1, nproc_per_node=1).shutdown_timeout)

    monkeypatch.setattr(torchrun.run, "main", configured)
    torchrun.main()
    assert found == [torchrun.SHUTDOWN_SECONDS]


def test_the_status_is_that_of_the_process_that_failed(root: Path, tmp_path: Path) -> None:
    """Not torchrun's own 1, which means a fault of the program; the process has printed what is wrong."""
    script = tmp_path / "second_fails.py"
    script.write_text("import os, sys, time\ntime.sleep(60) if os.environ['RANK'] == '0' else sys.exit(2)\n")
    command = [sys.executable, "-m", "workflow.engines.torchrun", *meeting_place(), "--nproc-per-node=2"]
    done = subprocess.run([*command, str(script)], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
