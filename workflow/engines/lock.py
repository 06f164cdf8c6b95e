"""One engine at a time in a checkout: `python -m workflow.engines.lock dvc repro` runs a command that holds the
checkout.

Two files under `.state/`, locked with the system's own locks (flock), which end with their holder, `kill -9` included:

- `engine.lock`: Snakemake holds it for a whole run, and so does `make repro`. A `dvc repro` that is typed by hand takes
  it a stage at a time, shared, because DVC itself keeps its own processes apart.
- `stages.lock`: shared by every stage that an engine started. The stages of an engine that was killed go on for a
  while; another engine would write the same files, so it does not start before they have ended.

Snakemake holds DVC's own lock as well: else DVC would remove outputs before its first stage is refused. So `dvc status`
and `dvc exp run` are refused while Snakemake runs; `dvc exp show`, `metrics diff` and `params diff` are not.
On a file system without such locks nothing is held, and nothing is refused.
"""

import argparse
import errno
import fcntl
import os
import platform
import sys
from pathlib import Path
from typing import IO

from dcgan.core.files import InputError

ENGINE_LOCK, STAGES_LOCK, DVC_LOCK = Path(".state/engine.lock"), Path(".state/stages.lock"), Path(".dvc/tmp/lock")
# In the environment of everything that an engine starts: which engine holds the checkout for it.
HOLDER = "DCGAN_ENGINE"
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
# Open until the process ends: closing a file gives its lock back.
KEPT: list[IO[str]] = []


class Busy(Exception):
    """Somebody else has the lock; the message is what they wrote into the file."""


def main(arguments: list[str] | None = None) -> None:
    """Takes the checkout in the working directory and becomes the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs=argparse.REMAINDER, help="an engine and its arguments")
    command = parser.parse_args(arguments).command
    if not command:
        parser.error("a command is needed")
    try:
        hold(Path(), command[0])
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    for file in KEPT:
        os.set_inheritable(file.fileno(), True)
    os.execvp(command[0], command)


def hold(root: Path, engine: str) -> None:
    """Takes a checkout for an engine until the process ends; raises InputError where somebody else is at work in it.

    Under an engine that holds the checkout already, nothing is taken.
    """
    if HOLDER in os.environ:
        return
    take(root / ENGINE_LOCK, fcntl.LOCK_EX, f"{engine} (process {os.getpid()} on {platform.node()})")
    try:
        refuse_orphans(root)
        if engine == "snakemake" and (root / ".dvc").is_dir():
            take(root / DVC_LOCK, fcntl.LOCK_EX)
    except InputError:
        KEPT.pop().close()  # until this process has ended the other engine's stages would find it taken
        raise
    os.environ[HOLDER] = engine


def refuse_orphans(root: Path) -> None:
    """Raises InputError while stages of an engine that was killed are still at work."""
    try:
        with locked(root / STAGES_LOCK, fcntl.LOCK_EX):
            pass
    except Busy as error:
        raise InputError(
            "stages of an engine that has ended are still at work in this checkout; wait for them, or end them"
        ) from error


def join(root: Path) -> None:
    """What a stage does at its start if an engine started it; raises InputError where another engine has the checkout.

    A stage that is started by hand asks nobody.
    """
    if HOLDER not in os.environ and "DVC_STAGE" not in os.environ:
        return
    if HOLDER not in os.environ:
        take(root / ENGINE_LOCK, fcntl.LOCK_SH, f"dvc (process {os.getppid()} on {platform.node()})")
    take(root / STAGES_LOCK, fcntl.LOCK_SH)


def take(path: Path, kind: int, holder: str = "") -> None:
    """Takes a lock until the process ends, and writes into the file who has it; raises InputError where it is taken."""
    try:
        file = locked(path, kind)
    except Busy as error:
        who = str(error) or "another engine" if holder else "dvc"
        raise InputError(f"{who} is at work in this checkout; start again when it has ended") from error
    if holder:
        file.truncate(0)
        file.write(holder)
        file.flush()
    KEPT.append(file)


def locked(path: Path, kind: int) -> IO[str]:
    """A file with a lock on it; raises Busy where another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        holder = file.read()
        file.close()
        raise Busy(holder) from error
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    return file


if __name__ == "__main__":
    main()
