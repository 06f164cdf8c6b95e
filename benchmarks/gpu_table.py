"""Rows of `benchmarks/gpu.py`: as the table of docs/performance.md, as CSV, and as rates for `make plan`."""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dcgan.core.files import replace_when_done

COLUMNS = ("what", "measured", "unit", "beside", "ratio", "note")
KINDS = ("training", "large", "matrix")  # of work, as workflow/workload.py counts it


@dataclass(frozen=True)
class Row:
    """One measurement. `gflops`: the kind of work in `KINDS` that it is, and how much of it a second."""

    what: str
    measured: float | None
    unit: str
    beside: str = ""
    ratio: float | None = None
    note: str = ""
    gflops: tuple[str, float] | None = None

    @property
    def texts(self) -> tuple[str, str, str]:
        """What was measured, with its note; beside what; the ratio."""
        value = "–" if self.measured is None else f"{number(self.measured)} {self.unit}"
        ratio = "–" if self.ratio is None else f"{self.ratio:.2f}"
        return f"{value}; {self.note}" if self.note else value, self.beside or "–", ratio


def number(value: float) -> str:
    """Three digits, and no fewer than it has before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def markdown(rows: Iterable[Row], machine: str) -> str:
    """Rows as docs/performance.md has them."""
    head = ["| what | measured | peer or target | ratio | machine |", "|---|---|---|---|---|"]
    return "\n".join([*head, *(f"| {row.what} | {' | '.join(row.texts)} | {machine} |" for row in rows)]) + "\n"


def write_csv(path: Path, rows: Iterable[Row], machine: str) -> None:
    """One line per row, unrounded."""
    with replace_when_done(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, "machine"])
        writer.writerows([*(getattr(row, name) for name in COLUMNS), machine] for row in rows)


def short_name(device_name: str) -> str:
    """What `make plan GPU=` calls a device: `h200` of "NVIDIA H200", `a100` of "NVIDIA A100-SXM4-80GB"."""
    model = re.search(r"[A-Za-z]*\d+\w*", device_name)
    return (model[0] if model else device_name.split()[-1]).lower()


def plan_rates(rows: Iterable[Row], device_name: str, machine: str) -> str | None:
    """The file that `make plan` reads; None if a kind of work was not measured. Of several rates the lowest counts."""
    found: dict[str, list[float]] = {}
    for kind, rate in (row.gflops for row in rows if row.gflops):
        found.setdefault(kind, []).append(rate)
    if found.keys() != set(KINDS):
        return None
    rates = "".join(f"    {kind}: {min(found[kind]):.0f}\n" for kind in KINDS)
    return (
        f"# `make benchmark-gpu` wrote this; `make plan GPU={short_name(device_name)}` reads it.\n"
        f"gpus:  # operations a second in GFLOP, as workflow/planning/rates.yaml has them\n"
        f'  {short_name(device_name)}:\n{rates}    machine: "{machine}"\n'
    )
