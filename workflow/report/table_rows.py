"""Our numbers beside the published ones: the paper's tables with ours in them, and the two side by side in any metrics.

Input: `workflow/report/paper_tables.yaml` and the content of results/metrics. Output: text for the report and summary.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML

Judgement = Literal["better", "worse", "equal"]
Metrics = Mapping[str, Mapping[str, Any]]  # by the name of their file
PUBLISHED_PREFIX, PUBLISHED_SUFFIX = "published_", "_published"
LEADING = ("error", "accuracy")  # what a plain "published" is the published value of
FIGURE_SPACE = "\u2007"  # as wide as a digit: values of a column stand with their points under each other


@dataclass(frozen=True)
class Row:
    """A quoted row, as printed, None where the paper has nothing; `ours` and `authors` say where our numbers are."""

    model: str
    paper: list[str | None]
    features: int | None = None
    ours: list[str | None] = field(default_factory=list)
    authors: list[str | None] = field(default_factory=list)


@dataclass(frozen=True)
class Table:
    """One table of the paper."""

    number: int
    title: str
    columns: list[str]
    more_is_better: bool
    rows: list[Row]


TABLES = [
    Table(**{**table, "rows": [Row(**row) for row in table["rows"]]})
    for table in YAML(typ="safe", pure=True).load(Path(__file__).with_name("paper_tables.yaml"))
]


@dataclass(frozen=True)
class Percentage:
    """A value in percent and what it varies by, as text; both empty if there is none."""

    value: str = ""
    interval: str = ""

    def __str__(self) -> str:
        text = f"{self.value} ± {self.interval}" if self.interval else self.value
        return text.replace(FIGURE_SPACE, "")


@dataclass(frozen=True)
class Cell:
    """A quoted value, ours, and the difference in percentage points."""

    quoted: Percentage
    ours: Percentage = Percentage()
    difference: str = ""
    judgement: Judgement = "equal"


@dataclass(frozen=True)
class Line:
    """A row of a table; the numbers of features are empty if there are none."""

    model: str
    cells: list[Cell]
    features: str
    our_features: str

    @property
    def has_ours(self) -> bool:
        """Whether this run has a number beside the quoted ones."""
        return any(cell.ours.value for cell in self.cells)


def lines_of(table: Table, metrics: Metrics) -> list[Line]:
    """A table of the paper with ours beside it; the authors' weights have lines of their own if they were measured."""
    found = []
    for row in table.rows:
        found.append(line_of(table, row, row.model, row.ours, metrics))
        authors = line_of(table, row, f"{row.model}, the authors' weights", row.authors, metrics)
        found += [authors] if authors.has_ours else []
    return found


def line_of(table: Table, row: Row, model: str, sources: Sequence[str | None], metrics: Metrics) -> Line:
    """A quoted row beside our numbers from some sources."""
    keys = [source.split(".") if source else ["", ""] for source in sources or [None] * len(table.columns)]
    cells = [cell_of(table, row, n, metrics.get(file, {}), key) for n, (file, key) in enumerate(keys)]
    ours = next((found for file, _ in keys if (found := metrics.get(file, {}).get("n_features"))), None)
    return Line(model, cells, *("" if n is None else f"{n:,}" for n in (row.features, ours)))


def cell_of(table: Table, row: Row, column: int, figures: Mapping[str, Any], key: str) -> Cell:
    """A quoted value beside ours, in percent, with as many decimals as the most exact value that its column has."""
    printed = row.paper[column]
    digits = max(decimals(other.paper[column] or "") for other in table.rows)
    text, _, interval = (printed or "–").partition(" ± ")
    quoted = Percentage(text + FIGURE_SPACE * (digits - decimals(text) if printed else 0), interval)
    if key not in figures:
        return Cell(quoted)
    value, varies = 100 * float(figures[key]), 100 * float(figures.get("interval", 0.0))
    ours = Percentage(f"{value:.{digits}f}", f"{varies:.1f}" if varies else "")
    if not printed:
        return Cell(quoted, ours)
    change = value - float(text)
    return Cell(quoted, ours, f"{change:+.{digits}f}".replace("-", "−"), judgement_of(change, table.more_is_better))


def decimals(printed: str) -> int:
    """Digits behind the point of a value as the paper prints it."""
    return len(printed.partition(" ")[0].partition(".")[2])


def judgement_of(difference: float, more_is_better: bool) -> Judgement:
    """Whether a difference to the published value, in percentage points, is for the better."""
    if abs(difference) < 0.05:
        return "equal"
    return "better" if (difference > 0) == more_is_better else "worse"


def pairs(metrics: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Name, our value and the published one of everything in a metrics file."""
    for key, value in metrics.items():
        if key == "published" or key.startswith(PUBLISHED_PREFIX) or key.endswith(PUBLISHED_SUFFIX):
            continue
        names = [PUBLISHED_PREFIX + key, key + PUBLISHED_SUFFIX]
        names += [PUBLISHED_PREFIX + key.split("_")[0]] if key.startswith("share_") else []
        names += ["published"] if key in LEADING and next(k for k in metrics if k in LEADING) == key else []
        published = next((metrics[name] for name in names if name in metrics), None)
        yield key.replace("_", " "), number(value), number(published) if published is not None else ""


def number(value: Any) -> str:
    """A value of a metrics file as text."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
