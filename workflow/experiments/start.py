"""What experiments start from: the last commit. Each runs in a folder of its own and leaves the checkout as it is."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from dcgan.core.files import InputError
from workflow.engines.code_dependencies import PACKAGES
from workflow.engines.commands import output_of, uncommitted
from workflow.engines.progress import BEFORE

COMMITTED = ("params.yaml", "dvc.yaml", "data/annotations", *PACKAGES)


def start(root: Path, *further: str) -> None:
    """Raises InputError if what decides results, or further files, differ from the last commit.

    Checkpoints go into the checkout's own folder, because an experiment's does not outlive it.
    """
    if changed := uncommitted(root, *COMMITTED, *further):
        raise InputError(f"experiments are of the last commit; commit or undo first: {' '.join(changed)}")
    os.environ.setdefault("DCGAN_STATE", str(root / ".state"))
    os.environ.setdefault(BEFORE, str(root))


def known(root: Path, *options: str) -> list[str]:
    """Names of the experiments that start from the last commit, or as options of `dvc exp list` say."""
    return output_of("dvc", "exp", "list", "--name-only", *options, cwd=root).split()


def run_apart(root: Path, name: str, changes: Sequence[str], target: str = "") -> int:
    """Runs an experiment by `dvc exp run --temp`, all of it if there is no target; returns DVC's status."""
    command = ["dvc", "--wait-for-lock", "exp", "run", "--temp", "--name", name]
    options = [*(f"--set-param={change}" for change in changes), *filter(None, [target])]
    with subprocess.Popen([*command, *options], cwd=root) as job:
        try:
            return job.wait()
        except KeyboardInterrupt:
            job.wait()  # DVC, which got it too, stops the stage and tidies up
            raise
