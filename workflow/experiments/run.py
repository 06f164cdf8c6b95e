"""One experiment, apart from the checkout: `make experiment NAME=a SET="train.bedrooms.epochs=9" [TARGET=...]`.

Input: the last commit, and parameters that differ from it. DVC runs the experiment in a folder of its own, so
params.yaml and the results in the checkout stay as they are, also when it fails. After a stop the same command goes on
from its checkpoint. Output: an experiment of DVC's, as `dvc exp run` makes it; what was printed is in
logs/experiments/<name>.log.
"""

import re
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from dcgan.core.files import InputError
from workflow.claims.words import CLAIMS, count, lines
from workflow.engines.stage import command_parser, run_stage
from workflow.experiments.changes import check_changes
from workflow.experiments.revisions import open_revision
from workflow.experiments.start import known, start

LOGS = Path("logs/experiments")
# How DVC says which stage failed, and all else that is wrong.
FAILED_STAGE, ERROR = re.compile(r"failed to reproduce '([^']+)'"), "ERROR: "


def main(arguments: list[str] | None = None) -> None:
    """Runs the experiment; raises InputError with what failed and where its log is."""
    parser = command_parser(__doc__)
    parser.add_argument("name", help="what the experiment is called")
    parser.add_argument("--set", default="", help="changed parameters, KEY=VALUE with blanks between them")
    parser.add_argument("--target", default="", help="the last stage to run (default: all)")
    args = parser.parse_args(arguments)
    root, changes = Path.cwd(), words(args.set)
    if not args.name or not changes:
        raise InputError(
            'name it and say what changes: make experiment NAME=a SET="train.bedrooms.learning_rate=0.0004"'
        )
    start(root, "dvc.lock")
    check_changes(root, changes, args.target)
    if args.name in known(root, "--all-commits"):
        raise InputError(f"{args.name}: exists; choose another NAME, or `dvc exp remove {args.name}` first")
    log = LOGS / f"{args.name}.log"
    options = [f"--set-param={change}" for change in changes]
    status, printed = run(root, log, ["--name", args.name, *options, *filter(None, [args.target])])
    if status:
        raise InputError(f"{args.name}: {failure(printed)}; its log: {log}")
    claims = open_revision(root, args.name).table(CLAIMS.as_posix())
    judged = "" if claims.empty or args.target else f"; claims: {count(lines(claims))}"
    print(f'{args.name} is done{judged}. Beside the last commit: make compare EXPERIMENTS="HEAD {args.name}"')


def words(changes: str) -> list[str]:
    """The changes, which have blanks between them; raises InputError for a quotation that does not end."""
    try:
        return shlex.split(changes)
    except ValueError as error:
        raise InputError(f"{changes}: cannot be read ({error})") from error


def run(root: Path, log: Path, options: Sequence[str]) -> tuple[int, list[str]]:
    """Runs `dvc exp run --temp`, passes on what it prints and keeps it in the log; returns its status and the lines."""
    command = ["dvc", "--wait-for-lock", "exp", "run", "--temp", *options]
    printed: list[str] = []
    (root / log).parent.mkdir(parents=True, exist_ok=True)
    pipe, merged = subprocess.PIPE, subprocess.STDOUT
    with (
        (root / log).open("w", encoding="utf-8") as file,
        subprocess.Popen(command, cwd=root, stdout=pipe, stderr=merged, encoding="utf-8", errors="replace") as job,
    ):
        assert job.stdout is not None
        try:
            for line in job.stdout:
                printed.append(line)
                print(line, end="", flush=True)
                file.write(line)
        except KeyboardInterrupt:
            job.stdout.read()  # DVC, which got it too, stops the stage and tidies up
            raise
    return job.returncode, printed


def failure(printed: Sequence[str]) -> str:
    """What went wrong, by what DVC printed."""
    stages = [found[1] for line in printed if (found := FAILED_STAGE.search(line))]
    errors = [line.removeprefix(ERROR).strip() for line in printed if line.startswith(ERROR)]
    return f"stage {stages[0]} failed" if stages else errors[0] if errors else "DVC failed"


if __name__ == "__main__":
    run_stage(main)
