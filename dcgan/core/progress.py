"""Progress as a bar on a terminal; elsewhere (a log file, a cluster job) one line every ten seconds."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NoReturn, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

Item = TypeVar("Item")
LOG_INTERVAL_SECONDS = 10.0
TELL_INTERVAL_SECONDS = 1.0
# Whoever shows the progress of more than this computation, and wants to know how many seconds it still takes.
listeners: list[Callable[[float], None]] = []


class Progress:
    """Counts towards a total; `update(n, loss=0.3)` shows the rate, the time left and any figures given.

    The total may be an estimate (nobody has counted the keys of a shard); once the count passes it, it is not shown.
    """

    def __init__(self, total: int | None, label: str, unit: str, shown: bool = True) -> None:
        self.total, self.label, self.unit, self.shown = total, label, unit, shown
        self.figures: dict[str, float] = {}
        self.count = self.skipped = 0
        self.started = self.last_line = self.last_told = time.monotonic()
        on_terminal = shown and sys.stderr.isatty()
        self.bar = bar(total, label, unit) if on_terminal else None

    def update(self, n: int = 1, **figures: float) -> None:
        """Adds `n` done items; without a terminal it prints at most one line every `LOG_INTERVAL_SECONDS`.

        Figures stay until new ones replace them.
        """
        self.count += n
        self.figures = figures or self.figures
        if self.bar is not None:
            self.bar.update(n)
            if figures:
                self.bar.set_postfix({name: f"{value:.3g}" for name, value in figures.items()}, refresh=False)
        elif time.monotonic() - self.last_line >= LOG_INTERVAL_SECONDS:
            self.last_line = time.monotonic()
            self._print_line()
        if listeners and self.shown and time.monotonic() - self.last_told >= TELL_INTERVAL_SECONDS:
            self.last_told = time.monotonic()
            if self.total and self.done <= self.total:
                for tell in listeners:
                    tell((self.total - self.done) / self.rate)

    @property
    def done(self) -> int:
        """Items that are done, those of an earlier run included."""
        return self.skipped + self.count

    @property
    def rate(self) -> float:
        """Items a second of this run, above 0."""
        return max(self.count / max(time.monotonic() - self.started, 1e-9), 1e-9)

    def skip(self, n: int) -> None:
        """Counts items that an earlier run did, and prints so; they do not count for the rate."""
        self.skipped += n
        if self.bar is not None:
            self.bar.update(n)
            self.bar.unpause()
        elif n and self.shown:
            print(f"{self.label}: goes on after {n:,} {self.unit}", file=sys.stderr, flush=True)

    def _print_line(self) -> None:
        if not self.shown:
            return
        total = self.total if self.total and self.done <= self.total else None
        words = [f"{self.label}: {self.done:,}{f' of {total:,}' if total else ''} {self.unit}"]
        words.append(f"{self.rate:,.1f} {self.unit}/s")
        if total:
            words.append(f"{(total - self.done) / self.rate:,.0f} s left")
        words += [f"{name} {value:.3g}" for name, value in self.figures.items()]
        print(", ".join(words), file=sys.stderr, flush=True)

    def close(self) -> None:
        """Ends the bar, or prints the closing line."""
        if self.bar is not None:
            self.bar.close()
        elif self.count:
            self._print_line()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def bar(total: int | None, label: str, unit: str) -> "tqdm[NoReturn]":
    """A bar on the terminal."""
    from tqdm import tqdm  # most stages have no terminal

    return tqdm(total=total, desc=label, unit=f" {unit}", dynamic_ncols=True)


def track(items: Iterable[Item], total: int | None, label: str, unit: str) -> Iterator[Item]:
    """Yields the items while showing progress."""
    with Progress(total, label, unit) as progress:
        for item in items:
            yield item
            progress.update()
