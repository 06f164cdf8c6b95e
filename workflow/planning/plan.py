"""What a run of the DAG will take, before it is started: `make plan PRESET=paper GPU=a100 GPUS=4 CORES=64`.

A line for each kind of stage: jobs, images, hours of its longest job, core-hours and GPU-hours of all its jobs (cores
and GPUs count for as long as they are reserved), what it leaves on the disk, the memory of its largest process (without
mapped files: the system takes their pages back), and how much that is of the time and memory that the job asks its
scheduler for (`meta`). A job that asks for more cores than there are gets all. Below: the sums, the least hours on so
many cores and GPUs, the longest chain of jobs (no cluster is faster than that), and the rates. Work comes from
params.yaml and the stages' descriptions, rates from `workflow/planning/rates.yaml`. Raw sources are counted if they are
here; else their sizes are those of the whole sets in that file. What was assumed is printed. A stage that asks for a
GPU uses one with `--gpu NAME`; with `--gpu none` everything runs on its threads. What `make benchmark-gpu` measured
takes the place of data sheets.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from dcgan.core.files import InputError
from workflow.description import describe, item_of, kind_of
from workflow.engines import dag
from workflow.engines.stage import command_parser, run_stage
from workflow.params.load import check_params, load_params, read_yaml
from workflow.params.sections import Params
from workflow.presets.merge import preset
from workflow.workload import GIGA, Scale, Work, work_of

RATES = Path(__file__).with_name("rates.yaml")
MEASURED = Path("results/gpu_rates.yaml")  # of `make benchmark-gpu`
KINDS = ("training", "large", "matrix")  # of operations
HOUR, MEGA = 3600.0, 1e6


@dataclass(frozen=True)
class Job:
    """One job of the DAG: its work and the seconds that it is expected to take."""

    stage: dag.Stage
    work: Work
    seconds: float
    cores: int
    gpus: int
    process_mb: float = 0.0  # memory of one process


# Of the table: what it tells of a job, of several jobs, and as text. Cores and GPUs count for as long as reserved.
COLUMNS: dict[str, tuple[Callable[[Job], float], str, str]] = {
    "jobs": (lambda job: 1, "sum", "{:d}"),
    "images": (lambda job: job.work.images, "sum", "{:,.0f}"),
    "hours/job": (lambda job: job.seconds / HOUR, "max", "{:.3f}"),
    "core-h": (lambda job: job.cores * job.seconds / HOUR, "sum", "{:.2f}"),
    "GPU-h": (lambda job: job.gpus * job.seconds / HOUR, "sum", "{:.2f}"),
    "GB": (lambda job: job.work.written_bytes / GIGA, "sum", "{:.2f}"),
    "MB": (lambda job: job.process_mb, "max", "{:,.0f}"),
    "of time": (lambda job: job.seconds / 60 / job.stage.runtime_minutes, "max", "{:.0%}"),
    "of memory": (lambda job: job.process_mb * job.stage.processes / job.stage.mem_mb, "max", "{:.0%}"),
}


def main(arguments: list[str] | None = None) -> None:
    """Prints the plan of a preset or of the checkout's own parameters."""
    parser = command_parser(__doc__)
    parser.add_argument("--preset", help="a preset of workflow/presets/ in place of params.yaml")
    parser.add_argument("--gpu", default="none", help=f"a GPU of {RATES.name}, or none (default: %(default)s)")
    parser.add_argument("--gpus", type=int, default=1, help="how many of them there are (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1, help="of all nodes (default: %(default)s)")
    options = parser.parse_args(arguments)
    if min(options.gpus, options.cores) < 1:
        raise InputError("--gpus and --cores: 1 or more")
    rates = with_measured(read_yaml(RATES), MEASURED)
    values = preset(options.preset) if options.preset else read_yaml(Path("params.yaml"))
    assumed: list[str] = []
    jobs = plan(Path(), values, rates, options.gpu, options.cores, assumed)
    print(table(jobs), *totals(jobs, options.cores, options.gpus), *basis(rates, options.gpu), *assumed, sep="\n")


def with_measured(rates: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """The rates with the GPUs of a file that `make benchmark-gpu` wrote, if it is there.

    A GPU has the speed of each of KINDS and its machine; one of a data sheet has a single speed.
    """
    return {**rates, "gpus": {**rates["gpus"], **read_yaml(path)["gpus"]}} if path.exists() else rates


def plan(
    root: Path,
    values: Mapping[str, Any],
    rates: Mapping[str, Any],
    gpu: str,
    cores: int,
    assumed: list[str] | None = None,
) -> list[Job]:
    """Every job of the DAG of root/dvc.yaml with these parameters, on machines of so many cores in all.

    assumed: gets a line for each raw source, what its size rests on. Raises InputError for an unknown GPU.
    """
    if gpu != "none" and gpu not in rates["gpus"]:
        raise InputError(f"--gpu {gpu}: one of none, {', '.join(rates['gpus'])}")
    with dag.with_parameters(root, values) as folder:
        stages = dag.resolve(folder).values()
    scale = Scale(check_params(values, "parameters"), rates, stages)
    jobs = [job_of(stage, scale, gpu, cores) for stage in stages]
    if assumed is not None:
        assumed += scale.sizes_rest_on()
    return jobs


def planned_seconds(root: Path, stages: Mapping[str, dag.Stage], names: Iterable[str]) -> dict[str, float]:
    """What stages take on this machine's cores by root/params.yaml, without those whose sources nobody has counted."""
    scale, found = Scale(load_params(root / "params.yaml"), read_yaml(RATES), stages.values()), dict[str, float]()
    for name in names:
        with suppress(InputError):
            found[name] = job_of(stages[name], scale, "none", os.cpu_count() or 1).seconds
    return found


def job_of(stage: dag.Stage, scale: Scale, gpu: str, cores: int) -> Job:
    """The job of a stage on machines with a kind of GPU, or none, and so many cores in all."""
    work, gpus, memory = stage_work(stage.name, scale), stage.gpu if gpu != "none" else 0, scale.rates["memory_mb"]
    seconds = seconds_of(work, min(threads_of(stage, scale.params), cores), gpus, scale.rates, gpu)
    process_mb = memory.get(kind_of(stage.name), memory["others"]) + work.held_bytes / MEGA
    return Job(stage, work, seconds, min(stage.threads, cores), gpus, process_mb)


def stage_work(name: str, scale: Scale) -> Work:
    """The work of one job, e.g. `train_dcgan@bedrooms`; a stage without a rule of its own costs its fixed seconds."""
    kind, fixed = kind_of(name), scale.rates["fixed_seconds"]
    work = work_of(describe(name).work, scale, item_of(name))
    return replace(
        work,
        core_seconds=work.core_seconds + fixed.get(kind, 0.0) + fixed["start"],
        written_bytes=work.written_bytes + scale.rates["fixed_bytes"].get(kind, 0.0),
    )


def threads_of(stage: dag.Stage, params: Params) -> int:
    """How many threads a stage computes on: all that it asks for, where that is `run.threads` or more, else one."""
    return stage.threads if stage.threads >= params.run.threads else 1


def seconds_of(work: Work, threads: int, gpus: int, rates: Mapping[str, Any], gpu: str) -> float:
    """Seconds of one job: what one thread does, what all threads do, what they or all GPUs compute, what is written."""
    gflop = dict(zip(KINDS, (work.training_gflop, work.large_gflop, work.matrix_gflop), strict=True))
    speed, units, starting = rates["gflops_a_thread"], threads, rates["minibatch_seconds"]
    if gpus:
        speed, units = rates["gpus"][gpu], gpus
        if isinstance(speed, Mapping):
            starting = 0.0  # a measured rate holds it
        else:
            speed = dict.fromkeys(KINDS, speed)
    computing = sum(amount / speed[kind] for kind, amount in gflop.items()) / units
    alone = work.core_seconds + work.minibatches * starting
    writing = work.written_bytes / MEGA / rates["disk_megabytes_a_second"]
    return float(alone + work.shared_core_seconds / threads + computing + writing)


def longest_chain(jobs: list[Job]) -> tuple[float, list[str]]:
    """The chain of jobs, each of which waits for the one before, that takes longest: seconds and names."""
    by_name = {job.stage.name: job for job in jobs}
    makers = {path: job.stage.name for job in jobs for path in job.stage.outputs}
    chains: dict[str, tuple[float, list[str]]] = {}
    for stage in dag.in_order({name: job.stage for name, job in by_name.items()}):
        before = max((chains[makers[path]] for path in stage.inputs if path in makers), default=(0.0, []))
        chains[stage.name] = (before[0] + by_name[stage.name].seconds, [*before[1], stage.name])
    return max(chains.values())


def least_seconds(jobs: list[Job], cores: int, gpus: int) -> float:
    """Seconds below which so many cores and GPUs cannot do all jobs; raises InputError if a job needs more GPUs."""
    for job in jobs:
        if job.gpus > gpus:
            raise InputError(f"{job.stage.name} asks for {job.gpus} GPUs, and there are {gpus}")
    on_cores = sum(job.cores * job.seconds for job in jobs) / cores
    on_gpus = sum(job.gpus * job.seconds for job in jobs) / gpus
    return max(longest_chain(jobs)[0], on_cores, on_gpus)


def by_kind(jobs: list[Job]) -> pd.DataFrame:
    """The columns of each kind of stage, in the DAG's order."""
    rows = pd.DataFrame({name: [value(job) for job in jobs] for name, (value, _, _) in COLUMNS.items()})
    kinds = [kind_of(job.stage.name) for job in jobs]
    return rows.groupby(kinds, sort=False).agg({name: how for name, (_, how, _) in COLUMNS.items()})


def table(jobs: list[Job]) -> str:
    """A line for each kind of stage."""
    return str(by_kind(jobs).to_string(formatters={name: form.format for name, (_, _, form) in COLUMNS.items()}))


def totals(jobs: list[Job], cores: int, gpus: int) -> list[str]:
    """The sums, and the least time that a run takes on a cluster of this size, and on however many machines."""
    (seconds, names), sums = longest_chain(jobs), by_kind(jobs).sum()
    size = f"{cores} cores" + (f" and {gpus} GPU{'s' * (gpus > 1)}" if any(job.gpus for job in jobs) else "")
    return [
        f"sum: {len(jobs)} jobs, {sums['core-h']:,.1f} core-hours, {sums['GPU-h']:,.1f} GPU-hours, {sums['GB']:,.1f} "
        "GB on the disk besides raw data (under DVC twice that, for its cache)",
        f"one after the other: {sum(job.seconds for job in jobs) / HOUR:,.2f} h; on {size} at least "
        f"{least_seconds(jobs, cores, gpus) / HOUR:,.2f} h; the longest chain: {seconds / HOUR:,.2f} h "
        f"({' -> '.join(names)})",
    ]


def basis(rates: Mapping[str, Any], gpu: str) -> list[str]:
    """The rates that everything rests on."""
    gflops = rates["gflops_a_thread"]
    lines = [
        f"rates ({RATES.parent.name}/{RATES.name}): {gflops['training']:.0f}, {gflops['large']:.0f} and "
        f"{gflops['matrix']:.0f} GFLOP/s a thread (small networks, large ones, matrices), "
        f"{rates['disk_megabytes_a_second']} MB/s written"
    ]
    if gpu != "none" and isinstance(found := rates["gpus"][gpu], Mapping):
        speeds = ", ".join(f"{found[kind]:,}" for kind in KINDS)
        lines.append(f"{gpu}: {speeds} GFLOP/s in the same order, measured on {found['machine']}")
    elif gpu != "none":
        lines.append(f"{gpu}: {found:,} GFLOP/s, a share of its data sheet: not measured")
    return lines


if __name__ == "__main__":
    run_stage(main)
