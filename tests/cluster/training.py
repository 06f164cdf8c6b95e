"""One training job on the test cluster that is caught in the act, so that something can happen to it.

A copy of a checkout in which everything is current but the training of the bedrooms: Snakemake submits that job alone.
The process that trains is frozen (SIGSTOP) as soon as it has written a checkpoint, so that no case depends on how fast
the machine is.
"""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from tests.cluster.slurm import Cluster, is_running, wait_for
from tests.dag.tiny import tiny_params
from workflow.params.load import read_yaml

FURTHER = read_yaml(Path(__file__).with_name("small.yaml"))
STAGE = "train_dcgan@bedrooms"
# Polled sooner than the profile says: a test's jobs take seconds.
PROFILE = ("python", "-m", "tests.cluster.sooner", "--cores", "8", "--profile", "slurm")
SOONER = ("--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2")
SIDE = "side"  # the partition without GPUs
ASIDE = ("--set-resources", f"{STAGE}:gpu=0", f"{STAGE}:slurm_partition={SIDE}")
JOB_SECONDS = 900.0  # on a machine that has much else to do


def with_longer_training(folder: Path, processes: int) -> None:
    """Rewrites params.yaml: seconds of training, a checkpoint after every interval."""
    longer = {"bedrooms": {"epochs": 8, "curve_interval": 4, "checkpoint_seconds": 0.001, "processes": processes}}
    tiny_params(folder / "params.yaml", {**FURTHER, "train": {**FURTHER["train"], **longer}})


class CaughtTraining:
    """Snakemake at work on one training job, and the frozen process that trains."""

    def __init__(self, folder: Path, cluster: Cluster, environment: Mapping[str, str], *options: str) -> None:
        self.folder, self.cluster = folder, cluster
        self.printed = folder / "printed.txt"
        # A test that a shell runs in the background ignores Ctrl-C, and so would everything that it starts.
        with_ctrl_c = ("env", "--default-signal=INT")
        self.command = [*with_ctrl_c, *PROFILE, *SOONER, STAGE, *(options or ASIDE)]
        self.environment = dict(environment)
        self.start()

    def start(self) -> None:
        """Starts Snakemake in a session of its own; what it says goes to a file."""
        with self.printed.open("ab") as output:
            self.snakemake = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def freeze(self) -> list[int]:
        """Waits for the processes that train to have written a checkpoint, and stops them; returns their pids."""
        wait_for("a checkpoint", lambda: self.checkpoints() or self.snakemake.poll() is not None, JOB_SECONDS)
        pids = list(self.processes())
        assert pids, self.printed.read_text()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        return pids

    def checkpoints(self) -> list[Path]:
        """Checkpoints of this checkout's training."""
        return list((self.folder / ".state").glob("train_dcgan-bedrooms-*/checkpoint.safetensors"))

    def processes(self) -> Iterator[int]:
        """Pids of this checkout's processes that train, not of shells and launchers that name them."""
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
                here = (process / "cwd").resolve() == self.folder.resolve()
            except OSError:
                continue
            if here and [b"-m", b"stages.train_dcgan"] in (words[1:3], words[2:4]):
                yield int(process.name)

    def jobs(self) -> list[dict[str, str]]:
        """This checkout's jobs, first to last."""
        return [job for job in self.cluster.jobs() if job["WorkDir"] == str(self.folder)]

    def running_job(self) -> str:
        """The id of the one job that runs."""
        (number,) = [job["JobId"] for job in self.jobs() if job["JobState"] == "RUNNING"]
        return number

    def seconds_since_start(self) -> float:
        """How long the running job has been running."""
        (started,) = [job["StartTime"] for job in self.jobs() if job["JobState"] == "RUNNING"]
        return (datetime.now() - datetime.fromisoformat(started)).total_seconds()

    def images_taken_up(self) -> int:
        """How many images the last job found in a checkpoint; 0 where it began anew."""
        log = (self.folder / "logs" / f"{STAGE}.log").read_text()
        found = re.search(r"train bedrooms: goes on after ([\d,]+) images", log)
        return int(found.group(1).replace(",", "")) if found else 0

    def finish(self) -> str:
        """Waits for Snakemake's end, which has to be a good one; returns all that it printed."""
        status = self.snakemake.wait(JOB_SECONDS)
        assert status == 0, f"status {status}\n{self.printed.read_text()}"
        return self.printed.read_text()


def pending_signals(pid: int) -> int:
    """The mask of signals that a process has been sent and, being stopped, has not yet taken."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:  # gone meanwhile
        return 0
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(("SigPnd", "ShdPnd"))]
    return masks[0] | masks[1]


def thaw(pids: list[int]) -> None:
    """Lets stopped processes go on, those that are still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def has_reached(pids: list[int], number: signal.Signals) -> bool:
    """Whether a signal waits for each of the stopped processes, or has ended it: Slurm may send SIGCONT beside it."""
    return all(not is_running(pid) or pending_signals(pid) >> (number - 1) & 1 for pid in pids)
