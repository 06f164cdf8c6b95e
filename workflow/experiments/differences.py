"""What differs between several mappings of values: parameters, metrics.

Input: one mapping a state of the project, flat, the first the one that the others are compared with. Output: rows of
text, a value and its difference to the first a state.
"""

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


@dataclass(frozen=True)
class Group:
    """The rows of one metrics file."""

    title: str
    rows: list[Row]

    @property
    def changed(self) -> bool:
        """Whether any of its rows differs."""
        return any(row.changed for row in self.rows)


def rows_of(states: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Every key that any state has, in the order in which they come."""
    keys = dict.fromkeys(key for state in states for key in state)
    return [row_of(key, [state.get(key, ABSENT) for state in states]) for key in keys]


def groups_of(states: Sequence[Mapping[str, Mapping[str, Any]]]) -> list[Group]:
    """The same for files of values; files in which something differs come first."""
    files = sorted({file for state in states for file in state})
    groups = [Group(file.replace("_", " "), rows_of([state.get(file, {}) for state in states])) for file in files]
    return sorted(groups, key=lambda group: not group.changed)


def row_of(key: str, values: Sequence[Any]) -> Row:
    """One key's values beside the first of them."""
    return Row(key, [entry_of(value, values[0]) for value in values])


def entry_of(value: Any, first: Any) -> Entry:
    """A value beside the first one."""
    if value is ABSENT:
        return Entry("absent", first is not ABSENT)
    changed = type(value) is not type(first) or value != first
    if is_number(value) and is_number(first):
        return Entry(number(value), value != first, difference(value - first, first) if value != first else "")
    return Entry(number(value), changed)


def is_number(value: Any) -> bool:
    """Whether a difference of two such values means something."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def difference(change: float, first: float) -> str:
    """A change with its sign, and in percent of what was there."""
    text = f"{change:+,}" if isinstance(change, int) else f"{change:+.4g}"
    share = f" ({100 * change / abs(first):+.1f} %)" if first else ""
    return f"{text}{share}".replace("-", "−")
