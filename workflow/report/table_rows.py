"""Our numbers beside the published ones: the paper's tables with ours in them, and the two side by side in any metrics.

Input: `workflow/report/paper_tables.yaml` and the content of results/metrics. Output: text for the report.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

Metrics = Mapping[str, Mapping[str, Any]]  # by the name of their file
LEADING = ("error", "accuracy")
SIZES = {"n_maps": "feature maps in the highest layer", "n_features": "columns in all"}


# As the file has them; of a row, only model and paper have to be there.
TABLES: list[Mapping[str, Any]] = YAML(typ="safe", pure=True).load(Path(__file__).with_name("paper_tables.yaml"))


@dataclass(frozen=True)
class Cell:
    """A quoted value and ours, in percent as text, each with what it varies by."""

    quoted: str
    quoted_interval: str = ""
    ours: str = ""
    interval: str = ""


@dataclass(frozen=True)
class Size:
    """How many of something a model has, as text; empty where it is not known."""

    unit: str
    quoted: str
    ours: str


@dataclass(frozen=True)
class Line:
    """A row of a table."""

    model: str
    cells: list[Cell]
    sizes: list[Size]

    @property
    def has_ours(self) -> bool:
        """Whether this run has a number beside the quoted ones."""
        return any(cell.ours for cell in self.cells)


def tables_of(metrics: Metrics) -> list[tuple[Mapping[str, Any], list[Line]]]:
    """The paper's tables in which this run has numbers: the others have no place beside pictures of one's own."""
    tables = [(table, lines_of(table, metrics)) for table in TABLES]
    return [(table, lines) for table, lines in tables if any(line.has_ours for line in lines)]


def lines_of(table: Mapping[str, Any], metrics: Metrics) -> list[Line]:
    """A table of the paper with ours beside it; the authors' weights have lines of their own if they were measured."""
    found = []
    for row in table["rows"]:
        found.append(line_of(table, row, row["model"], row.get("ours"), metrics))
        authors = line_of(table, row, f"{row['model']}, the authors' weights", row.get("authors"), metrics)
        found += [authors] if authors.has_ours else []
    return found


def line_of(
    table: Mapping[str, Any], row: Mapping[str, Any], model: str, sources: Sequence[str | None] | None, metrics: Metrics
) -> Line:
    """A quoted row beside our numbers from some sources."""
    keys = [(source or ".").split(".") for source in sources or [None] * len(table["columns"])]
    cells = [cell_of(table, row["paper"][n], n, metrics.get(file, {}), key) for n, (file, key) in enumerate(keys)]
    return Line(model, cells, list(sizes_of(row, [metrics.get(file, {}) for file, _ in keys])))


def sizes_of(row: Mapping[str, Any], figures: Sequence[Mapping[str, Any]]) -> Iterator[Size]:
    """The sizes of a quoted row beside those of the first of our figures that has them."""
    for key, unit in SIZES.items():
        found = row.get(key), next((ours[key] for ours in figures if key in ours), None)
        if found != (None, None):
            shown = ("" if n is None else f"{n:,}" for n in found)
            yield Size(row.get("unit", unit) if key == "n_maps" else unit, *shown)


def cell_of(table: Mapping[str, Any], paper: str | None, column: int, figures: Mapping[str, Any], key: str) -> Cell:
    """A quoted value beside ours, with as many decimals as the most exact value that the paper has in the column."""
    digits = max(decimals(row["paper"][column] or "") for row in table["rows"])
    quoted, _, quoted_interval = (paper or "–").partition(" ± ")
    if key not in figures:
        return Cell(quoted, quoted_interval)
    value, varies = 100 * float(figures[key]), 100 * float(figures.get("interval", 0.0))
    return Cell(quoted, quoted_interval, f"{value:.{digits}f}", f"{varies:.1f}" if varies else "")


def decimals(printed: str) -> int:
    """Digits behind the point of a value as the paper prints it."""
    return len(printed.partition(" ")[0].partition(".")[2])


def pairs(metrics: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Name, our value and the published one of everything in a metrics file; `published` alone is that of LEADING."""
    leading = next((key for key in metrics if key in LEADING), None)
    for key in (key for key in metrics if "published" not in key):
        names = [f"published_{key}", f"{key}_published", f"published_{key.partition('_')[0]}"]
        names += ["published"] if key == leading else []
        published = next((metrics[name] for name in names if metrics.get(name) is not None), "")
        yield key.replace("_", " "), number(metrics[key]), number(published)


def number(value: Any) -> str:
    """A value of a metrics file as text."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
