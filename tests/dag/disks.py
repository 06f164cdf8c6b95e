"""Whether tests may mount disks of their own: full ones, read-only ones, other drives."""

import shutil
import subprocess
from functools import cache
from tempfile import TemporaryDirectory


@cache
def can_mount() -> bool:
    """Root may, on Linux, unless a container forbids it."""
    if shutil.which("mount") is None:
        return False
    with TemporaryDirectory() as folder:
        command = ["mount", "-t", "tmpfs", "tmpfs", folder]
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
        if mounted:
            subprocess.run(["umount", folder], check=True)
    return mounted
