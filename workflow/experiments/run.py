"""One experiment, apart from the checkout: `make experiment NAME=a SET="train.bedrooms.epochs=9" [TARGET=...]`.

Input: the last commit, and parameters that differ from it. DVC runs the experiment in a folder of its own, so
params.yaml and the results in the checkout stay as they are, also when it fails. After a stop the same command goes on
from its checkpoint. Output: an experiment of DVC's, as `dvc exp run` makes it.
"""

import shlex
from pathlib import Path

from dcgan.core.files import InputError
from workflow.claims.words import count, lines
from workflow.engines.stage import command_parser, run_stage
from workflow.experiments.changes import check_changes
from workflow.experiments.revisions import open_revision
from workflow.experiments.start import known, run_apart, start


def main(arguments: list[str] | None = None) -> None:
    """Runs the experiment; raises InputError if it fails, when DVC has printed why."""
    parser = command_parser(__doc__)
    parser.add_argument("name", help="what the experiment is called")
    parser.add_argument("--set", default="", help="changed parameters, KEY=VALUE with blanks between them")
    parser.add_argument("--target", default="", help="the last stage to run (default: all)")
    args = parser.parse_args(arguments)
    root = Path.cwd()
    try:
        changes = shlex.split(args.set)
    except ValueError as error:
        raise InputError(f"{args.set}: cannot be read ({error})") from error
    if not args.name or not changes:
        raise InputError(
            'name it and say what changes: make experiment NAME=a SET="train.bedrooms.learning_rate=0.0004"'
        )
    start(root, "dvc.lock")
    check_changes(root, changes, args.target)
    if args.name in known(root, "--all-commits"):
        raise InputError(f"{args.name}: exists; choose another NAME, or `dvc exp remove {args.name}` first")
    if run_apart(root, args.name, changes, args.target):
        raise InputError(f"{args.name}: failed, as DVC says above")
    claims = open_revision(root, args.name).claims()
    judged = "" if claims.empty or args.target else f"; claims: {count(lines(claims))}"
    print(f'{args.name} is done{judged}. Beside the last commit: make compare EXPERIMENTS="HEAD {args.name}"')


if __name__ == "__main__":
    run_stage(main)
