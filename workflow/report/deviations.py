"""The one table of deviations, `docs/deviations.md`, as rows for the report.

Input: a Markdown text with one table. Output: its header and rows; a cell is a list of pieces, each text or code.
"""

from pathlib import Path
from typing import NamedTuple

from dcgan.core.files import InputError

Cell = list[tuple[str, bool]]


class Deviations(NamedTuple):
    """The table: plain words above each column, and rows of cells."""

    header: list[str]
    rows: list[list[Cell]]


def read_deviations(path: Path) -> Deviations:
    """Reads the table; raises InputError where the file has none or a row has another number of cells."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    table = [cells_of(line) for line in lines if line.startswith("|")]
    if len(table) < 3 or any(len(row) != len(table[0]) for row in table):
        raise InputError(f"{path}: no table whose rows have as many cells as its header")
    header, _, *rows = table
    return Deviations(header, [[pieces(cell) for cell in row] for row in rows])


def cells_of(line: str) -> list[str]:
    """The cells of one line of a Markdown table."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def pieces(cell: str) -> Cell:
    """A cell in pieces: what stands between backticks is code."""
    parts = [(part, number % 2 == 1) for number, part in enumerate(cell.split("`"))]
    return [part for part in parts if part[0]]
