"""The report that people open: what the DAG's own page holds, and the run that made it.

`python -m workflow.report.write` (`make report`) writes results/report.html out of the results in the checkout. The
stage build_report does the same at the end of every run. The file is no output of the DAG: machine and times differ
between two runs with the same results, and outputs are the same bytes wherever they are made. The stage's output is the
same page without them, data/report.html.
"""

from pathlib import Path

from dcgan.core.files import InputError, replace_when_done
from workflow.engines.dag import Stage, resolved_stages
from workflow.engines.stage import command_parser, run_stage
from workflow.params.load import load_params
from workflow.params.sections import Report
from workflow.report.collect import marked, render
from workflow.report.page import QUALITIES
from workflow.report.reference import expected
from workflow.report.run_history import Account, account_of

REPORT = Path("results/report.html")
MEGABYTE = 1_000_000


def main() -> None:
    """Writes the report of the checkout in the working directory."""
    command_parser(__doc__).parse_args()
    root = Path.cwd()
    stages = resolved_stages(root)
    others = len(marked(root, stages, write_whole_report(root, stages)))
    told = f"; results of {others} stages are not of these parameters, and marked" if others else ""
    print(f"{REPORT} is written{told}")


def write_whole_report(root: Path, stages: dict[str, Stage]) -> Account:
    """Writes it; returns what is known of the run."""
    account = account_of(root, stages)
    write_report(REPORT, root, stages, load_params(root / "params.yaml").report, account)
    return account


def write_report(
    path: Path, root: Path, stages: dict[str, Stage], section: Report, account: Account | None = None
) -> None:
    """Writes the page with the best pictures that leave it small enough; raises InputError if none do.

    With an account it also has what to expect, which is no result of this run.
    """
    to_expect = {} if account is None else expected(root)
    for quality in QUALITIES:
        page = render(root, stages, section.title, account, quality, to_expect)
        megabytes = len(page.encode()) / MEGABYTE
        if megabytes <= section.max_megabytes:
            with replace_when_done(path) as partial:
                partial.write_bytes(page.encode())
            return
    raise InputError(
        f"the report has {megabytes:.1f} MB however its pictures are compressed, report.max_megabytes is "
        f"{section.max_megabytes}"
    )


if __name__ == "__main__":
    run_stage(main)
