"""Clocks that were set back, or differ between machines that share a disk.

Snakemake compares times. It makes a stage whose input comes from the future, finds the outputs older than the input,
and removes them. DVC looks at contents and does not care.
"""

import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from dcgan.core.files import InputError
from workflow.engines.dag import TIMESTAMP, Stage
from workflow.engines.lock import HOLDER

# Clocks of machines that share a disk differ by less.
SLACK_SECONDS = 60


def check_clock(root: Path, stages: Mapping[str, Stage]) -> None:
    """Raises InputError where a stage's input is newer than now."""
    inputs = {path: None for stage in stages.values() for path in stage.inputs}
    for path, _ in newer_than(root, inputs, SLACK_SECONDS):
        raise InputError(
            f"{path} was changed in the future, by this machine's clock; set the clock right, or touch the file"
        )


def settle_clock(root: Path, stage: Stage) -> None:
    """At the end of a stage under Snakemake: inputs of the future become inputs of now, so that its outputs stay.

    The clock was set back while the stage ran. What is in the inputs is as it was: that has been looked at before.
    """
    if os.environ.get(HOLDER) != "snakemake":
        return
    for path, file in newer_than(root, stage.inputs, 0):
        try:
            os.utime(file)
        except OSError as error:
            print(f"warning: {path} is newer than what was made of it ({error.strerror})", file=sys.stderr)
        else:
            print(f"the clock was set back: {path} counts as changed now", file=sys.stderr)


def newer_than(root: Path, paths: Iterable[str], slack_seconds: float) -> Iterator[tuple[str, Path]]:
    """Paths that were changed in the future, each with the file or folder whose time says so."""
    latest = time.time() + slack_seconds
    for path in paths:
        for file in (root / path, root / path / TIMESTAMP):
            if file.exists() and file.stat().st_mtime > latest:
                yield path, file
