"""Verdicts on claims: from the whole interval of a difference, never from a point.

A claim rests on one or more comparisons. A comparison `holds` if its whole interval is on the right side of the margin,
`fails` if the whole interval is on the wrong side, and is `undecided` otherwise.
"""

from collections.abc import Sequence
from typing import Literal

Verdict = Literal["holds", "fails", "undecided", "not run"]
VERDICTS: tuple[Verdict, ...] = ("holds", "fails", "undecided", "not run")


def verdict_of(low: float, high: float, *, higher_is_better: bool, margin: float = 0.0) -> Verdict:
    """Verdict on a difference with the interval low to high: is ours better, or worse by less than the margin?"""
    worst, best = (low, high) if higher_is_better else (-high, -low)
    if worst > -margin:
        return "holds"
    return "fails" if best < -margin else "undecided"


def verdict_of_all(verdicts: Sequence[Verdict]) -> Verdict:
    """A claim that needs each of its comparisons; `not run` if one is missing, unless another fails."""
    return next((one for one in ("fails", "not run", "undecided") if one in verdicts), "holds")


def verdict_of_any(verdicts: Sequence[Verdict]) -> Verdict:
    """A claim for which one comparison is enough, if none fails: then it is `undecided`.

    The level of each has to allow for the number of them.
    """
    if "holds" in verdicts:
        return "undecided" if "fails" in verdicts else "holds"
    return next((one for one in ("not run", "undecided") if one in verdicts), "fails")
