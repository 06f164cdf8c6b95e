"""How the work is run: parameters, the DAG under two engines, provenance, report templates.

Each command is run as `python -m workflow.…` or `python -m stages.…`. While Python is still looking for the module that
it was told to run, this file prepares for the import of all that it needs, until `run_stage`.
"""

import gc
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

INTERRUPTED_STATUS = 130


def interrupted(number: int, frame: FrameType | None) -> NoReturn:
    """Ctrl-C while modules are imported: one line, and nothing that would have to be tidied up."""
    os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED_STATUS)


if sys.argv[0] == "-m":
    # What is made while modules are imported is no garbage; looking for some takes a quarter of PyTorch's import.
    gc.disable()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupted)
