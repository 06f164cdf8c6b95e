"""Judges the paper's claims: an interval for each comparison of the registry, a verdict for each claim.

Input: workflow/claims/registry.yaml and files of outcomes. Output: a row per comparison. Two arrays of one file are of
the same draws and units; arrays of two files with equally many units are of the same test images.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from dcgan.core.files import InputError
from dcgan.core.intervals import LEVEL, difference
from dcgan.core.outcomes import Outcomes
from dcgan.core.seeding import numpy_generator
from dcgan.core.verdicts import Verdict, verdict_of, verdict_of_all, verdict_of_any
from workflow.params.load import read_yaml

REGISTRY = Path(__file__).with_name("registry.yaml")
Files = Mapping[str, Mapping[str, Outcomes]]
Row = dict[str, Any]
NUMBERS = ("ours", "other", "difference", "low", "high", "draws", "units")


class Entry(BaseModel):
    """What the registry's entries share: no other keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Comparison(Entry):
    """Ours, FILE.ARRAY, beside another or a number."""

    what: str
    ours: str
    other: str | float
    better: Literal["higher", "lower"]
    margin: float = 0.0
    unit: Literal["share", "number"] = "share"
    paired: bool = True  # equally many units of two arrays are the same units
    published: str = ""


class Claim(Entry):
    """A claim of the paper and the comparisons that decide it."""

    id: str
    paper: str
    claim: str
    any_of: bool = False
    comparisons: tuple[Comparison, ...]


def read_registry(path: Path = REGISTRY) -> list[Claim]:
    """All claims, in the paper's order; raises pydantic's ValidationError if the file has another form."""
    return [Claim(id=name, **content) for name, content in read_yaml(path).items()]


def judge_all(claims: Sequence[Claim], files: Files, seed: int) -> list[Row]:
    """A row per comparison of each claim."""
    return [row for claim in claims for row in judge(claim, files, seed)]


def judge(claim: Claim, files: Files, seed: int) -> list[Row]:
    """The rows of a claim, each with the claim's verdict beside its own."""
    # A comparison that is not measured counts, too: the registry has planned it.
    tests = sum(max(len(found_in(files, one)), 1) for one in claim.comparisons)
    level = 1 - (1 - LEVEL) / tests if claim.any_of else LEVEL
    rows = [row for one in claim.comparisons for row in compare(one, files, seed, level)]
    verdict = (verdict_of_any if claim.any_of else verdict_of_all)([row["comparison_verdict"] for row in rows])
    head: Row = {"id": claim.id, "verdict": verdict, "paper": claim.paper, "claim": claim.claim}
    head |= {"any_of": claim.any_of}
    return [head | row for row in rows]


def compare(comparison: Comparison, files: Files, seed: int, level: float) -> Iterator[Row]:
    """A row for each file that a comparison is about; one without numbers if there is none."""
    found = found_in(files, comparison)
    measured = [row for name in found if (row := row_of(comparison, name, files, seed, level))]
    # A table in which nothing was measured has the same columns.
    yield from measured or [texts(comparison, comparison.what, "not run") | dict.fromkeys(NUMBERS, math.nan)]


def found_in(files: Files, comparison: Comparison) -> list[str]:
    """The files that a comparison is about, in order."""
    pattern, array = split(comparison.ours)
    return [name for name in sorted(files) if fnmatchcase(name, pattern) and array in files[name]]


def row_of(comparison: Comparison, name: str, files: Files, seed: int, level: float) -> Row | None:
    """The row of one file; None if what it is compared with was not measured."""
    pattern, array = split(comparison.ours)
    what = f"{comparison.what} ({name.partition('_')[2].replace('_', ' ')})" if "*" in pattern else comparison.what
    ours, other, same_file = files[name][array], *opponent(comparison, name, files)
    if other is None:
        return None
    size = ours.shape if isinstance(other, float) else other.shape
    same_units = comparison.paired and ours.shape[1] == size[1]
    same_draws = isinstance(other, float) or (same_file and len(ours) == size[0])
    random = numpy_generator(seed, "claims", what)
    try:
        found = difference(ours, other, random, same_units=same_units, same_draws=same_draws, level=level)
    except ValueError as error:
        raise InputError(f"{comparison.ours} and {comparison.other} cannot be compared: {error}") from error
    verdict = verdict_of(
        found.low, found.high, higher_is_better=comparison.better == "higher", margin=comparison.margin
    )
    numbers = (found.ours, found.other, found.value, found.low, found.high, *ours.shape)
    return texts(comparison, what, verdict) | dict(zip(NUMBERS, numbers, strict=True))


def opponent(comparison: Comparison, name: str, files: Files) -> tuple[Outcomes | float | None, bool]:
    """What ours is compared with, None if it was not measured, and whether both are of one file."""
    if isinstance(comparison.other, float):
        return comparison.other, False
    pattern, array = split(comparison.other)
    other = name if pattern == split(comparison.ours)[0] else pattern
    return files.get(other, {}).get(array), other == name


def texts(comparison: Comparison, what: str, verdict: Verdict) -> Row:
    """What a row says besides numbers."""
    row = {"comparison": what, "comparison_verdict": verdict, "published": comparison.published}
    return row | {"better": comparison.better, "margin": comparison.margin, "unit": comparison.unit}


def split(name: str) -> tuple[str, str]:
    """FILE.ARRAY."""
    file, _, array = name.rpartition(".")
    return file, array
