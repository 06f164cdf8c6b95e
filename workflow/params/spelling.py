"""The nearest right spelling of a word, for the messages about parameters."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(value: object, allowed: Iterable[str], likeness: float = 0.6) -> str | None:
    """What is allowed and looks most like a value; None if nothing is near. likeness: 1 for equal words, at least."""
    return next(iter(get_close_matches(str(value), list(allowed), n=1, cutoff=likeness)), None)


def did_you_mean(value: object, allowed: Iterable[str]) -> str:
    """`did you mean bedrooms?`, or an empty text if nothing that is allowed is near."""
    near = nearest(value, allowed)
    return f"did you mean {near}?" if near else ""


def one_of(value: object, allowed: Iterable[str], before: str = "one of ") -> str:
    """What is allowed in place of a value, the nearest at the end."""
    allowed = list(map(str, allowed))
    return "; ".join(filter(None, (f"{before}{', '.join(allowed) or 'nothing'}", did_you_mean(value, allowed))))
