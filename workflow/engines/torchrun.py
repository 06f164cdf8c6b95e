"""PyTorch's torchrun with the exit status of what it starts, in place of a traceback and a 1 of its own.

Asked to stop, it passes the signal on, and its processes end with a checkpoint: 75, as one process does. Where one of
them failed, torchrun ends the others, and the status is that of the first one; it has said why.
"""

import sys

from torch.distributed import run
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from workflow.engines.stage import STOPPED_STATUS


def main() -> None:
    """Takes torchrun's own arguments."""
    try:
        run.main()
    except SignalException:
        sys.exit(STOPPED_STATUS)
    except ChildFailedError as error:
        _, first = error.get_first_failure()
        sys.exit(first.exitcode if first.exitcode > 0 else 1)


if __name__ == "__main__":
    main()
