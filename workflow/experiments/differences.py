"""What differs between several mappings of values, such as parameters or metrics, and the first of them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from workflow.report.table_rows import number

ABSENT = object()


class Entry(NamedTuple):
    """A value of one state, and how it differs from the first one's; both as text."""

    text: str
    changed: bool
    difference: str = ""


class Row(NamedTuple):
    """A key with its values, and whether any state differs from the first."""

    name: str
    entries: list[Entry]
    changed: bool


def rows_of(states: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Every key that any state has, in the order in which they come."""
    rows = []
    for key in dict.fromkeys(key for state in states for key in state):
        entries = [entry_of(one.get(key, ABSENT), states[0].get(key, ABSENT)) for one in states]
        rows.append(Row(key, entries, any(entry.changed for entry in entries)))
    return rows


def entry_of(value: Any, first: Any) -> Entry:
    """A value beside the first one; True is not 1, but 1.0 is."""
    text = "absent" if value is ABSENT else number(value)
    if {type(value), type(first)} <= {int, float}:
        return Entry(text, value != first, difference(value - first, first) if value != first else "")
    return Entry(text, type(value) is not type(first) or value != first)


def difference(change: float, first: float) -> str:
    """A change with its sign, and in percent of what was there."""
    text = f"{change:+,}" if isinstance(change, int) else f"{change:+.4g}"
    share = f" ({100 * change / abs(first):+.1f} %)" if first else ""
    return f"{text}{share}".replace("-", "−")
