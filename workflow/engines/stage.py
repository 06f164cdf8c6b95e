"""What every stage script shares: the `--params` option, exit statuses, threads and determinism.

Exit statuses: 0 done; 2 the input is wrong, the disk is full or read-only, or the GPU's memory is full (one line on
stderr tells what); 1 a fault of the program; 75 stopped by a signal with a checkpoint written: start it again and it
goes on; 130 interrupted.
"""

import argparse
import atexit
import faulthandler
import gc
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from dcgan.core.files import InputError, storage_problem
from dcgan.core.signals import Stopped
from workflow import INTERRUPTED_STATUS, interrupted
from workflow.engines.device import device_for, report_full_memory
from workflow.engines.lock import join
from workflow.engines.progress import reported
from workflow.engines.provenance import running_module, stage_that_runs, traced
from workflow.params.load import load_params
from workflow.params.sections import Params, Run

if TYPE_CHECKING:
    import torch

__all__ = ["Params", "command_parser", "fix_threads", "load_params", "prepare", "run_stage", "stage_parser"]
INPUT_ERROR_STATUS, STOPPED_STATUS = 2, 75


def command_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser whose help is a module's docstring."""
    form = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(description=description, formatter_class=form, allow_abbrev=False)


def stage_parser(description: str | None) -> argparse.ArgumentParser:
    """The same for a stage; it knows `--params`."""
    parser = command_parser(description)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="parameters (default: %(default)s)")
    return parser


def fix_threads(run: Run) -> None:
    """Fixes the threads of a stage that has no network and so does not import torch, which takes seconds."""
    import cv2
    from threadpoolctl import threadpool_limits

    # Sums of floats depend on how many threads share them, so neither engine nor environment may decide.
    threadpool_limits(run.threads)
    cv2.setNumThreads(run.threads)


def prepare(run: Run) -> "torch.device":
    """Fixes threads, deterministic algorithms and full float32; returns the device that `run.device` names.

    Raises InputError if there should be a GPU and PyTorch finds none.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    fix_threads(run)
    torch.set_num_threads(run.threads)
    # The same as `use_deterministic_algorithms(..., warn_only=True)`, which imports torch's compiler: two seconds more.
    torch.set_deterministic_debug_mode("warn" if run.deterministic else "default")
    # With it PyTorch fills all fresh memory, so that reading it before writing shows; nothing here does.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = not run.deterministic
    # By default convolutions on a GPU keep ten bits of every float32 factor (TF32); in some containers matrix products
    # do, too, and the certificate of an SVM's optimum rests on theirs.
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    return device_for(run.device)


def run_stage(main: Callable[[], None]) -> NoReturn:
    """Runs a stage's main, keeps its provenance, and turns what it raises into an exit status."""
    # A memory map whose file somebody cuts off kills the process; this prints the line that read.
    faulthandler.enable()
    gc.freeze()
    gc.enable()  # this and the next as workflow/__init__.py says
    if signal.getsignal(signal.SIGINT) is interrupted:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    leave(status_of(main))


def status_of(main: Callable[[], None]) -> int:
    """Runs a stage's main; returns its exit status, when one line has told why it is not 0."""
    try:
        join(Path())
        stage = stage_that_runs(Path())
        with reported(Path(), stage), traced(Path(), stage), report_full_memory():
            main()
    except Stopped as stopped:
        print(stopped, file=sys.stderr)
        return STOPPED_STATUS
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED_STATUS
    except Exception as error:
        message = str(error) if isinstance(error, InputError) else storage_problem(error)
        if message is None:
            raise
        where = None if isinstance(error, InputError) else getattr(error, "filename", None)
        for line in message.splitlines():
            print(f"error: {f'{where}: ' if where else ''}{line}", file=sys.stderr)
        return INPUT_ERROR_STATUS
    return 0


def leave(status: int) -> NoReturn:
    """Ends the process. A stage spares Python's taking down of its modules, of PyTorch's above all: 0.3 seconds."""
    if running_module().startswith("stages."):
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
