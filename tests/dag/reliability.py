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
        self.before, _, rows = FILE.read_text(encoding="utf-8").partition(HEADER)
        self.rows = dict(parse(line) for line in rows.splitlines())

    def check(self, fault: str, outcome: str, test: str) -> None:
        """Compares a row with the file's, or puts it there."""
        assert "|" not in fault + outcome
        if os.environ.get(WRITING):
            self.rows[fault] = (outcome, test)
        assert self.rows.get(fault) == (outcome, test), (
            f"docs/reliability.md is not current: {fault}; `make reliability`"
        )

    def write(self) -> None:
        """Writes the file, without rows of tests that there are no more."""
        tests = known_tests()
        kept = {fault: row for fault, row in self.rows.items() if row[1] in tests}
        order = sorted(kept, key=lambda fault: (tests.index(kept[fault][1]), list(self.rows).index(fault)))
        lines = (f"| {fault} | {kept[fault][0]} | `{kept[fault][1]}` |\n" for fault in order)
        FILE.write_text(self.before + HEADER + "".join(lines), encoding="utf-8")


def parse(line: str) -> tuple[str, tuple[str, str]]:
    """A line of the table."""
    fault, outcome, test = (cell.strip() for cell in line.strip("|").split("|"))
    return fault, (outcome, test.strip("`"))


def known_tests() -> list[str]:
    """Names of all test functions that try faults, in the order of the files."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("test_*.py"))]
    lines = (line for text in texts for line in text.splitlines())
    return [line.removeprefix("def ").partition("(")[0] for line in lines if line.startswith("def test_")]
