"""A real Slurm on loopback, for tests: munged, slurmctld and two slurmd, started by hand and stopped by pid.

The first node claims 16 CPUs, 512 GB and two GPUs (empty files), whatever the machine has, so that jobs queue as they
do elsewhere (but are looked at every second); a job that takes more memory than it asked for is killed within seconds.
The second is the same machine once more, in the partition `side`, for jobs that need no GPU. On the first they would
stand behind those that wait for one: Slurm keeps whole nodes free for the first in the queue.
The plugin's job step forgets SLURM_CONF, so /etc/slurm/slurm.conf has to be there: a link that is removed at the end,
never somebody's own file.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from workflow.engines.device import GRANTS

SYSTEM_CONFIG = Path("/etc/slurm/slurm.conf")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun")
NODES = ("first", "second")
GPUS = 2  # of a node: one would be busy with one short job after the other, and the machine idle
START_SECONDS = 60.0
PATIENCE_SECONDS = 300.0  # of a machine that is busy with everything else that the tests do
FOLDER_PREFIX = "slurm-test-"

CONFIG = """\
ClusterName=dcgan
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=bf_interval=1,sched_interval=1
GresTypes=gpu
TaskProlog={folder}/prolog
ReturnToService=2
MinJobAge=3600
MessageTimeout=10
SlurmdParameters=config_overrides
NodeName=first NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=16 RealMemory=512000 Gres=gpu:{gpus}
NodeName=second NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=16 RealMemory=512000 Gres=gpu:{gpus}
PartitionName=main Nodes=first Default=YES MaxTime=INFINITE State=UP
PartitionName=side Nodes=second MaxTime=INFINITE State=UP
"""


def reason_to_skip() -> str | None:
    """Why no cluster can be brought up here, or None."""
    missing = [program for program in PROGRAMS if find(program) is None]
    if missing:
        return f"{', '.join(missing)} not installed (apt-get install slurm-wlm munge)"
    if os.geteuid() != 0:
        return "the daemons of a test cluster have to be started by root"
    if SYSTEM_CONFIG.is_symlink() and is_leftover(SYSTEM_CONFIG.readlink().parent):
        SYSTEM_CONFIG.unlink()
    if SYSTEM_CONFIG.exists() or SYSTEM_CONFIG.is_symlink():
        return f"{SYSTEM_CONFIG} exists: this machine has a Slurm of its own, or another test cluster"
    return None


def is_leftover(folder: Path) -> bool:
    """Whether a folder was a test cluster's whose controller is no more: its test was killed."""
    if not folder.name.startswith(FOLDER_PREFIX):
        return False
    try:
        return not is_running(int((folder / "slurmctld.pid").read_text()))
    except (OSError, ValueError):
        return True


def find(program: str) -> str | None:
    """Where a daemon or client is, also where the system's own folder is not on the path."""
    return shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listening in sockets:
            listening.bind(("127.0.0.1", 0))
        return [listening.getsockname()[1] for listening in sockets]


def wait_for(what: str, reached: Callable[[], object], seconds: float = PATIENCE_SECONDS, pause: float = 0.1) -> None:
    """Waits until something is so; an AssertionError that names it where it takes too long."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, f"after {seconds:.0f} s: not yet {what}"
        time.sleep(pause)


class Cluster:
    """The daemons and their folder."""

    def __init__(self) -> None:
        # Not in pytest's own folder: munge refuses a socket whose folder is closed to others.
        self.folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
        self.folder.chmod(0o755)
        self.host = socket.gethostname().split(".")[0]

    def start(self) -> None:
        """Brings everything up and waits until the node takes jobs."""
        devices = [self.folder / f"gpu{number}" for number in range(GPUS)]
        for device in devices:
            device.touch()
        (self.folder / "state").mkdir()
        # Stages that were granted a GPU stop if PyTorch finds none; these are files.
        prolog = self.folder / "prolog"
        prolog.write_text("\n".join(["#!/bin/sh", *(f"echo unset {name}" for name in GRANTS), ""]))
        prolog.chmod(0o755)
        (self.folder / "gres.conf").write_text(
            "".join(f"NodeName={node} Name=gpu File={device}\n" for node in NODES for device in devices)
        )
        config = CONFIG.format(folder=self.folder, host=self.host, ports=free_ports(3), gpus=GPUS)
        (self.folder / "slurm.conf").write_text(config)
        SYSTEM_CONFIG.parent.mkdir(exist_ok=True)
        SYSTEM_CONFIG.symlink_to(self.folder / "slurm.conf")
        self.start_munge()
        self.start_controller()
        for node in NODES:
            self.start_node(node)
        wait_for("idle", lambda: self.states_of_nodes() == ["idle"] * len(NODES), START_SECONDS)

    def start_munge(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        files = {"key-file": key} | {f"{name}-file": self.folder / f"munge.{name}" for name in ("log", "pid", "seed")}
        options = [f"--{name}={path}" for name, path in files.items()]
        self.daemon("munged", "--force", f"--socket={self.folder}/munge.socket", *options)

    def start_controller(self) -> None:
        self.daemon("slurmctld", "-f", str(self.folder / "slurm.conf"))
        wait_for("controller up", lambda: "UP" in self.ask("scontrol", "ping"), START_SECONDS)

    def start_node(self, node: str) -> None:
        self.daemon("slurmd", "-f", str(self.folder / "slurm.conf"), "-N", node)

    def states_of_nodes(self) -> list[str]:
        return self.ask("sinfo", "--noheader", "--Node", "--format=%t").split()

    def daemon(self, program: str, *options: str) -> None:
        """Starts a program that goes into the background by itself."""
        path = find(program)
        assert path is not None
        subprocess.run([path, *options], check=True, capture_output=True, timeout=START_SECONDS)

    def last_words(self) -> str:
        """The last line of each daemon's log."""
        logs = {path.name: path.read_text(errors="replace").splitlines() for path in self.folder.glob("*.log")}
        return "; ".join(f"{name}: {lines[-1]}" for name, lines in sorted(logs.items()) if lines)

    def ask(self, *command: str) -> str:
        """What one of Slurm's clients prints."""
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def jobs(self) -> list[dict[str, str]]:
        """Every job since the start, as `scontrol` describes it; `Comment` is `rule_<name>`."""
        lines = self.ask("scontrol", "--oneliner", "show", "jobs").splitlines()
        return [
            dict(field.split("=", 1) for field in line.split() if "=" in field)
            for line in lines
            if line.startswith("JobId=")
        ]

    def kill(self, program: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Ends one of the daemons by its pid file and waits until it is gone."""
        pid = int((self.folder / f"{program}.pid").read_text())
        os.kill(pid, number)
        wait_for(f"{program} gone", lambda: not is_running(pid))

    def stop(self) -> None:
        """Ends all jobs and daemons and removes what was written outside the test's own folder."""
        if (self.folder / "slurmctld.pid").exists():
            self.ask("scancel", "--state=PENDING", "--user=root")
            self.ask("scancel", "--signal=KILL", "--full", "--user=root")
        for program in (*(f"slurmd.{node}" for node in NODES), "slurmctld", "munge"):
            try:
                self.kill(program, signal.SIGTERM)
            except (FileNotFoundError, ProcessLookupError):
                continue  # it never came up, or a test has ended it
        if SYSTEM_CONFIG.is_symlink() and SYSTEM_CONFIG.readlink().parent == self.folder:
            SYSTEM_CONFIG.unlink()
        shutil.rmtree(self.folder)


def is_running(pid: int) -> bool:
    """Whether a process exists and is not just waiting to be reaped."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
