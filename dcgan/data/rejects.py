"""Items that cannot be used: each is counted and named, and only too many of them stop a run.

`Rejects` keeps (key, reason) for a CSV and raises InputError as soon as their share of all items is certain to exceed
the limit. A single shard does not know that share, so `Rejects.joined` checks all shards together; whether a run goes
on does not depend on their number.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from dcgan.core.files import InputError, read_csv, write_csv


class Rejects:
    """Counts items and keeps the rejected ones.

    max_share: allowed share, 0 to 1; total: number of items, at most; parameter: what the message calls `max_share`.
    """

    def __init__(self, max_share: float, total: int, parameter: str) -> None:
        self.max_share, self.total, self.parameter = max_share, total, parameter
        self.seen = 0
        self.rows: list[tuple[str, str]] = []

    @classmethod
    def joined(cls, tables: Iterable[Path], max_share: float, parameter: str) -> "Rejects":
        """The rejects in the CSVs of several shards; the caller then accepts the items that the shards could use."""
        rows = pd.concat([read_csv(table, {"key": str, "reason": str}) for table in tables])
        rejects = cls(max_share, len(rows), parameter)
        rejects.rows = list(rows[["key", "reason"]].itertuples(index=False, name=None))
        rejects.seen = len(rows)
        return rejects

    def accept(self, n: int = 1) -> None:
        """Counts items that are used."""
        self.seen += n

    def reject(self, key: str, reason: str) -> None:
        """Counts and names an item that is not used; raises InputError once the limit is certain to be exceeded."""
        self.seen += 1
        self.rows.append((key, reason))
        if len(self.rows) > self.max_share * max(self.total, self.seen):
            raise InputError(self.describe(max(self.total, self.seen)))

    def by_reason(self) -> dict[str, int]:
        """How many were rejected for each kind of reason: what a reason says before a colon, a bracket or a comma."""
        kinds = Counter(re.split("[:(,]", reason)[0].strip() for _, reason in self.rows)
        return {f"rejected_as_{kind.replace(' ', '_')}": count for kind, count in sorted(kinds.items())}

    def check(self) -> None:
        """Raises InputError if the share among the items seen exceeds the limit; called once all are seen."""
        if len(self.rows) > self.max_share * self.seen:
            raise InputError(self.describe(self.seen))

    def describe(self, total: int) -> str:
        """One line: number, share, limit, and the first reject with its reason."""
        key, reason = self.rows[0]
        share = len(self.rows) / total
        return (
            f"{len(self.rows):,} of {total:,} items ({share:.2%}) cannot be used, {self.parameter} allows "
            f"{self.max_share:.2%}; the first: {key} ({reason})"
        )

    @contextmanager
    def recorded(self, path: Path) -> Iterator["Rejects"]:
        """Writes a CSV (key, reason) at the end of the block, even if an error ends it."""
        try:
            yield self
        finally:
            write_csv(path, pd.DataFrame(self.rows, columns=["key", "reason"]))
