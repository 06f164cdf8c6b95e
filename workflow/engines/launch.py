"""Starts a stage as several processes that share its work: torchrun, on this machine or on every node of a Slurm job.

The number of processes is a parameter, because results of training depend on it. The number of nodes is the scheduler's
affair, because no result does (docs/clusters.md shows the profile for it).

The processes meet at a fixed address. Torchrun's other ways, as `--standalone`, read pickles from a port to which
anybody may write.
"""

import os
import shutil
import socket
import sys
from typing import NoReturn

from dcgan.core.files import InputError
from dcgan.core.signals import STOP_SIGNALS
from workflow.engines.commands import output_of

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

    Raises InputError if the job's nodes cannot share the processes evenly.
    """
    addresses = addresses_of_nodes()
    if count % len(addresses):
        raise InputError(f"{count} processes cannot be shared evenly by the {len(addresses)} nodes of this job")
    command = [
        *on_each_node(len(addresses)),
        *(sys.executable, "-m", "workflow.engines.torchrun", *meeting_place(addresses)),
        f"--nproc-per-node={count // len(addresses)}",
        f"--signals-to-handle={','.join(number.name for number in STOP_SIGNALS)}",
        *("-m", module, *(sys.argv[1:] if arguments is None else arguments)),
    ]
    os.execvp(command[0], command)


def addresses_of_nodes() -> list[str]:
    """Where Slurm reaches each node of the job that this process belongs to; without Slurm, this machine alone."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is None or shutil.which("squeue") is None:
        return ["localhost"]
    # Slurm's clients know, the environment does not: Snakemake's job step takes most of Slurm's variables away.
    nodes = output_of("squeue", "--noheader", f"--jobs={job}", "--format=%N").strip()
    fields = output_of("scontrol", "--oneliner", "show", "nodes", nodes).split()
    return [field.partition("=")[2] for field in fields if field.startswith("NodeAddr=")]


def on_each_node(count: int) -> list[str]:
    """What starts a command once per node of the job, and tells torchrun by PET_NODE_RANK which node it is on.

    `--overlap`, because this process may be a step of the job itself.
    """
    if count == 1:
        return []
    cores = os.environ.get("SLURM_CPUS_PER_TASK", "1")
    step = ["srun", "--overlap", f"--nodes={count}", "--ntasks-per-node=1", f"--cpus-per-task={cores}"]
    return [*step, "sh", "-c", 'PET_NODE_RANK=$SLURM_NODEID exec "$@"', "torchrun"]


def meeting_place(addresses: list[str]) -> list[str]:
    """Torchrun's options for where its processes find each other: on one machine, at a port that nobody listens on."""
    if len(addresses) == 1:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address, port = free.getsockname()
    else:
        address, port = addresses[0], FIRST_PORT + int(os.environ["SLURM_JOB_ID"]) % PORTS
    found = (f"--master-addr={address}", f"--master-port={port}")
    return [f"--nnodes={len(addresses)}", "--rdzv-backend=static", *found]
