"""Times of files, which Snakemake compares; DVC compares contents.

If a clock was set back, Snakemake makes a stage whose input comes from the future, finds the outputs older than the
input, and removes them: `check_clock` prevents it. DVC leaves outputs alone that are what their stage would write,
however old they are. Snakemake would make them again: `renew_times` prevents that.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path

from dcgan.core.files import InputError
from workflow.engines.dag import TIMESTAMP, Stage, in_order

# Clocks of machines that share a disk differ by less.
SLACK_SECONDS = 60


def check_clock(root: Path, stages: Mapping[str, Stage]) -> None:
    """Raises InputError if a stage's input is newer than now."""
    latest = time.time() + SLACK_SECONDS
    for path in {path: None for stage in stages.values() for path in stage.inputs}:
        if any(file.stat().st_mtime > latest for file in timed_files(root / path)):
            raise InputError(
                f"{path} was changed in the future, by this machine's clock; set the clock right, or touch the file"
            )


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


def time_of(path: Path) -> float:
    """When Snakemake thinks that a file or folder was changed."""
    return timed_files(path)[-1].stat().st_mtime


def timed_files(path: Path) -> list[Path]:
    """A file or folder, if it exists, and what Snakemake keeps in a folder that it made, whose time counts instead."""
    return [file for file in (path, path / TIMESTAMP) if file.exists()]
