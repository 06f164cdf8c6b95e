"""Makes one engine know what the other has done: `python -m workflow.engines.record snakemake|dvc`.

snakemake  after Snakemake: the outputs' digests go into `dvc.lock` and the outputs into DVC's cache (`dvc commit`)
dvc        after DVC: Snakemake takes the outputs as its own (`snakemake --touch`)

Either would bless a stale output as current. So it asks the engine that did the work first, and refuses, with
exit status 2, if that names anything out of date. Snakemake compares times, which a `snakemake --touch` by hand renews;
so the sidecar of each stage that DVC does not know as current, because Snakemake ran it, is compared with the stage's
inputs, parameters and outputs as well.
"""

import csv
import json
import sys
from pathlib import Path

from dcgan.core.files import InputError
from workflow.engines.commands import output_of
from workflow.engines.dag import resolved_stages
from workflow.engines.lock import hold
from workflow.engines.provenance import differences
from workflow.engines.stage import command_parser, run_stage

CURRENT = "no update"
NAMED_AT_MOST = 5


def main(arguments: list[str] | None = None) -> None:
    """Hands over what has run in the checkout in the working directory."""
    parser = command_parser(__doc__)
    parser.add_argument("after", choices=("snakemake", "dvc"), help="what has run")
    after = parser.parse_args(arguments).after
    root = Path.cwd()
    hold(root, "workflow.engines.record")
    {"snakemake": record_snakemake, "dvc": record_dvc}[after](root)


def record_snakemake(root: Path) -> None:
    """Commits Snakemake's outputs to DVC; raises InputError if Snakemake would still make something."""
    refuse("snakemake --cores N", stale_in_snakemake(root))
    # Whatever the times say, by dvc.lock and by the sidecars of stages that are not in it as they are:
    stages = resolved_stages(root)
    altered = [path for name in stale_in_dvc(root) for path in differences(root, stages[name])]
    refuse("snakemake --cores N --forcerun RULE", altered)
    run(root, "dvc", "commit", "--force", "--quiet")
    refuse("dvc repro", stale_in_dvc(root))
    print("recorded: DVC knows every output as current")


def record_dvc(root: Path) -> None:
    """Makes Snakemake take DVC's outputs as current; raises InputError if DVC would still make something."""
    refuse("dvc repro", stale_in_dvc(root))
    run(root, "snakemake", "--touch", "--forceall", "--cores", "1", "--quiet", "all")
    refuse("snakemake --cores N", stale_in_snakemake(root))
    print("recorded: Snakemake knows every output as current")


def stale_in_snakemake(root: Path) -> list[str]:
    """Outputs that Snakemake would make anew."""
    table = run(root, "snakemake", "--summary", "--quiet", "all").splitlines()
    return [row["output_file"] for row in csv.DictReader(table, delimiter="\t") if row["plan"] != CURRENT]


def stale_in_dvc(root: Path) -> list[str]:
    """Stages that DVC would run anew."""
    return list(json.loads(run(root, "dvc", "status", "--json")))


def refuse(remedy: str, stale: list[str]) -> None:
    """Raises InputError if anything is stale."""
    if stale:
        others = f" and {len(stale) - NAMED_AT_MOST} others" if len(stale) > NAMED_AT_MOST else ""
        raise InputError(f"not current: {', '.join(stale[:NAMED_AT_MOST])}{others}; run `{remedy}` first")


def run(root: Path, tool: str, *arguments: str) -> str:
    """Standard output of a tool of this environment; raises InputError if it fails."""
    return output_of(str(Path(sys.executable).parent / tool), *arguments, cwd=root)


if __name__ == "__main__":
    run_stage(main)
