"""What the run was that made the results of a checkout: revisions, machines, packages, and how long each stage took.

Input: `results/provenance/<stage>.json`, which every stage leaves when it ends (workflow/engines/provenance.py). A file
whose command or parameters are no longer those of the stage tells of another run and is left out, and so is one that is
damaged: the page then says for how many stages nothing is known. Output: an `Account` for the report.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcgan.core.files import InputError, read_json
from workflow.engines.dag import Stage
from workflow.report.page import as_yaml

PROVENANCE = Path("results/provenance")
SHORT_REVISION = 12
Record = Mapping[str, Any]
Tally = list[tuple[str, int]]  # what was found, and for how many stages, the most frequent first


@dataclass(frozen=True)
class Origin:
    """Where the results of one stage come from: one fact a line, parameters as YAML, files with their digests."""

    facts: list[tuple[str, str]]
    parameters: str
    inputs: list[tuple[str, str]]
    outputs: list[tuple[str, str]]


@dataclass(frozen=True)
class Account:
    """One run, or the several that made a checkout's results, with how many stages each thing is true of."""

    revisions: Tally
    machines: Tally
    packages: list[tuple[str, str]]
    origins: dict[str, Origin]
    seconds: dict[str, float]

    @property
    def total(self) -> str:
        """The sum of the times: what one job at a time takes."""
        return in_words(sum(self.seconds.values()))

    def time(self, stage: str) -> str:
        """How long a stage took, as text."""
        return in_words(self.seconds[stage]) if stage in self.seconds else "not known"

    def share(self, stage: str) -> float:
        """A stage's time as percent of the longest one."""
        longest = max(self.seconds.values(), default=0.0)
        return round(100 * self.seconds.get(stage, 0.0) / longest, 1) if longest else 0.0


def account_of(root: Path, stages: Iterable[Stage]) -> Account:
    """What is known of the run of these stages."""
    found = {stage.name: record_of(root, stage) for stage in stages}
    records = {name: record for name, record in found.items() if record is not None}
    return Account(
        tally(records.values(), revision),
        tally(records.values(), machine),
        packages(records.values()),
        {name: origin_of(record) for name, record in records.items()},
        {name: float(record["seconds"]) for name, record in records.items()},
    )


def record_of(root: Path, stage: Stage) -> Record | None:
    """What a stage has left about its last run; None where that was another command or had other parameters."""
    try:
        record = read_json(root / PROVENANCE / f"{stage.name}.json")
        own = record["command"] == stage.command and record["parameters"] == stage.parameters
        return record if own and float(record["seconds"]) >= 0 else None
    except (InputError, KeyError, TypeError, ValueError):
        return None


def tally(records: Iterable[Record], name: Callable[[Record], str]) -> Tally:
    """How many records have each name."""
    return Counter(name(record) for record in records).most_common()


def revision(record: Record) -> str:
    """The git revision of a stage's run."""
    found = record.get("git_revision")
    if not found:
        return "no git repository"
    return f"{found[:SHORT_REVISION]} with changes" if record.get("git_dirty") else str(found[:SHORT_REVISION])


def machine(record: Record) -> str:
    """The machine of a stage's run in a line."""
    facts = record.get("machine") or {}
    cores = f"{facts['cores']} cores" if facts.get("cores") else None
    accelerator = facts.get("accelerator") or "no accelerator"
    return ", ".join(str(fact) for fact in (facts.get("processor"), cores, accelerator, facts.get("system")) if fact)


def packages(records: Iterable[Record]) -> list[tuple[str, str]]:
    """Every package with its version; with all of them where stages ran with different ones."""
    versions: dict[str, dict[str, None]] = {}
    for record in records:
        for package, version in (record.get("packages") or {}).items():
            versions.setdefault(package, {})[str(version)] = None
    return [(package, ", ".join(found)) for package, found in versions.items()]


def origin_of(record: Record) -> Origin:
    """Where the results of the stage come from that left a record."""
    versions = ", ".join(f"{name} {version}" for name, version in (record.get("packages") or {}).items())
    facts = {
        "command": record["command"],
        "started": record.get("started"),
        "git revision": revision(record),
        "machine": machine(record),
        "packages": versions,
    }
    inputs, outputs = ({str(k): str(v) for k, v in (record.get(key) or {}).items()} for key in ("inputs", "outputs"))
    return Origin(
        [(name, str(fact)) for name, fact in facts.items() if fact],
        as_yaml(record["parameters"]) if record["parameters"] else "",
        list(inputs.items()),
        list(outputs.items()),
    )


def in_words(seconds: float) -> str:
    """A duration as a person says it."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
