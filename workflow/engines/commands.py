"""Other programs that the workflow asks."""

import subprocess
from pathlib import Path

from dcgan.core.files import InputError


def output_of(*command: str, cwd: Path | None = None) -> str:
    """What a program prints; raises InputError with its last line if it fails."""
    try:
        return subprocess.run(command, cwd=cwd, capture_output=True, encoding="utf-8", check=True).stdout
    except OSError as error:
        raise InputError(f"{command[0]} cannot be started ({error.strerror})") from error
    except subprocess.CalledProcessError as error:
        lines = (error.stderr or error.stdout).strip().splitlines() or ["no message"]
        raise InputError(f"`{' '.join(command)}` failed: {lines[-1]}") from error


def uncommitted(root: Path, *paths: str) -> list[str]:
    """Files, of some paths, that differ from the last commit."""
    lines = git(root, "status", "--porcelain", "--no-renames", "--", *paths).splitlines()
    return [line.strip().partition(" ")[2].strip() for line in lines]


def git(root: Path, *arguments: str) -> str:
    """What git prints, without blanks at its ends.

    It takes none of the locks by which git is quicker the next time: somebody else may be at work.
    """
    return output_of("git", "--no-optional-locks", *arguments, cwd=root).strip()
