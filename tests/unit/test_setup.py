"""`make setup` takes the versions of Python that all pinned packages have wheels for, and names them otherwise."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Claims a version and computes; makes an environment whose pip installs nothing.
PRETENDER = """#!/bin/sh
case "$1" in
  --version) echo Python {dotted} ;;
  -c) exec {python} -c "import sys; sys.version_info = {version}; exec(sys.argv[1])" "$2" ;;
  -m) mkdir -p "$3/bin" && printf '#!/bin/sh\\n' > "$3/bin/python" && chmod +x "$3/bin/python" ;;
esac
"""


def set_up(folder: Path, *version: int, name: str = "pretender") -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "requirements.lock").touch()
    dotted = ".".join(map(str, version))
    (folder / name).write_text(PRETENDER.format(dotted=dotted, python=sys.executable, version=version))
    (folder / name).chmod(0o755)
    return subprocess.run(["make", "setup", f"PYTHON=./{name}"], cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 9), (3, 13, 1)])
def test_supported_versions_are_taken(tmp_path: Path, version: tuple[int, ...]) -> None:
    done = set_up(tmp_path, *version)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / ".venv/.installed").exists()


@pytest.mark.parametrize("version", [(3, 10, 14), (3, 14, 0), (4, 0, 0)])
def test_others_are_refused_in_one_line_that_names_those_that_do(tmp_path: Path, version: tuple[int, ...]) -> None:
    done = set_up(tmp_path, *version)
    line, *further = done.stderr.splitlines()
    assert done.returncode == 2 and all(text.startswith("make: ") for text in further)
    dotted = ".".join(map(str, version))
    assert line.startswith(f"error: Python 3.11, 3.12 or 3.13 is needed, not Python {dotted}; name one: ")
    assert not (tmp_path / ".venv").exists()


def test_the_list_of_targets_has_one_a_line() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert "  make setup        makes .venv and installs the pinned packages" in listed
    assert all(line.startswith("  make ") for line in listed) and len(listed) > 20
