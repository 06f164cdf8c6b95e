"""What a stage costs beside its own work, in seconds of processor time: its engine, its start and its end.

Engines: a clone runs the DAG of params.yaml with its inputs, parameters and outputs, but each command only makes small
files, so that all else is the engine's. `dvc repro`, DVC as `make repro` runs it, Snakemake: each in a fresh clone. For
DVC every command is then changed and run again, with a whole `dvc.lock` as a clone of this project has it.

Starts: every script of the DAG but digest_code, which reads no parameters, starts as its stage does, with a parameter
file that is not there: it imports, reads its command line and ends. The mean is over the stages. `--against CHECKOUT`
starts those of another checkout in turn.

    python -m benchmarks.overhead --rounds 3 --against ../before

prints a line per measurement: median, lowest and highest. Target: 1.5 s a stage in all.
"""

import argparse
import json
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from workflow.engines.dag import Stage, dvc_definitions, is_folder, is_inside, resolve

ROOT = Path(__file__).parents[1]
ENGINES = {
    "dvc repro": ["dvc", "repro"],
    "make repro": ["python", "-c", "from workflow.repro import run_dvc; run_dvc()"],
    "snakemake": ["snakemake", "--cores", "1", "--quiet", "all"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", nargs="*", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--scripts", nargs="*", help="only the starts of these")
    parser.add_argument("--against", type=Path, help="another checkout of the project")
    args = parser.parse_args()
    stages = resolve(ROOT)
    for name in args.engines:
        spent = [engine_seconds(ENGINES[name]) / len(stages) for _ in range(args.rounds)]
        print(f"{name}: {in_words(spent)} s a stage", flush=True)
    first = {script_of(stage): stage for stage in reversed(stages.values()) if stage.name != "digest_code"}
    scripts = {script: stage for script, stage in first.items() if args.scripts is None or script in args.scripts}
    if not scripts:
        return
    counts = {script: sum(script_of(stage) == script for stage in stages.values()) for script in scripts}
    checkouts = [ROOT, *([args.against] if args.against else [])]
    means: list[list[float]] = [[] for _ in checkouts]
    for _ in range(args.rounds):
        totals = [0.0] * len(checkouts)
        for name, stage in scripts.items():
            seconds = [start_seconds(root, stage) for root in checkouts]
            print(name, *(f"{second:.2f}" for second in seconds), flush=True)
            totals = [total + counts[name] * second for total, second in zip(totals, seconds, strict=True)]
        for mean, total in zip(means, totals, strict=True):
            mean.append(total / sum(counts.values()))
    for root, mean in zip(checkouts, means, strict=True):
        print(f"start and end, {root.resolve().name}: {in_words(mean)} s a stage")
    if args.against:
        print(f"ratio: {in_words([ours / theirs for ours, theirs in zip(*means, strict=True)])}")


def in_words(values: list[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def script_of(stage: Stage) -> str:
    """The module that a stage runs, e.g. stages.draw_walk."""
    return shlex.split(stage.command)[2]


def start_seconds(root: Path, stage: Stage) -> float:
    """Processor time of a start that ends where the parameters are read."""
    command = [sys.executable, *shlex.split(stage.command)[1:], "--params", "nowhere.yaml"]
    return processor_seconds(command, root, status=2)


def engine_seconds(command: list[str]) -> float:
    """Processor time of an engine that runs the whole DAG of idle stages in a fresh clone."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", "--no-tags", ROOT, clone], check=True)
        (clone / "dvc.lock").unlink(missing_ok=True)
        definitions = dvc_definitions(ROOT)
        needed = {path for definition in definitions.values() for path in definition.get("deps", [])}
        for name, stage in resolve(ROOT).items():
            definitions[name]["cmd"] = "; ".join(making(path, needed) for path in stage.outputs)
        # DVC would look for `foreach` behind an @.
        idle = {name.replace("@", "-"): definition for name, definition in definitions.items()}
        (clone / "dvc.yaml").write_text(json.dumps({"stages": idle}))
        if command != ENGINES["snakemake"]:
            processor_seconds(ENGINES["make repro"], clone, status=0)
            for definition in idle.values():
                definition["cmd"] += "; true"
            (clone / "dvc.yaml").write_text(json.dumps({"stages": idle}))
        return processor_seconds(command, clone, status=0)


def making(output: str, needed: Iterable[str]) -> str:
    """A command that makes an output, with what others read inside it."""
    paths = [output, *(path for path in needed if is_inside(path, output))]
    files = [f"{path}/file.txt" if is_folder(path) else path for path in paths]
    return "; ".join(f"mkdir -p {Path(file).parent} && echo {file} > {file}" for file in files)


def processor_seconds(command: list[str], folder: Path, status: int) -> float:
    """Processor time of a command and of all that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == status, f"{ended.stdout}\n{ended.stderr}"
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
