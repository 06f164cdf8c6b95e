"""The table in docs/reliability.md: `python -m tests.dag.reliability` writes it out of what the tests declare.

A test that tries a fault bears `@fault(...)`: what goes wrong, what happens, the exit status, and what it was tried on.
So a row is true as long as its test passes, and `test_reliability.py` compares the file with the tests.
"""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs/reliability.md"
HEADER = "| what goes wrong | what happens | exit status | tried on | by |\n|---|---|---|---|---|\n"
Test = TypeVar("Test", bound=Callable[..., Any])


class Fault(NamedTuple):
    """A row of the table, without the test's name."""

    what: str
    outcome: str
    status: str
    tried_on: str


def fault(what: str, outcome: str, status: str, tried_on: str) -> Callable[[Test], Test]:
    """Declares what a test tries; a test may try several faults."""

    def declare(test: Test) -> Test:
        test.__dict__["faults"] = [Fault(what, outcome, status, tried_on), *test.__dict__.get("faults", [])]
        return test

    return declare


def declared() -> Iterator[tuple[Fault, str]]:
    """Every fault with the name of its test, in the order of the files, those on a cluster last."""
    for folder in ("tests/dag", "tests/cluster"):
        for path in sorted((ROOT / folder).glob("*.py")):
            if "\n@fault(" in path.read_text(encoding="utf-8"):
                module = importlib.import_module(f"{folder.replace('/', '.')}.{path.stem}")
                yield from ((found, name) for name, test in vars(module).items() for found in faults_of(test, module))


def faults_of(test: Any, module: Any) -> list[Fault]:
    """The faults that a function of a module declares."""
    return getattr(test, "faults", []) if getattr(test, "__module__", None) == module.__name__ else []


def table() -> str:
    """The table as the file has it; tests that declare the same fault share its row."""
    tests: dict[Fault, list[str]] = {}
    for found, test in declared():
        tests.setdefault(found, []).append(f"`{test}`")
    rows = [(*found, ", ".join(names)) for found, names in tests.items()]
    assert not any("|" in cell for row in rows for cell in row)
    return HEADER + "".join(f"| {' | '.join(row)} |\n" for row in rows)


if __name__ == "__main__":
    before = FILE.read_text(encoding="utf-8").partition(HEADER)[0]
    FILE.write_text(before + table(), encoding="utf-8")
