"""Our numbers beside the published ones: the paper's tables with ours in them, and the two side by side in any metrics.

Input: `workflow/report/paper_tables.py` and the content of results/metrics. Output: rows of text for the report and the
summary.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from workflow.report.paper_tables import Row, Source, Table

Judgement = Literal["better", "worse", "equal"]
PUBLISHED_PREFIX, PUBLISHED_SUFFIX = "published_", "_published"
LEADING = ("error", "accuracy")  # what a plain "published" is the published value of
FIGURE_SPACE = "\u2007"  # as wide as a digit: values of a column stand with their points under each other


@dataclass(frozen=True)
class Percentage:
    """A value in percent and what it varies by, as text; both empty where there is none."""

    value: str = ""
    interval: str = ""

    def __str__(self) -> str:
        text = f"{self.value} ± {self.interval}" if self.interval else self.value
        return text.replace(FIGURE_SPACE, "")


@dataclass(frozen=True)
class Cell:
    """A quoted value, ours, and the difference in percentage points."""

    quoted: Percentage
    ours: Percentage
    difference: str = ""
    judgement: Judgement = "equal"


@dataclass(frozen=True)
class Line:
    """A row of a table; the numbers of features are empty where there are none."""

    model: str
    cells: list[Cell]
    features: str
    our_features: str

    @property
    def has_ours(self) -> bool:
        """Whether this run has a number beside the quoted ones."""
        return any(cell.ours.value for cell in self.cells)


@dataclass(frozen=True)
class Column:
    """A column of values: its name, and which of its parts any row has."""

    name: str
    has_ours: bool
    has_intervals: bool


@dataclass(frozen=True)
class Comparison:
    """A table of the paper with our numbers beside those they belong to."""

    number: int
    title: str
    columns: list[Column]
    lines: list[Line]

    @property
    def has_ours(self) -> bool:
        """Whether this run has anything to put into it."""
        return any(line.has_ours for line in self.lines)


def compare(table: Table, metrics: Mapping[str, Mapping[str, Any]]) -> Comparison:
    """A table of the paper with ours beside it."""
    digits = [digits_of(table, column) for column in range(len(table.columns))]
    lines = [line for row in table.rows for line in lines_of(row, metrics, table.more_is_better, digits)]
    columns = [column_of(name, [line.cells[number] for line in lines]) for number, name in enumerate(table.columns)]
    return Comparison(table.number, table.title, columns, lines)


def lines_of(
    row: Row, metrics: Mapping[str, Mapping[str, Any]], more_is_better: bool, digits: Sequence[int]
) -> Iterator[Line]:
    """A quoted row beside what this run trained, and once more beside the authors' weights where it has them."""
    yield line_of(row.model, row, row.ours, metrics, more_is_better, digits)
    authors = line_of(f"{row.model}, the authors' weights", row, row.authors, metrics, more_is_better, digits)
    if authors.has_ours:
        yield authors


def line_of(
    model: str,
    row: Row,
    sources: Sequence[Source | None],
    metrics: Mapping[str, Mapping[str, Any]],
    more_is_better: bool,
    digits: Sequence[int],
) -> Line:
    """A quoted row beside our numbers from some sources."""
    cells = []
    for column, places in enumerate(digits):
        found = our_value(sources[column] if column < len(sources) else None, metrics)
        cells.append(cell_of(row, column, *found, more_is_better, places))
    return Line(model, cells, count(row.features), count(n_features(sources, metrics)))


def column_of(name: str, cells: Sequence[Cell]) -> Column:
    """What a column consists of."""
    intervals = any(cell.quoted.interval or cell.ours.interval for cell in cells)
    return Column(name, any(cell.ours.value for cell in cells), intervals)


def digits_of(table: Table, column: int) -> int:
    """Decimals of the most exact value that the paper prints in a column."""
    return max(len(printed(row.values[column]).partition(".")[2]) for row in table.rows)


def printed(value: float | None) -> str:
    """A value as the paper prints it, with one decimal or two."""
    return "" if value is None else f"{value:.2f}".removesuffix("0")


def cell_of(
    row: Row, column: int, value: float | None, interval: float | None, more_is_better: bool, digits: int
) -> Cell:
    """A quoted value beside ours, in percent; None where this run has none."""
    published, quoted = row.values[column], quoted_value(row, column, digits)
    if value is None:
        return Cell(quoted, Percentage())
    ours = Percentage(f"{value:.{digits}f}", f"{interval:.1f}" if interval else "")
    if published is None:
        return Cell(quoted, ours)
    difference = f"{value - published:+.{digits}f}".replace("-", "−")
    return Cell(quoted, ours, difference, judgement_of(value - published, more_is_better))


def judgement_of(difference: float, more_is_better: bool) -> Judgement:
    """Whether a difference to the published value, in percentage points, is for the better."""
    if abs(difference) < 0.05:
        return "equal"
    return "better" if (difference > 0) == more_is_better else "worse"


def quoted_value(row: Row, column: int, digits: int) -> Percentage:
    """A value of the paper as printed there, filled up to the decimals of its column."""
    text = printed(row.values[column])
    if not text:
        return Percentage("–")
    interval = row.intervals[column] if column < len(row.intervals) else None
    missing = digits - len(text.partition(".")[2])
    return Percentage(text + FIGURE_SPACE * missing, "" if interval is None else f"{interval:.1f}")


def our_value(source: Source | None, metrics: Mapping[str, Mapping[str, Any]]) -> tuple[float | None, float | None]:
    """A number of ours and its interval in percent; None where this run has none."""
    if source is None or source.file not in metrics or source.key not in metrics[source.file]:
        return None, None
    figures = metrics[source.file]
    value = 100 * float(figures[source.key])
    interval = 100 * float(figures[source.interval]) if source.interval and source.interval in figures else None
    return (100 - value if source.of < 0 else value), interval or None


def n_features(sources: Iterable[Source | None], metrics: Mapping[str, Mapping[str, Any]]) -> int | None:
    """How many features our classifier of a row had."""
    files = [metrics[source.file] for source in sources if source and source.file in metrics]
    return next((figures["n_features"] for figures in files if "n_features" in figures), None)


def count(n: int | None) -> str:
    """A whole number as text."""
    return "" if n is None else f"{n:,}"


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
