"""What git knows of a checkout."""

import subprocess
from pathlib import Path

from dcgan.core.files import InputError


def git(root: Path, *arguments: str) -> str:
    """What git prints, without blanks at its ends; raises InputError with git's last line if it fails.

    It takes none of the locks by which git is quicker the next time: somebody else may be at work.
    """
    command = ["git", "--no-optional-locks", *arguments]
    try:
        finished = subprocess.run(command, cwd=root, capture_output=True, encoding="utf-8", check=True)
    except OSError as error:
        raise InputError(f"git cannot be started ({error.strerror})") from error
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or ["no message"]
        raise InputError(f"git {arguments[0]} failed: {lines[-1]}") from error
    return finished.stdout.strip()
