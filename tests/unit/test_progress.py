"""Progress as a person sees it: a bar on a terminal, one line an interval in a log."""

import io
import re
import sys

import pytest

from dcgan.core import progress
from dcgan.core.progress import Progress, track


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_a_log_gets_one_line_an_interval(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(1000, "export shard 0", "images") as shown:
        for _ in range(40):
            clock.now += 1
            shown.update(20)
    assert capsys.readouterr().err.splitlines() == [
        "export shard 0: 200 of 1,000 images, 20.0 images/s, 40 s left",
        "export shard 0: 400 of 1,000 images, 20.0 images/s, 30 s left",
        "export shard 0: 600 of 1,000 images, 20.0 images/s, 20 s left",
        "export shard 0: 800 of 1,000 images, 20.0 images/s, 10 s left",
        "export shard 0: 800 of 1,000 images, 20.0 images/s, 10 s left",
    ]


def test_what_an_earlier_run_did_says_nothing_about_the_rate(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(100, "train", "images") as shown:
        shown.skip(50)
        clock.now = 10
        shown.update(10, loss=0.25)
    before, first, _ = capsys.readouterr().err.splitlines()
    assert before == "train: goes on after 50 images"
    assert first == "train: 60 of 100 images, 1.0 images/s, 40 s left, loss 0.25"


def test_a_total_that_was_too_low_is_left_out(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(750, "export shard 1", "images") as shown:
        clock.now = 10
        shown.update(750)
        shown.update(8)
    assert capsys.readouterr().err.splitlines() == [
        "export shard 1: 750 of 750 images, 75.0 images/s, 0 s left",
        "export shard 1: 758 images, 75.8 images/s",
    ]


def test_a_terminal_gets_a_bar_with_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert list(track(range(30), 30, "crop faces 0", "photos")) == list(range(30))
    last = terminal.getvalue().split("\r")[-1]
    assert "crop faces 0" in last and "30/30" in last
    assert re.search(r"\[\d\d:\d\d<\d\d:\d\d, +\S+ photos/s\]", last)


def test_listeners_hear_once_a_second_how_long_it_takes(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[float] = []
    monkeypatch.setattr(progress, "listeners", [heard.append])
    with Progress(100, "train", "images") as shown, Progress(100, "train", "images", shown=False) as of_another_process:
        for _ in range(8):
            clock.now += 0.5
            shown.update(5)
            of_another_process.update(5)
    assert heard == [9.0, 8.0, 7.0, 6.0]
    with Progress(10, "a total that was too low", "images") as shown:
        clock.now += 2
        shown.update(11)
    assert heard == [9.0, 8.0, 7.0, 6.0]
