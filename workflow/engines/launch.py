"""Starts a stage as several processes of this machine that share its work, by torchrun.

The processes meet at a fixed address. Torchrun's other ways, as `--standalone`, read pickles from a port to which
anybody may write.
"""

import os
import socket
import sys
from typing import NoReturn

from dcgan.core.files import InputError
from dcgan.core.signals import STOP_SIGNALS


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
    """Becomes torchrun, which starts a module `count` times and passes signals on to all of them."""
    command = [
        *(sys.executable, "-m", "workflow.engines.torchrun", *meeting_place()),
        f"--nproc-per-node={count}",
        f"--signals-to-handle={','.join(number.name for number in STOP_SIGNALS)}",
        *("-m", module, *(sys.argv[1:] if arguments is None else arguments)),
    ]
    os.execvp(command[0], command)


def meeting_place() -> list[str]:
    """Torchrun's options for where its processes find each other: at a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address, port = free.getsockname()
    return ["--nnodes=1", "--rdzv-backend=static", f"--master-addr={address}", f"--master-port={port}"]
