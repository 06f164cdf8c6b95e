"""The device that a stage computes on. A GPU that was granted and cannot be used stops the stage: it would run for days
on the CPU, while a cluster bills the GPU.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dcgan.core.files import InputError, raise_all

if TYPE_CHECKING:
    import torch

    from workflow.params.sections import Params

DRIVER = Path("/proc/driver/nvidia/version")
# What Slurm, and whoever hands out GPUs, sets for a process that may use some.
GRANTS = ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "SLURM_GPUS_ON_NODE")
HIDDEN = ("", "-1", "NoDevFiles")
# What CUDA itself, or cuBLAS and cuDNN, say of memory that they ask for past PyTorch's allocator.
FULL = ("out of memory", "ALLOC_FAILED")


def device_for(asked: Literal["auto", "cpu", "cuda"]) -> "torch.device":
    """The device that `run.device` names; raises InputError if it should be a GPU and PyTorch finds none."""
    import torch

    if asked == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    reason = "run.device is cuda" if asked == "cuda" else sign_of_gpu()
    if reason is None:
        return torch.device("cpu")
    built = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "for CPUs only"
    raise InputError(
        f"{reason}, but PyTorch {torch.__version__}, built {built}, finds no CUDA device (NVIDIA driver: "
        f"{driver_version() or 'none'}): install a driver and a PyTorch that fit, or set run.device to cpu"
    )


def check_devices(params: "Params") -> None:
    """Raises InputError if this machine lacks the GPUs that a run here needs: one for each process of a stage.

    Looks only where there is a question, as PyTorch takes seconds to load.
    """
    sharing = {
        f"{kind}.{name}.processes": section.processes
        for kind in ("train", "features", "neighbours")
        for name, section in getattr(params, kind).items()
        if section.processes > 1
    }
    if params.run.device == "cpu" or (params.run.device == "auto" and not sharing):
        return
    if device_for(params.run.device).type == "cuda":
        import torch

        there = torch.cuda.device_count()
        raise_all(
            f"params.yaml: {key}: {count} is not allowed (at most {there}: each process needs a GPU of its own)"
            for key, count in sharing.items()
            if count > there
        )


def sign_of_gpu() -> str | None:
    """What says that this process may use a GPU, or None.

    A job of Slurm may use what it was granted, and nothing else that its node has.
    """
    if os.environ.get("CUDA_VISIBLE_DEVICES") in HIDDEN:
        return None
    for name in GRANTS:
        if os.environ.get(name):
            return f"{name} is {os.environ[name]}"
    if "SLURM_JOB_ID" in os.environ or not DRIVER.exists():
        return None
    return "this machine has an NVIDIA driver"


def driver_version() -> str | None:
    """The version of the kernel's NVIDIA driver, e.g. 535.104.05; None without one."""
    if not DRIVER.exists():
        return None
    found = re.search(r"\d+\.\d[\d.]*", DRIVER.read_text())
    return found.group() if found else None


def full_memory(error: BaseException | None) -> BaseException | None:
    """The error that PyTorch raised because the memory of a GPU is full, if this one is or hides it; else None.

    OutOfMemoryError is a RuntimeError, too. In the recording of a graph the graph's end raises another one.
    """
    while error is not None:
        if isinstance(error, RuntimeError) and any(sign in str(error) for sign in FULL):
            return error
        error = error.__context__
    return None


@contextmanager
def report_full_memory() -> Iterator[None]:
    """Turns an error about a GPU whose memory is full, PyTorch's or a library's, into an InputError of one line."""
    try:
        yield
    except Exception as error:
        torch = sys.modules.get("torch")  # not loaded by stages without a network
        full = full_memory(error)
        if torch is None or full is None:
            raise
        # Its first sentences tell what was asked for and what is there, the others what one may set.
        told = ". ".join(str(full).splitlines()[0].split(". ")[:3])
        raise InputError(f"the memory of the GPU is full: {told}") from error
