"""Judges the paper's claims by what the run measured (all sections).

Inputs:  the outcomes of the measuring stages (data/outcomes), of those that the DAG makes now; the claims with their
         comparisons, workflow/claims/registry.yaml.
Outputs: a CSV, one row per comparison: what is compared, ours, the other, their difference with its 95 % interval, the
         verdict of the comparison and that of the claim, `holds`, `fails`, `undecided` or `not run`; a JSON of the
         verdict of each claim and how many there are of each.
Published: the claims.
"""

from pathlib import Path

import pandas as pd

from dcgan.core.files import write_csv, write_json
from dcgan.core.outcomes import read_outcomes
from dcgan.core.verdicts import VERDICTS
from workflow.claims.judge import judge_all, read_registry
from workflow.engines.dag import resolved_stages
from workflow.engines.stage import load_params, run_stage, stage_parser


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--dag", type=Path, required=True, help="the dvc.yaml whose results are judged")
    parser.add_argument("--outcomes", type=Path, required=True, help="folder of outcomes")
    parser.add_argument("--registry", type=Path, required=True, help="YAML of claims")
    parser.add_argument("--table", type=Path, required=True, help="CSV to write")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON to write")
    args = parser.parse_args(arguments)
    seed = load_params(args.params).run.seed

    made = {path for stage in resolved_stages(args.dag.resolve().parent).values() for path in stage.outputs}
    measured = [path for path in sorted(args.outcomes.glob("*.h5")) if f"data/outcomes/{path.name}" in made]
    rows = judge_all(read_registry(args.registry), {path.stem: read_outcomes(path) for path in measured}, seed)
    write_csv(args.table, pd.DataFrame(rows))
    verdicts = {row["id"]: row["verdict"] for row in rows}
    counts = {name.replace(" ", "_"): list(verdicts.values()).count(name) for name in VERDICTS}
    write_json(args.metrics, counts | verdicts)


if __name__ == "__main__":
    run_stage(main)
