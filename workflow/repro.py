"""`make repro`: the whole DAG under DVC, then the report and what holds: `python -m workflow.repro`.

It is `dvc repro` but for three things. One line tells how far the run is (workflow/engines/progress.py), and what the
stages print goes into `logs/<stage>.log`. `dvc.lock`, which takes DVC a second to write, is written at most every
LOCK_SECONDS, and when the run ends, be it by an error; if the process is killed, DVC finds what is missing there in its
run cache. Times of outputs are set right for Snakemake.

Exit statuses: 0 done; 2 the input is wrong; 75 and 130 stopped, a new start goes on; 1 a fault of the program.
"""

import logging
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dcgan.core.files import InputError
from workflow import INTERRUPTED_STATUS
from workflow.engines.check import check
from workflow.engines.clock import renew_times
from workflow.engines.dag import resolved_stages
from workflow.engines.lock import hold
from workflow.engines.progress import (
    LOG_FOLDER,
    LOGS,
    TERMINAL,
    clear,
    expected_run,
    last_words,
    ran,
    show,
    stages_to_make,
    take_terminal,
)
from workflow.engines.stage import INPUT_ERROR_STATUS, STOPPED_STATUS, command_parser, run_stage
from workflow.planning.plan import planned_seconds

if TYPE_CHECKING:
    from dvc.stage import PipelineStage

LOCK_SECONDS = 300.0
STOPPED = {STOPPED_STATUS: STOPPED_STATUS, INTERRUPTED_STATUS: INTERRUPTED_STATUS, -signal.SIGINT: INTERRUPTED_STATUS}


def main() -> None:
    """Runs the DAG of the checkout in the working directory."""
    command_parser(__doc__).parse_args()
    started = time.monotonic()
    take_terminal()
    if TERMINAL in os.environ:
        show("checking parameters and sources")
    try:
        check(Path(), devices=True)
    finally:
        clear()
    stages = resolved_stages(Path())
    made = run_dvc()
    hold(Path(), "make repro")
    renew_times(Path(), stages)
    from workflow.report import summary, write  # nothing before needs what they import

    write.write_whole_report(Path(), stages)
    print(ran(made, len(stages), time.monotonic() - started), end="\n\n")
    summary.main()


def run_dvc() -> int:
    """Runs DVC; returns how many stages have run. Ends the process if one fails, when one line has told why."""
    stages = resolved_stages(Path())
    run = expected_run(Path(), stages, stages_to_make(Path(), stages), planned_seconds)
    run.save(Path())
    try:
        with line_alone():
            return reproduce()
    except StageFailed as failed:
        if failed.status in STOPPED:
            print(f"stopped in {failed.name}; `make repro` goes on from there", file=sys.stderr)
            sys.exit(STOPPED[failed.status])
        print(last_words(failed.name, LOG_FOLDER, run.started), file=sys.stderr)
        sys.exit(INPUT_ERROR_STATUS if failed.status == INPUT_ERROR_STATUS else 1)


@contextmanager
def line_alone() -> Iterator[None]:
    """Leaves the terminal to the line of progress: stages print into files."""
    os.environ[LOGS] = str(LOG_FOLDER)
    take_terminal()
    try:
        yield
    finally:
        clear()


def reproduce() -> int:
    """Runs DVC; returns how many stages have run.

    Raises InputError if DVC refuses, StageFailed if a stage does.
    """
    from dvc.exceptions import DvcException
    from dvc.logger import set_loggers_level
    from dvc.repo import Repo

    try:
        with set_loggers_level(logging.WARNING), Repo() as repo, lock_file() as note:
            return len(repo.reproduce(repro_fn=lambda stage, **options: note(stage.reproduce(**options))))
    except DvcException as error:
        status = re.search(r"exited with (-?\d+)$", str(error.__cause__))
        if status is None:
            raise InputError(" ".join(str(error.__cause__ or error).split())) from error
        name = str(error).partition("'")[2].rstrip("'")
        raise StageFailed(name, int(status[1])) from error


class StageFailed(Exception):
    """A stage has ended with a status that is not 0."""

    def __init__(self, name: str, status: int) -> None:
        super().__init__(name, status)
        self.name, self.status = name, status


@contextmanager
def lock_file() -> Iterator[Callable[["PipelineStage | None"], "PipelineStage | None"]]:
    """Yields what takes a stage that has run, or None, for dvc.lock, and hands it on."""
    waiting, written = list["PipelineStage"](), time.monotonic()

    def write() -> None:
        nonlocal written
        if waiting:
            waiting[0].dvcfile.dump_stages(waiting, update_pipeline=False)
        waiting.clear()
        written = time.monotonic()

    def note(stage: "PipelineStage | None") -> "PipelineStage | None":
        if stage is not None:
            waiting.append(stage)
        if time.monotonic() - written > LOCK_SECONDS:
            write()
        return stage

    try:
        yield note
    finally:
        write()


if __name__ == "__main__":
    run_stage(main)
