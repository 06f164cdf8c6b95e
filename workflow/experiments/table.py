"""All experiments: `make experiments`.

Output: for the last commit and each experiment its claims, the parameters that it changed, and the metrics that moved
most, each as it was in the commit that the experiment started from and as it is. Offline; nothing is checked out.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow.claims.words import count, lines
from workflow.engines.commands import git
from workflow.engines.stage import command_parser, run_stage
from workflow.experiments.compare import Row, rows_of
from workflow.experiments.revisions import Revision, judged, open_revision
from workflow.experiments.start import known

# What says most about samples, features and classifiers comes first.
FIRST_KEYS = ("sliced_wasserstein", "recall", "error")
METRICS_SHOWN = 4


def main(arguments: list[str] | None = None) -> None:
    """Prints the experiments of the checkout in the working directory, the oldest first."""
    command_parser(__doc__).parse_args(arguments)
    root = Path.cwd()
    found = [open_revision(root, name) for name in known(root, "--all-commits")]
    if not found:
        print('no experiments yet; make one: make experiment NAME=a SET="train.bedrooms.learning_rate=0.0004"')
        return
    head = open_revision(root, "HEAD")
    print(f"HEAD: {verdicts(head)}")
    for one in sorted(found, key=lambda one: git(root, "show", "--no-patch", "--format=%ct", one.commit)):
        start = git(root, "rev-parse", f"{one.commit}^")
        base = head if start == head.commit else open_revision(root, start)
        print(f"{one.name}{'' if base is head else f' (from {start[:8]})'}: {verdicts(one, base)}")
        for row in rows_of([base.params(), one.params()]):
            if row.changed:
                print(f"  changed  {in_words(row)}")
        for row in moved(base, one):
            print(f"  moved    {in_words(row)}")


def verdicts(revision: Revision, base: Revision | None = None) -> str:
    """How many claims hold, fail and are undecided in a state; base: the commit that an experiment started from."""
    table = judged(revision, base)
    return "no claims were judged" if table.empty else count(lines(table))


def moved(base: Revision, one: Revision) -> list[Row]:
    """The metrics that differ most."""
    before, after = (flat(revision.metrics()) for revision in (base, one))
    changed = [row for row in rows_of([before, after]) if row.changed and row.entries[1].difference]
    return sorted(changed, key=lambda row: weight(row, before, after))[:METRICS_SHOWN]


def weight(row: Row, before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[int, float]:
    """A sort key: the first keys before others, then by the relative change, the largest first."""
    key, change = row.name.rpartition(".")[2], abs(after[row.name] - before[row.name])
    order = FIRST_KEYS.index(key) if key in FIRST_KEYS else len(FIRST_KEYS)
    return order, -change / max(abs(before[row.name]), abs(after[row.name]))


def flat(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Every metric as <file>.<key>; verdicts of claims have a line of their own."""
    return {
        f"{file}.{key}": value for file, found in metrics.items() if file != "claims" for key, value in found.items()
    }


def in_words(row: Row) -> str:
    """A key with its value before and after."""
    return f"{row.name} {row.entries[0].text} → {row.entries[1].text}"


if __name__ == "__main__":
    run_stage(main)
