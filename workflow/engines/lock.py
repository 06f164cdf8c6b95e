"""One engine at a time in a checkout, by two files under `.state/` with the system's own locks (flock).

Such locks end with their holder, even by `kill -9`. A file system without them holds nothing and refuses nothing.

- `engine.lock`: Snakemake holds it for a whole run. A stage that DVC started holds it shared, because DVC itself keeps
  its own processes apart.
- `stages.lock`: every stage that an engine started holds it shared. Stages outlive an engine that was killed. Another
  engine would write the same files, so it does not start before they have ended.

Snakemake holds DVC's own lock as well: else DVC would remove outputs before its first stage is refused. So `dvc repro`,
`dvc status` and `dvc exp run` are refused while Snakemake runs; `dvc exp show`, `metrics diff` and `params diff` are
not.
"""

import errno
import fcntl
import os
import platform
from pathlib import Path
from typing import IO

from dcgan.core.files import InputError

ENGINE_LOCK, STAGES_LOCK, DVC_LOCK = Path(".state/engine.lock"), Path(".state/stages.lock"), Path(".dvc/tmp/lock")
# In the environment of everything that an engine starts: which engine holds the checkout for it.
HOLDER = "DCGAN_ENGINE"
ENGINE_BUSY = "{} is at work in this checkout; start again when it has ended"
STAGES_BUSY = "stages of an engine that has ended are still at work in this checkout; wait for them, or end them"
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
# Open until the process ends: closing a file gives its lock back.
KEPT: list[IO[str]] = []


def hold(root: Path, engine: str) -> None:
    """Takes a checkout for an engine until the process ends; raises InputError if another engine is at work in it.

    Under an engine that holds the checkout already, nothing is taken.
    """
    if HOLDER in os.environ:
        return
    taken = [lock(root / ENGINE_LOCK, fcntl.LOCK_EX, ENGINE_BUSY, name_of(engine, os.getpid()))]
    try:
        lock(root / STAGES_LOCK, fcntl.LOCK_EX, STAGES_BUSY).close()
        if engine == "snakemake" and (root / ".dvc").is_dir():
            taken.append(lock(root / DVC_LOCK, fcntl.LOCK_EX, ENGINE_BUSY.format("dvc")))
    except InputError:
        taken[0].close()  # else the other engine's stages find it taken until this process has ended
        raise
    KEPT.extend(taken)
    os.environ[HOLDER] = engine


def join(root: Path) -> None:
    """What a stage does at its start if an engine started it; raises InputError if another engine has the checkout.

    A stage that is started by hand needs no lock.
    """
    if HOLDER not in os.environ and "DVC_STAGE" not in os.environ:
        return
    if HOLDER not in os.environ:
        KEPT.append(lock(root / ENGINE_LOCK, fcntl.LOCK_SH, ENGINE_BUSY, name_of("dvc", os.getppid())))
    KEPT.append(lock(root / STAGES_LOCK, fcntl.LOCK_SH, ENGINE_BUSY))


def name_of(engine: str, process: int) -> str:
    """An engine as a refusal names it."""
    return f"{engine} (process {process} on {platform.node()})"


def lock(path: Path, kind: int, busy: str, holder: str = "") -> IO[str]:
    """A file with a lock on it, in which the holder is named; raises InputError with `busy` if the lock is taken."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        with file:
            raise InputError(busy.format(file.read() or "another engine")) from error
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    if holder:
        file.truncate(0)
        file.write(holder)
        file.flush()
    return file
