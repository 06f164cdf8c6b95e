"""Stages that a full disk or a signal ends: nothing half-written stands under a final name."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
# A file may not grow beyond so many bytes: what a process meets on a full disk, without filling one.
LIMITED = (
    "import resource, runpy, signal, sys\n"
    "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
    "module, *sys.argv = sys.argv[1:]\n"
    "sys.argv.insert(0, module)\n"
    "runpy.run_module(module, run_name='__main__')\n"
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of 3,000 names for one small photo: enough for the export to be met at work."""
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    (tmp_path / "photo.jpg").write_bytes(cv2.imencode(".jpg", noise)[1].tobytes())
    (tmp_path / "source").mkdir()
    for number in range(3000):
        (tmp_path / "source" / f"{number:04}.jpg").hardlink_to(tmp_path / "photo.jpg")
    return tmp_path / "source"


def command(stage: str, *arguments: object) -> list[str]:
    return ["-m", f"stages.{stage}", *map(str, arguments)]


def export(source: Path, out: Path) -> list[str]:
    return command("export_lsun", "--source", source, "--shard", 0, "--out", out)


def test_a_full_disk_is_told_in_one_line_and_leaves_no_store(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out"
    arguments = export(source, out)[1:]
    done = subprocess.run([sys.executable, "-c", LIMITED, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "cannot be written (File too large)" in line and str(out) in line and "Traceback" not in done.stderr
    assert [path.name for path in out.iterdir()] == ["rejects.csv"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_export_leaves_no_store(tmp_path: Path, source: Path, number: signal.Signals) -> None:
    out = tmp_path / "out"
    with subprocess.Popen([sys.executable, *export(source, out)], cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not any(path.stat().st_size > 1 << 20 for path in out.glob(".images.h5.*")):
            assert process.poll() is None and time.monotonic() < deadline, "the export was not met at work"
            time.sleep(0.005)
        process.send_signal(number)
    assert process.returncode == -number
    assert not [path for path in out.iterdir() if not path.name.startswith(".")]
