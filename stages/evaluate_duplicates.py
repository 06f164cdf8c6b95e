"""How many of the planted duplicates de-duplication found; section 4.1.1.

In:  duplicates.csv (key, kept, distance); truth.csv (key, duplicate_of, kind): a row per planted duplicate.
Out: a JSON: found share of all planted duplicates and of each kind (recall), how many removed images are no duplicate
     of the one kept for them, precision. Outcomes: `precision`, 1 for a removed image that is a duplicate of the one
     kept for it, else 0 (1, removed), left out if none was removed; `recall_<kind>`, 1 for a planted duplicate of the
     kind that was found, else 0 (1, planted).
Published: fewer than 1 in 100 false positives, estimated by eye: precision above 0.99.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from dcgan.core.files import read_csv, write_json
from dcgan.core.outcomes import write_outcomes
from workflow.engines.stage import run_stage, stage_parser

PUBLISHED_PRECISION = 0.99


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--duplicates", type=Path, required=True, help="CSV of what was found")
    parser.add_argument("--truth", type=Path, required=True, help="CSV of what was planted")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON of recall and precision")
    parser.add_argument("--outcomes", type=Path, required=True, help="HDF5 of what was found and what rightly removed")
    options = parser.parse_args(arguments)
    found = read_csv(options.duplicates, {"key": str, "kept": str})
    planted = read_csv(options.truth, {"key": str, "duplicate_of": str, "kind": str})
    is_found, is_right = compare(found, planted[planted["duplicate_of"] != ""])
    write_json(options.metrics, summary(is_found, is_right))
    arrays = {f"recall_{kind}": values for kind, values in is_found.groupby(level=0)}
    write_outcomes(options.outcomes, arrays | ({"precision": is_right} if len(is_right) else {}))


def compare(found: pd.DataFrame, planted: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Whether each planted duplicate was found, by kind, and whether each removed image was rightly removed.

    A planted duplicate is found when it and its original are represented by the same kept image. A removed image is
    wrongly removed when the image kept for it comes from another original.
    """
    representative = dict(zip(found["key"], found["kept"], strict=True))
    original = dict(zip(planted["key"], planted["duplicate_of"], strict=True))
    is_found = [representative.get(key, key) == representative.get(of, of) for key, of in original.items()]
    is_right = [original.get(key, key) == original.get(kept, kept) for key, kept in representative.items()]
    return pd.Series(is_found, planted["kind"].to_numpy(), dtype=bool), pd.Series(is_right, dtype=bool)


def summary(is_found: pd.Series, is_right: pd.Series) -> dict[str, Any]:
    """Recall, over all and by kind, and precision."""
    wrong = int((~is_right).sum())
    return {
        "n_planted": len(is_found),
        "n_removed": len(is_right),
        "recall": float(is_found.mean()) if len(is_found) else None,
        **{f"recall_{kind}": float(share) for kind, share in is_found.groupby(level=0).mean().items()},
        "wrongly_removed": wrong,
        "precision": 1 - wrong / len(is_right) if len(is_right) else None,
        "published_precision": PUBLISHED_PRECISION,
    }


if __name__ == "__main__":
    run_stage(main)
