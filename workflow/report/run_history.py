"""What the run was that made the results of a checkout: revisions, machines, packages, and how long each stage took.

Input: the sidecars of the runs that made the results (see belonging.py). Of a stage without one the page says that its
time is not known. Output: an `Account` for the report.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workflow.engines.dag import Stage
from workflow.report.belonging import Reason, Record, belonging

SHORT_REVISION = 12


@dataclass(frozen=True)
class Account:
    """One run, or the several that made a checkout's results: what each stage has left, by its name.

    others: why the results of further stages are not of these parameters.
    """

    records: dict[str, Record]
    others: dict[str, Reason]

    def belongs(self, stage: str) -> bool:
        """Whether a stage's results are of these parameters."""
        return stage not in self.others

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


def account_of(root: Path, stages: Mapping[str, Stage]) -> Account:
    """What is known of the run of these stages."""
    records, others = belonging(root, stages)
    # Of results that DVC took from its cache nothing is known but whose they are.
    return Account({name: in_words_of(one) for name, one in records.items() if "seconds" in one}, others)


def in_words_of(record: Record) -> Record:
    """A sidecar with its revision and machine as text."""
    found, changed = record.get("git_revision"), " with changes" if record.get("git_dirty") else ""
    revision = f"{found[:SHORT_REVISION]}{changed}" if found else "no git repository"
    machine = record.get("machine") or {}
    cores = f"{machine['cores']} cores" if machine else ""
    parts = (machine.get("processor"), cores, machine.get("accelerator") or "no accelerator", machine.get("system"))
    told = ", ".join(part for part in parts if part)
    return {"packages": {}, "started": ""} | dict(record) | {"git revision": revision, "machine": told}


def in_words(seconds: float) -> str:
    """A duration as a person says it."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min {rest:02} s"
