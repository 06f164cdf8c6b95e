"""A value of params.yaml that the schema refuses, while everything else is looked at all the same.

What is made of it is unknown, too, and what is asked of it is false, as with NaN. So a rule that rests on it is not
broken, or has it in its line, which is left out (`rests_on_unknown`).
"""

from collections.abc import Iterator
from typing import Any

MARK = "\ufdd0"  # for no text: Unicode has it as a noncharacter


class Unknown:
    """Stands in the place of one value, or of a section."""

    def same(self, *_: Any, **__: Any) -> "Unknown":
        """Itself, whatever is done with it."""
        return self

    def nothing(self, *_: Any) -> set[Any]:
        """What it has in common with a set."""
        return set()

    def text(self, *_: Any) -> str:
        """The mark that a line about it has."""
        return MARK

    __call__ = __getattr__ = __getitem__ = __round__ = same
    __lt__ = __le__ = __gt__ = __ge__ = same
    __eq__ = __ne__ = same  # type: ignore[assignment]
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __floordiv__ = __rfloordiv__ = same
    __mod__ = __rmod__ = __or__ = __ror__ = same
    __and__ = __rand__ = nothing
    __repr__ = __str__ = __format__ = __fspath__ = text

    def __bool__(self) -> bool:
        return False

    def __len__(self) -> int:
        return 0

    def __hash__(self) -> int:
        return 0

    def __iter__(self) -> Iterator["Unknown"]:
        yield self

    def items(self) -> list[tuple["Unknown", "Unknown"]]:
        """One key and one value, both unknown."""
        return [(self, self)]


UNKNOWN: Any = Unknown()


def rests_on_unknown(told: object) -> bool:
    """Whether a line, or what a section holds, has an unknown part."""
    return MARK in str(told)
