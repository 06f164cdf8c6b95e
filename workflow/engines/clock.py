"""Times of files, which Snakemake compares; DVC compares contents.

A clock may be set back, or differ between machines that share a disk. Snakemake then makes a stage whose input comes
from the future, finds the outputs older than the input, and removes them: `check_clock` and `settle_clock` prevent it.
DVC leaves outputs alone that are what their stage would write, however old they are. Snakemake would make them again:
`renew_times` prevents that.
"""

import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from dcgan.core.files import InputError
from workflow.engines.dag import TIMESTAMP, Stage, in_order
from workflow.engines.lock import HOLDER

# Clocks of machines that share a disk differ by less.
SLACK_SECONDS = 60


def check_clock(root: Path, stages: Mapping[str, Stage]) -> None:
    """Raises InputError if a stage's input is newer than now."""
    inputs = {path: None for stage in stages.values() for path in stage.inputs}
    for path, _ in newer_than_now(root, inputs, SLACK_SECONDS):
        raise InputError(
            f"{path} was changed in the future, by this machine's clock; set the clock right, or touch the file"
        )


def settle_clock(root: Path, stage: Stage) -> None:
    """At the end of a stage under Snakemake, gives inputs of the future the time of now, so that its outputs stay.

    The clock was set back while the stage ran. That the inputs' contents are as they were was checked before.
    """
    for path, file in newer_than_now(root, stage.inputs, 0) if os.environ.get(HOLDER) == "snakemake" else ():
        try:
            os.utime(file)
        except OSError as error:
            print(f"warning: {path} is newer than what was made of it ({error.strerror})", file=sys.stderr)
        else:
            print(f"the clock was set back: {path} counts as changed now", file=sys.stderr)


def renew_times(root: Path, stages: Mapping[str, Stage]) -> list[str]:
    """Gives outputs that are older than their stage's inputs the time of now; returns the stages' names.

    For after a run of the whole DAG under DVC, whose outputs are all current.
    """
    renewed = []
    for stage in in_order(stages):
        newest = max((time_of(root / path) for path in stage.inputs), default=0.0)
        if any(time_of(root / path) < newest for path in stage.outputs):
            for file in (file for path in stage.outputs for file in timed_files(root / path)):
                os.utime(file)
            renewed.append(stage.name)
    return renewed


def newer_than_now(root: Path, paths: Iterable[str], slack_seconds: float) -> Iterator[tuple[str, Path]]:
    """Paths that were changed in the future, each with the file or folder whose time shows it."""
    latest = time.time() + slack_seconds
    files = ((path, file) for path in paths for file in timed_files(root / path))
    return ((path, file) for path, file in files if file.stat().st_mtime > latest)


def time_of(path: Path) -> float:
    """When Snakemake thinks that a file or folder was changed."""
    return timed_files(path)[-1].stat().st_mtime


def timed_files(path: Path) -> list[Path]:
    """A file or folder, if it exists, and what Snakemake keeps in a folder that it made, whose time counts instead."""
    return [file for file in (path, path / TIMESTAMP) if file.exists()]
