"""What the run was that made the results of a checkout: revisions, machines, packages, and how long each stage took.

Input: `results/provenance/<stage>.json`, which every stage leaves when it ends (workflow/engines/provenance.py). A file
whose command or parameters are no longer those of the stage tells of another run and is left out, and so is one that is
damaged: the page then says for how many stages nothing is known. Output: an `Account` for the report.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcgan.core.files import InputError, read_json
from workflow.engines.dag import Stage

PROVENANCE = Path("results/provenance")
SHORT_REVISION = 12
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Account:
    """One run, or the several that made a checkout's results: what each stage has left, by its name."""

    records: dict[str, Record]

    @property
    def origins(self) -> list[tuple[str, str, int]]:
        """Every revision and machine, and for how many stages it is true, the most frequent first."""
        counts = {what: Counter(one[what] for one in self.records.values()) for what in ("git revision", "machine")}
        return [(what, found, n) for what, counter in counts.items() for found, n in counter.most_common()]

    @property
    def packages(self) -> dict[str, str]:
        """Every package with its version, or its versions if stages ran with different ones."""
        pairs = dict.fromkeys(pair for record in self.records.values() for pair in record["packages"].items())
        return {name: ", ".join(version for other, version in pairs if other == name) for name, _ in pairs}

    @property
    def total(self) -> str:
        """The sum of the times: what one job at a time takes."""
        return in_words(sum(record["seconds"] for record in self.records.values()))

    def time(self, stage: str) -> str:
        """How long a stage took, as text."""
        return in_words(self.records[stage]["seconds"]) if stage in self.records else "not known"

    def share(self, stage: str) -> float:
        """A stage's time as percent of the longest one."""
        longest = max((record["seconds"] for record in self.records.values()), default=0.0)
        return round(100 * self.records[stage]["seconds"] / longest, 1) if longest and stage in self.records else 0.0


def account_of(root: Path, stages: Iterable[Stage]) -> Account:
    """What is known of the run of these stages."""
    found = {stage.name: record_of(root, stage) for stage in stages}
    return Account({name: record for name, record in found.items() if record is not None})


def record_of(root: Path, stage: Stage) -> Record | None:
    """What a stage has left about its last run; None if that was another command or had other parameters."""
    try:
        record = read_json(root / PROVENANCE / f"{stage.name}.json")
        seconds = float(record["seconds"])
        if (record["command"], record["parameters"]) != (stage.command, stage.parameters) or seconds < 0:
            return None
        found, changed = record.get("git_revision"), " with changes" if record.get("git_dirty") else ""
        revision = f"{found[:SHORT_REVISION]}{changed}" if found else "no git repository"
        more = {"seconds": seconds, "git revision": revision, "machine": in_a_line(record.get("machine") or {})}
        return {"packages": {}, "inputs": {}, "outputs": {}, "started": ""} | record | more
    except (InputError, AttributeError, KeyError, TypeError, ValueError):
        return None


def in_a_line(machine: Mapping[str, Any]) -> str:
    """What is known of the machine of a stage's run."""
    cores = f"{machine['cores']} cores" if machine.get("cores") else None
    parts = (machine.get("processor"), cores, machine.get("accelerator") or "no accelerator", machine.get("system"))
    return ", ".join(str(part) for part in parts if part)


def in_words(seconds: float) -> str:
    """A duration as a person says it."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
