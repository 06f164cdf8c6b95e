"""The reference run: one run of the demo with seed 42 and its seeds 1 to 5, kept in git as what to expect.

No run writes into `results/reference/`. README's tables are made of it, plans are tested against it, and the report of
a run with the same parameters shows it. `python -m workflow.report.reference` (`make reference`) renews it from the
results in the checkout:
    metrics.json    the content of every metrics file, by its name
    stages.csv      of each stage: seconds, peak_memory_mb, output_bytes, machine, revision
    replicates.csv  a row per comparison and seed, if `make replicate` has written results/replicates.csv
"""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from dcgan.core.files import InputError, read_csv, replace_when_done, write_csv, write_json
from workflow.claims.seeds import REPLICATES, by_seed, digest_without_run
from workflow.claims.words import in_unit, read_claims
from workflow.engines.dag import TIMESTAMP, Stage, resolved_stages
from workflow.engines.stage import command_parser, run_stage
from workflow.params.load import read_yaml
from workflow.presets.merge import BASE, preset
from workflow.report.belonging import Record
from workflow.report.results import metrics_by_name
from workflow.report.run_history import account_of

REFERENCE, EARLIER = Path("results/reference"), ", with other parameters than now"
METRICS, STAGES, SEEDS = (REFERENCE / name for name in ("metrics.json", "stages.csv", REPLICATES.name))


def main(arguments: list[str] | None = None) -> None:
    """Renews the files of the checkout in the working directory."""
    parser = command_parser(__doc__)
    parser.add_argument(
        "--keep-seconds", action="store_true", help="and machine of the old table: this one was not quiet"
    )
    keep_seconds = parser.parse_args(arguments).keep_seconds
    root = Path.cwd()
    if read_yaml(root / "params.yaml") != preset(BASE):
        raise InputError(f"the reference run is of the preset {BASE}; params.yaml is not")
    stages = resolved_stages(root)
    records = account_of(root, stages).records
    table = pd.DataFrame([row_of(root, stage, records.get(stage.name)) for stage in stages.values()])
    if keep_seconds:
        kept = read_csv(root / STAGES, {"seconds": float, "machine": str}).set_index("stage")
        table = table.assign(**{column: table.stage.map(kept[column]) for column in ("seconds", "machine")})
    write_csv(root / STAGES, table)
    write_json(root / METRICS, metrics_by_name(root, stages))
    if (root / REPLICATES).exists():
        with replace_when_done(root / SEEDS) as partial:
            shutil.copyfile(root / REPLICATES, partial)


def row_of(root: Path, stage: Stage, record: Record | None) -> dict[str, Any]:
    """What a stage took and left; raises InputError if nothing tells of the run that made its results."""
    if record is None or any(not (root / path).exists() for path in stage.outputs):
        raise InputError(f"{stage.name}: no run of it in this checkout; `make repro` first")
    taken = {key: record[key] for key in ("stage", "seconds", "peak_memory_mb")}
    return taken | {
        "output_bytes": sum(bytes_of(root / path) for path in stage.outputs),
        "machine": record["machine"],
        "revision": record["git revision"],
    }


def bytes_of(path: Path) -> int:
    """The size of a file, or of all files in a folder without Snakemake's time stamp."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file() and file.name != TIMESTAMP)


def expected(root: Path) -> dict[str, list[str]]:
    """What to expect of a claim, by its id: in how many seeds it holds, and of each comparison the range of ours.

    Empty if the project's parameters are not those of the reference run: another seed is one draw more. Seeds that were
    run before a change of the preset say so.
    """
    now = digest_without_run(read_yaml(root / "params.yaml"))
    if not (root / SEEDS).is_file() or now != digest_without_run(preset(BASE)):
        return {}
    table = read_claims(root / SEEDS)
    verdicts = {name: list(seeds.values()) for name, seeds in by_seed(table).items()}
    earlier = set(table.id[table.parameters != now])
    found = {
        name: [f"holds in {each.count('holds')} of {len(each)} seeds{EARLIER if name in earlier else ''}"]
        for name, each in verdicts.items()
    }
    for (name, what), rows in table[table.ours.notna()].groupby(["id", "comparison"], sort=False):
        low, high = (in_unit(value, rows.unit.iloc[0]) for value in (rows.ours.min(), rows.ours.max()))
        found[str(name)].append(f"{what}: {low} to {high}")
    return {name: texts for name, texts in found.items() if len(texts) > 1}


if __name__ == "__main__":
    run_stage(main)
