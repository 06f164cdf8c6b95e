"""Our numbers beside the published ones: the paper's tables with ours in them, and the two side by side in any metrics.

Input: `workflow/published.py` and the content of results/metrics. Output: rows of text for the report and the summary.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal

from workflow.published import Row, Source, Table

Judgement = Literal["better", "worse", "equal"]
PUBLISHED_PREFIX, PUBLISHED_SUFFIX = "published_", "_published"
LEADING = ("error", "accuracy")  # what a plain "published" is the published value of


@dataclass(frozen=True)
class Cell:
    """A value as text; where it is ours, the difference to the quoted one in percentage points."""

    text: str
    difference: str = ""
    judgement: Judgement = "equal"


@dataclass(frozen=True)
class Line:
    """A row of a table."""

    model: str
    quoted: bool
    cells: list[Cell]
    features: str


@dataclass(frozen=True)
class Comparison:
    """A table of the paper with our rows after those they belong to."""

    number: int
    title: str
    columns: tuple[str, ...]
    lines: list[Line]

    @property
    def has_ours(self) -> bool:
        """Whether this run has anything to put into it."""
        return any(not line.quoted for line in self.lines)

    @property
    def has_features(self) -> bool:
        """Whether the numbers of features are a column."""
        return any(line.features for line in self.lines)


def compare(table: Table, metrics: Mapping[str, Mapping[str, Any]]) -> Comparison:
    """A table of the paper with ours beside it."""
    lines = []
    for row in table.rows:
        features = f"{row.features:,}" if row.features else ""
        lines.append(Line(row.model, True, [quoted(row, column) for column in range(len(row.values))], features))
        lines += our_lines(row, metrics, table.more_is_better)
    return Comparison(table.number, table.title, table.columns, lines)


def our_lines(row: Row, metrics: Mapping[str, Mapping[str, Any]], more_is_better: bool) -> Iterator[Line]:
    """A line for what this run trained and one for the authors' weights, each only where this run has numbers of it."""
    for model, sources in ((f"{row.model}, ours", row.ours), (f"{row.model}, the authors' weights", row.authors)):
        cells = [
            our_cell(value, source, metrics, more_is_better)
            for value, source in zip_longest(row.values, sources[: len(row.values)])
        ]
        if any(cell.text for cell in cells):
            ours = [metrics[source.file] for source in sources if source and source.file in metrics]
            n_features = next((figures["n_features"] for figures in ours if "n_features" in figures), None)
            yield Line(model, False, cells, f"{n_features:,}" if n_features else "")


def quoted(row: Row, column: int) -> Cell:
    """A value of the paper as printed there."""
    value = row.values[column]
    interval = row.intervals[column] if column < len(row.intervals) else None
    return Cell(with_interval(value, interval))


def our_cell(
    published: float | None, source: Source | None, metrics: Mapping[str, Mapping[str, Any]], more_is_better: bool
) -> Cell:
    """Our value that belongs beside a quoted one; empty where this run has none."""
    value, interval = our_value(source, metrics)
    if value is None:
        return Cell("")
    if published is None:
        return Cell(ours(value, interval))
    difference = value - published
    judgement: Judgement = "equal" if abs(difference) < 0.05 else "worse"
    if judgement == "worse" and (difference > 0) == more_is_better:
        judgement = "better"
    return Cell(ours(value, interval), f"{difference:+.1f}".replace("-", "−"), judgement)


def our_value(source: Source | None, metrics: Mapping[str, Mapping[str, Any]]) -> tuple[float | None, float | None]:
    """A number of ours and its interval in percent; None where this run has none."""
    if source is None or source.file not in metrics or source.key not in metrics[source.file]:
        return None, None
    figures = metrics[source.file]
    value = 100 * float(figures[source.key])
    interval = 100 * float(figures[source.interval]) if source.interval and source.interval in figures else None
    return (100 - value if source.of < 0 else value), interval or None


def with_interval(value: float | None, interval: float | None) -> str:
    """A percentage as text, with what it varies by."""
    if value is None:
        return "–"
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return text if interval is None else f"{text} ± {interval:.1f}"


def ours(value: float, interval: float | None) -> str:
    """A percentage of ours, always with one decimal."""
    return f"{value:.1f}" if interval is None else f"{value:.1f} ± {interval:.1f}"


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
