"""One experiment, apart from the checkout: `make experiment NAME=a SET="train.bedrooms.epochs=9" [TARGET=...]`.

Input: the last commit, and parameters that differ from it. DVC runs the experiment in a folder of its own, so
params.yaml and the results in the checkout stay as they are, also when it fails. After a stop the same command goes on
from its checkpoint. Output: an experiment of DVC's, as `dvc exp run` makes it; what was printed is in
logs/experiments/<name>.log.
"""

import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.utils.hydra import apply_overrides

from dcgan.core.files import InputError
from workflow.claims.words import CLAIMS, count, lines
from workflow.engines.stage import command_parser, run_stage
from workflow.experiments.revisions import open_revision
from workflow.experiments.start import known, start
from workflow.params.load import load_params

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
    root, changes = Path.cwd(), shlex.split(args.set)
    if not args.name or not changes:
        raise InputError(
            'name it and say what changes: make experiment NAME=a SET="train.bedrooms.learning_rate=0.0004"'
        )
    start(root, "dvc.lock")
    check_changes(root, changes)
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


def check_changes(root: Path, changes: Sequence[str]) -> None:
    """Raises InputError if parameters with these changes are wrong; params.yaml stays as it is."""
    with tempfile.TemporaryDirectory() as folder:
        changed = Path(folder) / "params.yaml"
        shutil.copyfile(root / "params.yaml", changed)
        try:
            apply_overrides(changed, list(changes))
        except DvcException as error:
            raise InputError(f"{' '.join(changes)}: {error.__cause__ or error}".splitlines()[0]) from error
        try:
            load_params(changed)
        except InputError as error:
            raise InputError(str(error).replace(str(changed), "with these changes")) from error


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
