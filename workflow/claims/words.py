"""Claims in words: what the report, README, the end of a run and `make compare` say of results/claims.csv."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pandas as pd

from dcgan.core.files import InputError
from dcgan.core.verdicts import VERDICTS, Verdict

CLAIMS = Path("results/claims.csv")
COLUMNS = ("id", "verdict", "paper", "claim", "comparison", "comparison_verdict", "published", "better", "unit")
NUMBERS = ("ours", "other", "difference", "low", "high", "margin")


@dataclass(frozen=True)
class Line:
    """A claim as a line of a table; `comparisons` are its comparisons in words, the one that decides first.

    On data of one's own `paper` and `published` are empty.
    """

    id: str
    verdict: Verdict
    paper: str
    claim: str
    comparisons: tuple[str, ...]
    published: str


def read_claims(source: Path | BinaryIO, where: str = "") -> pd.DataFrame:
    """The table that judge_claims wrote; raises InputError that names `where`, else the path, if it cannot be read."""
    try:
        table = pd.read_csv(source, dtype=dict.fromkeys(COLUMNS, "string"))
        table[list(NUMBERS)] = table[list(NUMBERS)].astype(float)
        table[list(COLUMNS)] = table[list(COLUMNS)].fillna("")
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{where or source}: not a readable table of claims ({error})") from error
    return table


def lines(table: pd.DataFrame) -> list[Line]:
    """A line for each claim, in the order of the table, what was not run last."""
    found = [line(str(name), rows) for name, rows in table.groupby("id", sort=False)]
    return sorted(found, key=lambda one: one.verdict == "not run")


def line(name: str, rows: pd.DataFrame) -> Line:
    """The line of a claim out of its rows; of what was not run only the claim itself."""
    first, measured = rows.iloc[0], rows[rows.low.notna()]
    # What decides: of the comparisons with the claim's own verdict the one that is nearest to its margin.
    ahead = measured.difference.where(measured.better == "higher", -measured.difference) + measured.margin
    nearness = (ahead / (measured.high - measured.low + 1e-12)).abs()
    order = nearness[(measured.comparison_verdict == first.verdict).sort_values(ascending=False).index]
    deciding = sorted(order.index, key=lambda at: (rows.comparison_verdict[at] != first.verdict, order[at]))
    published = "; ".join(dict.fromkeys(text for text in rows.published if text))
    return Line(name, first.verdict, first.paper, first.claim, tuple(words(rows.loc[at]) for at in deciding), published)


def words(row: "pd.Series[str]") -> str:
    """A comparison in words: ours against the other, with ranges if there are any, and the difference's interval."""
    low, high = float(row["low"]), float(row["high"])
    interval = f"{100 * low:+.1f} to {100 * high:+.1f}" if row.unit == "share" else f"{low:+.2g} to {high:+.2g}"
    sure = f"difference {interval}" if math.isfinite(high - low) else "one value, which has no interval"
    numbers = f"{side(row, 'ours')} against {side(row, 'other')}, {sure}"
    return f"{row.comparison}: {numbers.replace('-', '−')}"


def side(row: "pd.Series[str]", name: str) -> str:
    """One of the two that are compared: "86.2 %", over seeds "86.2 % (84.0 to 88.1)"."""
    keys = (name, f"{name}_least", f"{name}_most")
    mean, least, most = (in_unit(float(row.get(key, row[name])), row.unit) for key in keys)
    least, most = least.removesuffix(" %"), most.removesuffix(" %")
    return mean if least == most else f"{mean} ({least} to {most})"


def in_unit(value: float, unit: str) -> str:
    """A share in percent, any other number as it is."""
    return f"{100 * value:.1f} %" if unit == "share" else f"{value:.3g}"


def count(found: Sequence[Line]) -> str:
    """How many claims there are of each verdict: "11 hold, 0 fail, 2 undecided, 6 not run", or without the last."""
    names = {"holds": "hold", "fails": "fail"}
    verdicts = [one.verdict for one in found]
    named = [verdict for verdict in VERDICTS if verdict != "not run" or verdict in verdicts]
    return ", ".join(f"{verdicts.count(verdict)} {names.get(verdict, verdict)}" for verdict in named)


def claim_lines(found: Sequence[Line]) -> Iterator[str]:
    """A line for each claim: its verdict, where the paper says it if it is of it, and the comparison that decides."""
    for one in found:
        measured = f"; {one.comparisons[0]}" if one.comparisons else ""
        where = f"{one.paper}: " if one.paper else ""
        yield f"{one.verdict:<9} {where}{one.claim}{measured}"
