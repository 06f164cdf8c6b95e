"""Builds the report: one HTML file with everything a run of the DAG made, beside what the paper says.

Inputs:  dvc.yaml and params.yaml beside it; the pictures, metrics and curves that its stages name as outputs.
Outputs: one HTML file: self-contained, opens offline, the same bytes for the same results.
Published: Tables 1 to 3, quoted in it.
"""

from pathlib import Path

from dcgan.files import InputError, replace_when_done
from workflow.dag import resolved_stages
from workflow.report import render
from workflow.stage import load_params, run_stage, stage_parser

MEGABYTE = 1_000_000


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--dag", type=Path, required=True, help="the dvc.yaml whose results are reported")
    parser.add_argument("--out", type=Path, required=True, help="HTML file to write")
    args = parser.parse_args(arguments)
    section = load_params(args.params).report

    root = args.dag.resolve().parent
    page = render(root, resolved_stages(root), section.title).encode()
    if len(page) > section.max_megabytes * MEGABYTE:
        raise InputError(
            f"the report has {len(page) / MEGABYTE:.1f} MB, report.max_megabytes is {section.max_megabytes}"
        )
    with replace_when_done(args.out) as partial:
        partial.write_bytes(page)


if __name__ == "__main__":
    run_stage(main)
