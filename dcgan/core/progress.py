"""Progress as a bar on a terminal; elsewhere (a log file, a cluster job) one line every ten seconds."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
LOG_INTERVAL_SECONDS = 10.0


class Progress:
    """Counts towards a total; `update(n, loss=0.3)` shows the rate, the time left and any figures given.

    The total may be an estimate (nobody has counted the keys of a shard); once the count passes it, it is not shown.
    """

    def __init__(self, total: int | None, label: str, unit: str, shown: bool = True) -> None:
        self.total, self.label, self.unit, self.shown = total, label, unit, shown
        self.figures: dict[str, float] = {}
        self.count = self.skipped = 0
        self.started = self.last_line = time.monotonic()
        on_terminal = shown and sys.stderr.isatty()
        self.bar = tqdm(total=total, desc=label, unit=f" {unit}", dynamic_ncols=True) if on_terminal else None

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
        rate = self.count / max(time.monotonic() - self.started, 1e-9)
        done = self.skipped + self.count
        total = self.total if self.total and done <= self.total else None
        words = [f"{self.label}: {done:,}{f' of {total:,}' if total else ''} {self.unit}"]
        words.append(f"{rate:,.1f} {self.unit}/s")
        if total:
            words.append(f"{(total - done) / max(rate, 1e-9):,.0f} s left")
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


def track(items: Iterable[Item], total: int | None, label: str, unit: str) -> Iterator[Item]:
    """Yields the items while showing progress."""
    with Progress(total, label, unit) as progress:
        for item in items:
            yield item
            progress.update()
