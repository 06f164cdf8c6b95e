"""The same parameters with several seeds: `make replicate SEEDS="1 2 3" JOBS=1`, and which claims hold over them.

Input: the committed state of the checkout. Each seed is an experiment, `seed-<n>-<commit>`, that runs in a folder of
its own, as that of `make experiment` does; the checkout stays as it is. What was interrupted goes on from its
checkpoint; seeds that are done are not run again. Output: results/replicates.csv, a row per comparison and seed;
results/replicates.html, a table claim by seed with the verdict over all of them: the interval of the mean difference,
by Student's t over seeds. `dvc queue` is not used: it works in the background, where Ctrl-C does not reach it.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from dcgan.core.files import InputError, replace_when_done, write_csv
from workflow.claims.seeds import REPLICATES, by_seed, digest_without_run, over_seeds
from workflow.claims.words import claim_lines, count, lines, read_claims
from workflow.engines.commands import git
from workflow.engines.stage import command_parser, run_stage
from workflow.experiments.changes import check_changes
from workflow.experiments.revisions import judged, open_revision, start_of
from workflow.experiments.start import known, run_apart, start
from workflow.params.load import read_yaml
from workflow.report.page import fill_template

PAGE = Path("results/replicates.html")


def main(arguments: list[str] | None = None) -> None:
    """Runs what is missing, writes table and page, prints the verdicts over seeds."""
    parser = command_parser(__doc__)
    parser.add_argument("seeds", nargs="+", type=int, help="values of run.seed; at least two")
    parser.add_argument(
        "--jobs",
        type=int,
        default=1,
        choices=range(1, 65),
        metavar="N",
        help="how many run at a time (default: %(default)s)",
    )
    args = parser.parse_args(arguments)
    seeds, root = list(dict.fromkeys(args.seeds)), Path.cwd()
    if len(seeds) < 2:
        raise InputError("one seed has no range: name at least two")
    start(root)
    for seed in {min(seeds), max(seeds)}:
        check_changes(root, [f"run.seed={seed}"])
    run_missing(root, seeds, args.jobs)
    collect(root, seeds)


def name_of(root: Path, seed: int) -> str:
    """The name of a seed's experiment: with another commit it is another."""
    return f"seed-{seed}-{git(root, 'rev-parse', '--short=8', 'HEAD')}"


def run_missing(root: Path, seeds: Sequence[int], jobs: int) -> None:
    """Runs the seeds that are not done; raises InputError if any fails, when the others have ended."""
    finished = set(known(root))
    missing = {name: seed for seed in seeds if (name := name_of(root, seed)) not in finished}
    print(f"{len(missing)} of {len(seeds)} seeds to run, {jobs} at a time", flush=True)
    pool = ThreadPoolExecutor(jobs)
    try:
        statuses = list(pool.map(lambda name: run_apart(root, name, [f"run.seed={missing[name]}"]), missing))
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C reaches those that run; the others do not begin
    if failed := [name for name, status in zip(missing, statuses, strict=True) if status]:
        raise InputError(f"{', '.join(failed)}: failed, as DVC says above")


def collect(root: Path, seeds: Sequence[int]) -> None:
    """Reads what each seed's experiment judged; writes table and page, prints the verdicts over seeds."""
    tables = {seed: claims_of(root, seed) for seed in seeds}
    parameters = digest_without_run(read_yaml(root / "params.yaml"))
    together = pd.concat([table.assign(seed=seed, parameters=parameters) for seed, table in tables.items()])
    write_csv(REPLICATES, together)
    table = read_claims(REPLICATES)
    found = lines(over_seeds(table))
    title = f"The paper's claims over {len(seeds)} seeds"
    page = fill_template("replicates.html.j2", title=title, claims=found, seeds=by_seed(table))
    with replace_when_done(PAGE) as partial:
        partial.write_text(page, encoding="utf-8")
    print("\n".join(f"  {line}" for line in claim_lines(found)))
    print(f"Over {len(seeds)} seeds: {count(found)}. Seed by seed: {PAGE}")


def claims_of(root: Path, seed: int) -> pd.DataFrame:
    """What a seed's experiment judged; raises InputError if it ended before and so has the last commit's claims."""
    revision = open_revision(root, name_of(root, seed))
    start = start_of(root, revision)
    is_same_run = start is not None and start.params().get("run.seed") == seed
    table = revision.claims() if is_same_run else judged(revision, start)
    if table.empty:
        name = revision.name
        raise InputError(
            f"{name}: no claims of its own in it; `dvc exp remove {name}`, then once more, without a target"
        )
    return table


if __name__ == "__main__":
    run_stage(main)
