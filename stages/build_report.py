"""Builds the report: one HTML file with everything a run of the DAG made, beside what the paper says.

Inputs:  dvc.yaml and params.yaml beside it; the pictures, metrics and curves that its stages name as outputs.
Outputs: one HTML file, self-contained, that opens offline: the same bytes for the same results. Beside it, as no output
         of the DAG, the same page with the machine, versions and times of this run.
Published: Tables 1 to 3, quoted in it.
"""

from pathlib import Path

from workflow.engines.dag import resolved_stages
from workflow.engines.stage import load_params, run_stage, stage_parser
from workflow.report.run_history import account_of
from workflow.report.write import write_report


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--dag", type=Path, required=True, help="the dvc.yaml whose results are reported")
    parser.add_argument("--out", type=Path, required=True, help="HTML file to write")
    parser.add_argument("--with-run", type=Path, required=True, help="HTML file with machine and times, no output")
    args = parser.parse_args(arguments)
    section = load_params(args.params).report

    root = args.dag.resolve().parent
    stages = resolved_stages(root)
    write_report(args.out, root, stages, section)
    write_report(args.with_run, root, stages, section, account_of(root, stages))


if __name__ == "__main__":
    run_stage(main)
