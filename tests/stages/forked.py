"""A stage as processes of their own, forked one after the other from one that has imported torch already."""

import os
import shlex
import signal
import subprocess
import sys
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVER = """
import importlib, os, shlex, sys
from workflow.engines.stage import run_stage
stage = importlib.import_module(f"stages.{sys.argv[1]}")
for line in sys.stdin:
    state, errors, *arguments = shlex.split(line)
    child = os.fork()
    if child == 0:
        os.environ["DCGAN_STATE"] = state
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        sys.argv[1:] = arguments
        run_stage(stage.main)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Forked:
    """Starts a stage; one process at a time."""

    def __init__(self, stage: str) -> None:
        self.stage, self.errors, self.child = stage, Path(), 0

    @cached_property
    def server(self) -> "subprocess.Popen[str]":
        """The process that forks."""
        command, pipe = [sys.executable, "-c", SERVER, self.stage], subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)

    def start(self, folder: Path, arguments: list[str]) -> None:
        """Starts it, with its state and a file of what it prints in a folder."""
        if self.child:  # of a test that has failed
            self.signal(signal.SIGKILL)
            self.end()
        self.errors = folder / "errors"
        assert self.server.stdin is not None
        self.server.stdin.write(shlex.join([f"{folder}/state", str(self.errors), *arguments]) + "\n")
        self.server.stdin.flush()
        self.child = self._answer()

    def signal(self, number: int) -> None:
        """Sends a signal; raises ProcessLookupError if the process has ended."""
        os.kill(self.child, number)

    def end(self) -> tuple[int, str]:
        """Waits for the end; the exit status, or minus the signal that ended it, and what was printed on stderr."""
        status, self.child = self._answer(), 0
        return status, self.errors.read_text()

    def _answer(self) -> int:
        """The next number that the server tells: a process id, then the exit status."""
        assert self.server.stdout is not None
        return int(self.server.stdout.readline())
