"""Starts a stage as several processes that share its work: torchrun, on this machine or on every node of a Slurm job.

How many processes there are is a parameter, because results of training depend on it; how many nodes they run on is the
scheduler's affair, because no results do (docs/clusters.md has what the profile says then).

The processes meet at a fixed address. Torchrun's other ways (`--standalone` is one) keep a pickle where anybody who
reaches the port may write.
"""

import os
import shutil
import socket
import subprocess
import sys
from typing import NoReturn

from dcgan.core.files import InputError
from dcgan.core.signals import STOP_SIGNALS

FIRST_PORT, PORTS = 20_000, 20_000


def share_work(module: str, count: int, arguments: list[str] | None) -> tuple[int, int]:
    """How many processes share a stage's work, and this one's number on its machine: (1, 0) for one alone.

    Becomes torchrun if the parameters ask for several processes and torchrun has not started this one. Raises
    InputError if torchrun started another number of processes than `count`.
    """
    if count > 1 and "WORLD_SIZE" not in os.environ:
        start_processes(module, count, arguments)
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if started != count:
        raise InputError(f"the parameters ask for {count} processes, torchrun started {started}")
    return started, int(os.environ.get("LOCAL_RANK", "0"))


def start_processes(module: str, count: int, arguments: list[str] | None) -> NoReturn:
    """Becomes torchrun, which starts a module `count` times and passes signals on to all of them.

    Raises InputError where the job's nodes cannot have as many of them each.
    """
    addresses = addresses_of_nodes()
    if count % len(addresses):
        raise InputError(f"{count} processes cannot be shared evenly by the {len(addresses)} nodes of this job")
    signals = ",".join(number.name for number in STOP_SIGNALS)
    command = [
        *on_each_node(len(addresses)),
        *(sys.executable, "-m", "workflow.engines.torchrun", *meeting_place(addresses)),
        *(f"--nproc-per-node={count // len(addresses)}", f"--signals-to-handle={signals}"),
        *("-m", module, *(sys.argv[1:] if arguments is None else arguments)),
    ]
    os.execvp(command[0], command)


def addresses_of_nodes() -> list[str]:
    """Where Slurm reaches each node of the job that this process belongs to; without Slurm, this machine alone."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is None or shutil.which("squeue") is None:
        return ["localhost"]
    # Asked, not read from the environment: Snakemake's job step takes most of Slurm's variables away.
    nodes = asked("squeue", "--noheader", f"--jobs={job}", "--format=%N").strip()
    lines = asked("scontrol", "--oneliner", "show", "nodes", nodes).splitlines()
    return [field.partition("=")[2] for line in lines for field in line.split() if field.startswith("NodeAddr=")]


def asked(*command: str) -> str:
    """What one of Slurm's clients prints; raises InputError where it cannot tell."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise InputError(f"{command[0]} does not tell the nodes of this job ({error})") from error


def on_each_node(count: int) -> list[str]:
    """What starts a command once on each of the job's nodes, beside the step that this process may be itself, and
    tells torchrun (by its variable PET_NODE_RANK) which of them it is on.
    """
    if count == 1:
        return []
    cores = os.environ.get("SLURM_CPUS_PER_TASK", "1")
    step = ["srun", "--overlap", f"--nodes={count}", "--ntasks-per-node=1", f"--cpus-per-task={cores}"]
    return [*step, "sh", "-c", 'PET_NODE_RANK=$SLURM_NODEID exec "$@"', "torchrun"]


def meeting_place(addresses: list[str]) -> list[str]:
    """Torchrun's options for where its processes find each other."""
    alone = len(addresses) == 1
    port = free_port() if alone else FIRST_PORT + int(os.environ["SLURM_JOB_ID"]) % PORTS
    address = "127.0.0.1" if alone else addresses[0]
    return [
        *(f"--nnodes={len(addresses)}", "--rdzv-backend=static"),
        *(f"--master-addr={address}", f"--master-port={port}"),
    ]


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        found: int = listening.getsockname()[1]
    return found
