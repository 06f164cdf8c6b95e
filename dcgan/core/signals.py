"""Stopping long work safely: after a signal, the work writes a checkpoint at its next good moment and ends."""

import signal
import time
from types import FrameType, TracebackType

# Ctrl-C, a scheduler's end of time, and the warning that Slurm can send before it.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
# A scheduler signals all processes of a job, and torchrun passes on what it gets: the same request arrives twice.
SAME_REQUEST_SECONDS = 1.0


class Stopped(Exception):
    """The work was asked to stop and has written a checkpoint; a new start goes on from it."""


class StopSignals:
    """In its `with` block, calling the object tells whether a signal asked for a stop.

    A second Ctrl-C raises KeyboardInterrupt at once.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._received_at = 0.0

    def __call__(self) -> bool:
        """Whether a stop was asked for."""
        return self.received is not None

    def __enter__(self) -> "StopSignals":
        self._previous = {number: signal.signal(number, self._receive) for number in STOP_SIGNALS}
        return self

    def _receive(self, number: int, _: FrameType | None) -> None:
        if self.received is None:
            self.received, self._received_at = number, time.monotonic()
        elif number == signal.SIGINT and time.monotonic() - self._received_at > SAME_REQUEST_SECONDS:
            raise KeyboardInterrupt

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
