"""All experiments in a table: `make experiments`.

Output: for the last commit and each experiment its claims, the parameters that it changed, and the metrics that moved
most, each as it was in the commit that the experiment started from and as it is. Offline; nothing is checked out.
"""

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from workflow.claims.words import CLAIMS
from workflow.engines.commands import git
from workflow.engines.stage import command_parser, run_stage
from workflow.experiments.compare import Row, rows_of
from workflow.experiments.revisions import Revision, open_revision
from workflow.experiments.start import known

HEAD = ("experiment", "holds/fails/undecided", "changed", "metrics that moved most; `make compare` has all")
# What says most about samples, features and classifiers comes first.
FIRST_KEYS = ("sliced_wasserstein", "recall", "error")
METRICS_SHOWN = 4
Cells = tuple[list[str], ...]


def main(arguments: list[str] | None = None) -> None:
    """Prints the table of the checkout in the working directory."""
    command_parser(__doc__).parse_args(arguments)
    root = Path.cwd()
    names = known(root, "--all-commits")
    if not names:
        print('no experiments yet; make one: make experiment NAME=a SET="train.bedrooms.learning_rate=0.0004"')
        return
    print("\n".join(text_of(list(rows(root, names)))))


def rows(root: Path, names: list[str]) -> Iterator[Cells]:
    """The head, the last commit, and every experiment beside the commit that it started from, the oldest first."""
    yield tuple([title] for title in HEAD)
    head = git(root, "rev-parse", "HEAD")
    bases = {head: open_revision(root, "HEAD")}
    yield ["HEAD"], [verdicts(bases[head])], [], []
    found = [open_revision(root, name) for name in names]
    for one in sorted(found, key=lambda one: git(root, "show", "--no-patch", "--format=%ct", one.commit)):
        start = git(root, "rev-parse", f"{one.commit}^")
        if start not in bases:
            bases[start] = open_revision(root, start)
        yield row_of(bases[start], one, "" if start == head else f" (from {start[:8]})")


def row_of(base: Revision, one: Revision, origin: str) -> Cells:
    """An experiment: its name, its claims, what it changed, what moved."""
    changes = [in_words(row) for row in rows_of([base.params(), one.params()]) if row.changed]
    judged = one.read(CLAIMS.as_posix())
    claims = "as before" if judged and judged == base.read(CLAIMS.as_posix()) else verdicts(one)
    return [f"{one.name}{origin}"], [claims], changes, moved(base, one)


def verdicts(revision: Revision) -> str:
    """How many claims hold, fail and are undecided; "–" if none were judged."""
    table = revision.table(CLAIMS.as_posix())
    if table.empty:
        return "–"
    found = list(table.drop_duplicates("id").verdict)
    return "/".join(str(found.count(verdict)) for verdict in ("holds", "fails", "undecided"))


def moved(base: Revision, one: Revision) -> list[str]:
    """The metrics that differ most, as many as a table has room for."""
    before, after = (flat(revision.metrics()) for revision in (base, one))
    changed = [row for row in rows_of([before, after]) if row.changed and row.entries[1].difference]
    return [in_words(row) for row in sorted(changed, key=lambda row: weight(row, before, after))[:METRICS_SHOWN]]


def weight(row: Row, before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[int, float]:
    """A sort key: the first keys before others, then by the relative change, the largest first."""
    key, change = row.name.rpartition(".")[2], abs(after[row.name] - before[row.name])
    order = FIRST_KEYS.index(key) if key in FIRST_KEYS else len(FIRST_KEYS)
    return order, -change / max(abs(before[row.name]), abs(after[row.name]))


def flat(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Every metric as <file>.<key>; verdicts of claims have a column of their own."""
    return {
        f"{file}.{key}": value for file, found in metrics.items() if file != "claims" for key, value in found.items()
    }


def in_words(row: Row) -> str:
    """A key with its value before and after."""
    return f"{row.name} {row.entries[0].text} → {row.entries[1].text}"


def text_of(table: list[Cells]) -> Iterator[str]:
    """Lines of a table whose cells have lines of their own."""
    widths = [max((len(line) for cell in column for line in cell), default=0) for column in zip(*table, strict=True)]
    for cells in table:
        for parts in zip_longest(*(cell or [""] for cell in cells), fillvalue=""):
            yield "  ".join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()


if __name__ == "__main__":
    run_stage(main)
