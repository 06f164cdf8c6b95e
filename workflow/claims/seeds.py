"""Claims over several seeds: the interval of the mean difference, and the verdict in each.

Input: rows of results/claims.csv of some runs with the columns `seed` and `parameters`, a digest of the others. A seed
is a draw of everything: world, networks, labels. So the interval over seeds, Student's t, says what a further seed
would give.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from dcgan.core.intervals import LEVEL, student_interval
from dcgan.core.verdicts import Verdict, verdict_of, verdict_of_all, verdict_of_any

REPLICATES = Path("results/replicates.csv")
SAME = ("id", "paper", "claim", "any_of", "comparison", "published", "better", "margin", "unit")
MEASURED = ("ours", "other", "difference", "low", "high")


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """The same table with one row per comparison: means, ranges and intervals over seeds, and the verdicts of these.

    The ranges are the columns `ours_least`, `ours_most`, `other_least` and `other_most`.
    """
    tests = table.groupby("id").comparison.nunique()
    groups = table.groupby(["id", "comparison"], sort=False)
    seeds = table.seed.nunique()
    rows = pd.DataFrame([row_over_seeds(rows, tests[claim], seeds) for (claim, _), rows in groups])
    for name, claim in rows.groupby("id", sort=False):
        together = verdict_of_any if claim.any_of.iloc[0] else verdict_of_all
        rows.loc[rows.id == name, "verdict"] = together(list(claim.comparison_verdict))
    return rows


def row_over_seeds(rows: pd.DataFrame, tests: int, seeds: int) -> dict[str, object]:
    """One comparison of a claim that has so many; `not run` if one of so many seeds lacks it."""
    first = rows.iloc[0]
    row: dict[str, object] = {key: first[key] for key in SAME} | dict.fromkeys(MEASURED, float("nan"))
    verdict: Verdict = "not run"
    if 1 < len(rows) == seeds and rows.difference.notna().all():
        level = 1 - (1 - LEVEL) / tests if first.any_of else LEVEL
        low, high = student_interval(rows.difference.to_numpy(), level)
        row |= {"ours": rows.ours.mean(), "other": rows.other.mean(), "difference": rows.difference.mean()}
        row |= {"low": low, "high": high}
        for side in ("ours", "other"):
            row |= {f"{side}_least": rows[side].min(), f"{side}_most": rows[side].max()}
        higher, margin = first.better == "higher", float(first.margin)
        verdict = verdict_of(low, high, higher_is_better=higher, margin=margin)
    return row | {"comparison_verdict": verdict}


def by_seed(table: pd.DataFrame) -> dict[str, dict[int, str]]:
    """The verdict of each claim in each seed's run."""
    claims = table.drop_duplicates(["id", "seed"])
    return {str(name): dict(zip(rows.seed, rows.verdict, strict=True)) for name, rows in claims.groupby("id")}


def digest_without_run(params: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits that stand for the content of a params.yaml but for `run`: seed and machine."""
    what = {key: value for key, value in params.items() if key != "run"}
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:12]
