"""Which command starts the processes of a stage: on this machine, and on the nodes of a Slurm job."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from torch.distributed.launcher.api import LaunchConfig

from dcgan.core.files import InputError
from dcgan.core.signals import STOP_SIGNALS
from workflow.engines import torchrun
from workflow.engines.launch import meeting_place, start_processes
from workflow.params.load import read_yaml

CLIENTS = {
    "squeue": "echo 'node[7-8]'",
    "scontrol": "echo NodeName=node7 NodeAddr=10.0.0.7 State=IDLE; echo NodeName=node8 NodeAddr=10.0.0.8 State=IDLE",
}


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This process seems to belong to a Slurm job of two nodes with three cores each; returns the folder of clients."""
    for name, line in CLIENTS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "41")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    return tmp_path


def started(count: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command that this process would have become."""
    commands: list[list[str]] = []
    monkeypatch.setattr(os, "execvp", lambda program, command: commands.append(command))
    start_processes("stages.train_dcgan", count, ["--name", "faces"])
    return commands[0]


def test_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    command = started(2, monkeypatch)
    assert command[:3] == [sys.executable, "-m", "workflow.engines.torchrun"]
    assert {"--nnodes=1", "--nproc-per-node=2", "--master-addr=127.0.0.1"} <= set(command)
    assert command[-4:] == ["-m", "stages.train_dcgan", "--name", "faces"]


def test_on_two_nodes(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = started(4, monkeypatch)
    assert command[:5] == ["srun", "--overlap", "--nodes=2", "--ntasks-per-node=1", "--cpus-per-task=3"]
    assert {"--nnodes=2", "--nproc-per-node=2", "--master-addr=10.0.0.7", "--master-port=20041"} <= set(command)


@pytest.mark.parametrize("nodes", [1, 2])
def test_processes_meet_where_nobody_unpickles(job: Path, monkeypatch: pytest.MonkeyPatch, nodes: int) -> None:
    """Torchrun's rendezvous `c10d`, which `--standalone` is, reads pickles from a port that anybody may write to."""
    if nodes == 1:
        monkeypatch.delenv("SLURM_JOB_ID")
    command = started(2, monkeypatch)
    assert f"--nnodes={nodes}" in command and "--rdzv-backend=static" in command
    assert not any("standalone" in word or "c10d" in word for word in command)


def test_each_node_knows_which_it_is(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What srun starts on the second node, with another program in torchrun's place."""
    command = started(2, monkeypatch)
    shell = command[command.index("sh") : command.index("torchrun") + 1]
    environment = os.environ | {"SLURM_NODEID": "1", "PATH": "/usr/bin:/bin"}
    printed = subprocess.run(
        [*shell, "printenv", "PET_NODE_RANK"], env=environment, capture_output=True, text=True, check=True
    )
    assert printed.stdout == "1\n"


def test_nodes_that_cannot_share_evenly(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="3 processes cannot be shared evenly by the 2 nodes"):
        started(3, monkeypatch)


def test_a_slurm_that_does_not_answer_is_named(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (job / "squeue").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(InputError, match="`squeue .*` failed"):
        started(2, monkeypatch)


def test_without_slurms_clients_a_job_is_one_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "41")
    monkeypatch.setenv("PATH", "")
    assert "--nnodes=1" in started(2, monkeypatch)


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
    command = [sys.executable, "-m", "workflow.engines.torchrun", *meeting_place(["localhost"]), "--nproc-per-node=2"]
    done = subprocess.run([*command, str(script)], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
