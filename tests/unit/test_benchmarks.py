"""Every benchmark that needs no real images still runs, at its smallest, and prints what it compares."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dcgan.data.image_store import StoreWriter
from tests.browser import NAMES
from tests.feature_tables import table_of

ROOT = Path(__file__).parents[2]
END = "-- the next one\n"
RUN = f"""
import runpy, shlex, sys
for line in sys.stdin:
    sys.argv = shlex.split(line)
    runpy.run_module(sys.argv[0], run_name="__main__")
    print(end={END!r})
"""
SMALLEST = {
    "codes": ("--count 20000", "equal"),
    "nearest_neighbour": ("--queries 20 --references 400 --rounds 1", "times scikit-learn"),
    "features": ("--images 32 --rounds 1", "forward pass"),
    "waiting": ("--steps 2 --rounds 1 --architecture demo_mnist28_dense", "at once"),
    "overhead": ("--rounds 1 --engines --scripts stages.select_supervised_cnn", "start and end"),
    "training": ("--steps 2 --rounds 1 --images 200 --batch-size 16", "peer"),
    "memorization": ("--images images.h5 --held-out 40 --samples 30", "brightened,1.0,"),
    "svm": (
        "--train train.h5 --test test.h5 --rows 60 --costs 0.01 --rounds 1 --solvers ours 'LinearSVC dual'",
        "LinearSVC dual",
    ),
}


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each prints: all in one process, because some bind it to one core, and PyTorch takes seconds to import."""
    folder, random = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for split in ("train", "test"):
        table_of(folder / f"{split}.h5", random.random((90, 20), np.float32), np.arange(90) % 3)
    with StoreWriter(folder / "images.h5", (16, 16, 3), {}) as store:
        store.append(random.integers(0, 256, (150, 16, 16, 3), np.uint8), [str(number) for number in range(150)])
    commands = "\n".join(f"benchmarks.{name} {options}" for name, (options, _) in SMALLEST.items())
    commands = re.sub(r"\w+\.h5", lambda found: str(folder / found[0]), commands)
    command = [sys.executable, "-c", RUN]
    done = subprocess.run(command, cwd=ROOT, input=commands, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(zip(SMALLEST, done.stdout.split(END)[:-1], strict=True))


@pytest.mark.parametrize("name", SMALLEST)
def test_it_runs(name: str, printed: dict[str, str]) -> None:
    assert SMALLEST[name][1] in printed[name]


@pytest.mark.skipif(not any(map(shutil.which, NAMES)), reason="no Chromium on this machine")
def test_the_explorer_is_measured_in_a_browser() -> None:
    command = (sys.executable, "-m", "benchmarks.explorer", "--pictures", "2", "--rounds", "2")
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    rates = re.findall(r"^\w+: \d+ \(\d+ to \d+\) pictures/s, target 30$", printed, re.MULTILINE)
    assert len(rates) == 5
