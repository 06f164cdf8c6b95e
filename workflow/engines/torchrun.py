"""PyTorch's torchrun with the exit status of what it starts, in place of a traceback and its own status 1.

A signal to stop is passed on; the processes write a checkpoint and end, and the status is 75, as for one process. If
one process fails, torchrun ends the others, and the status is that of the failed one, which has printed why.
"""

import os
import sys

from torch.distributed import run
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from workflow.engines.stage import STOPPED_STATUS

# For the checkpoint, before torchrun kills what it has told to stop: less than the notice that Slurm gives.
SHUTDOWN_SECONDS = 100


def main() -> None:
    """Takes torchrun's own arguments."""
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", str(SHUTDOWN_SECONDS))
    try:
        run.main()
    except SignalException:
        sys.exit(STOPPED_STATUS)
    except ChildFailedError as error:
        _, first = error.get_first_failure()
        sys.exit(first.exitcode if first.exitcode > 0 else 1)


if __name__ == "__main__":
    main()
