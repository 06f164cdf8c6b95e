"""Curves of a run as TensorBoard event files, for people who watch their runs there."""

from collections.abc import Callable, Mapping
from pathlib import Path

from dcgan.core.files import InputError


def tensorboard_writer(folder: Path) -> Callable[[Mapping[str, float]], None]:
    """A function that writes each row of the curves as scalars over images seen.

    A run that goes on from a checkpoint hides the rows that its dead predecessor wrote after it. Raises InputError
    if the package tensorboard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError(f"{error}; `pip install tensorboard`") from error
    writers: list[SummaryWriter] = []

    def write(row: Mapping[str, float]) -> None:
        step = int(row["images"])
        if not writers:
            writers.append(SummaryWriter(str(folder), purge_step=step))
        for name in set(row) - {"images"}:
            writers[0].add_scalar(name, row[name], step)
        writers[0].flush()

    return write
