"""What differs between several mappings of values, such as parameters or metrics, and the first of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workflow.report.table_rows import number

ABSENT = object()


@dataclass(frozen=True)
class Entry:
    """A value of one state, and how it differs from the first one's; both as text."""

    text: str
    changed: bool
    difference: str = ""


@dataclass(frozen=True)
class Row:
    """A key with its values."""

    name: str
    entries: list[Entry]

    @property
    def changed(self) -> bool:
        """Whether any state differs from the first."""
        return any(entry.changed for entry in self.entries)


def rows_of(states: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Every key that any state has, in the order in which they come."""
    keys = dict.fromkeys(key for state in states for key in state)
    first = states[0]
    return [Row(key, [entry_of(one.get(key, ABSENT), first.get(key, ABSENT)) for one in states]) for key in keys]


def entry_of(value: Any, first: Any) -> Entry:
    """A value beside the first one."""
    if value is ABSENT:
        return Entry("absent", first is not ABSENT)
    if is_number(value) and is_number(first):
        return Entry(number(value), value != first, difference(value - first, first) if value != first else "")
    return Entry(number(value), type(value) is not type(first) or value != first)


def is_number(value: Any) -> bool:
    """Whether a difference of two such values means something."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def difference(change: float, first: float) -> str:
    """A change with its sign, and in percent of what was there."""
    text = f"{change:+,}" if isinstance(change, int) else f"{change:+.4g}"
    share = f" ({100 * change / abs(first):+.1f} %)" if first else ""
    return f"{text}{share}".replace("-", "−")
