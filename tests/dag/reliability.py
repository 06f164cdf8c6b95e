"""The table in docs/reliability.md: faults that tests try, and what happened. The tests write it.

A test calls `happened(fault, outcome)` once it has seen the outcome. The row has to be in the file as it is; with
DCGAN_WRITE_RELIABILITY set (`make reliability`) it is put there instead, and rows of tests that are gone go.
"""

import os
from collections.abc import Callable
from pathlib import Path

FILE = Path(__file__).parents[2] / "docs/reliability.md"
WRITING = "DCGAN_WRITE_RELIABILITY"
HEADER = "| fault | what happens | tried by |\n|---|---|---|\n"
Happened = Callable[[str, str], None]


class Table:
    """Rows by fault: what happened, and the test that tried it."""

    def __init__(self) -> None:
        self.rows = read_rows()
        self.seen: dict[str, tuple[str, str]] = {}

    def check(self, fault: str, outcome: str, test: str) -> None:
        """Compares a row with the file's, or keeps it for the file."""
        assert "|" not in fault + outcome
        self.seen[fault] = (outcome, test)
        if not os.environ.get(WRITING):
            assert self.rows.get(fault) == (outcome, test), f"docs/reliability.md: {fault}: run `make reliability`"

    def write(self) -> None:
        """Puts what was seen into the file, and takes rows of tests out that there are no more."""
        tests = known_tests()
        rows = {fault: row for fault, row in (read_rows() | self.seen).items() if row[1] in tests}
        order = sorted(rows, key=lambda fault: (tests.index(rows[fault][1]), fault))
        lines = (f"| {fault} | {rows[fault][0]} | `{rows[fault][1]}` |\n" for fault in order)
        before = FILE.read_text(encoding="utf-8").partition(HEADER)[0]
        FILE.write_text(before + HEADER + "".join(lines), encoding="utf-8")


def read_rows() -> dict[str, tuple[str, str]]:
    """The table as it is in the file."""
    return dict(parse(line) for line in FILE.read_text(encoding="utf-8").partition(HEADER)[2].splitlines())


def parse(line: str) -> tuple[str, tuple[str, str]]:
    """A line of the table."""
    fault, outcome, test = (cell.strip() for cell in line.strip("|").split("|"))
    return fault, (outcome, test.strip("`"))


def known_tests() -> list[str]:
    """Names of all test functions that may try faults, in the order of the files, those on a cluster last."""
    folders = (Path(__file__).parent, Path(__file__).parents[1] / "cluster")
    texts = [path.read_text(encoding="utf-8") for folder in folders for path in sorted(folder.glob("test_*.py"))]
    lines = (line for text in texts for line in text.splitlines())
    return [line.removeprefix("def ").partition("(")[0] for line in lines if line.startswith("def test_")]
