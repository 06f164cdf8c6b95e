"""Other programs that the workflow asks."""

import subprocess
from pathlib import Path
from tempfile import TemporaryFile

from dcgan.core.files import InputError


def output_of(*command: str, cwd: Path | None = None) -> str:
    """What a program prints; raises InputError with its last line if it fails.

    It may leave children that work on, as `dvc queue start` does: files take what is printed, because a pipe would end
    with the last of these.
    """
    with TemporaryFile("w+", encoding="utf-8") as out, TemporaryFile("w+", encoding="utf-8") as err:
        try:
            status = subprocess.run(command, cwd=cwd, stdout=out, stderr=err, check=False).returncode
        except OSError as error:
            raise InputError(f"{command[0]} cannot be started ({error.strerror})") from error
        for file in (out, err):
            file.seek(0)
        printed, said = out.read(), err.read()
    if status:
        lines = (said or printed).strip().splitlines() or ["no message"]
        raise InputError(f"`{' '.join(command)}` failed: {lines[-1]}")
    return printed


def uncommitted(root: Path, *paths: str) -> list[str]:
    """Files, of some paths, that differ from the last commit."""
    lines = git(root, "status", "--porcelain", "--no-renames", "--", *paths).splitlines()
    return [line.strip().partition(" ")[2].strip() for line in lines]


def git(root: Path, *arguments: str) -> str:
    """What git prints, without blanks at its ends.

    It takes none of the locks by which git is quicker the next time: somebody else may be at work.
    """
    return output_of("git", "--no-optional-locks", *arguments, cwd=root).strip()
