"""A clock that is set back while a stage runs: what it made seems older than what it was made of.

The stage moves its input's time an hour ahead instead, which is the same to whoever compares times.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dcgan.core.files import InputError
from tests.dag.reliability import fault
from workflow.engines.clock import check_clock
from workflow.engines.dag import resolve

Run = Callable[..., Any]
STAGE = '''"""Copies a file while the clock is set back by an hour."""

import os
import time
from pathlib import Path

from workflow.engines.stage import run_stage


def main() -> None:
    text = Path("data/source/text.txt").read_text()
    for path in ("data/source", "data/source/text.txt"):
        os.utime(path, (time.time() + 3600,) * 2)
    Path("data/demo").mkdir(parents=True, exist_ok=True)
    Path("data/demo/copy.txt").write_text(text)


run_stage(main)
'''
DAG = """stages:
  copy:
    cmd: python -m stages.copy
    deps: [stages/copy.py, data/source]
    outs: [data/demo]
    meta: {threads: 1, gpu: 0, mem_mb: 100, runtime: 1}
"""
ENGINES = {"dvc": ("dvc", "repro"), "snakemake": ("snakemake", "--cores", "1")}


@pytest.fixture
def copying(checkout: Path) -> Path:
    """A copy of the project with one stage."""
    (checkout / "stages/copy.py").write_text(STAGE)
    (checkout / "dvc.yaml").write_text(DAG)
    (checkout / "data/source").mkdir(parents=True)
    (checkout / "data/source/text.txt").write_text("text")
    return checkout


@fault(
    "the clock is set back while a stage runs",
    "the outputs stay; under Snakemake inputs of the future count as changed now",
    "0",
    "both engines",
)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_clock_that_is_set_back_during_a_stage(copying: Path, run: Run, engine: str) -> None:
    run(copying, *ENGINES[engine])
    assert (copying / "data/demo/copy.txt").read_text() == "text"
    made = (copying / "data/demo/copy.txt").stat().st_mtime_ns
    if engine == "snakemake":
        check_clock(copying, resolve(copying))
        assert "Nothing to be done" in run(copying, *ENGINES[engine]).stderr
    else:
        assert json.loads(run(copying, "dvc", "status", "--json").stdout) == {}
        with pytest.raises(InputError, match="in the future"):
            check_clock(copying, resolve(copying))
    assert (copying / "data/demo/copy.txt").stat().st_mtime_ns == made


def test_inputs_of_the_future_stay_so_without_snakemake(copying: Path, run: Run) -> None:
    """A stage by hand touches nothing that belongs to somebody else."""
    run(copying, "python", "-m", "stages.copy")
    assert os.stat(copying / "data/source/text.txt").st_mtime > time.time() + 3000
    assert os.stat(copying / "data/source").st_mtime > time.time() + 3000
