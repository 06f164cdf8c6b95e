"""The demo world is the same bytes whatever the processor can do: rendered in processes that are told to do without."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages.render_demo import SETS
from tests.dag.demo import ROOT
from tests.stages.sources import Configure

# What libraries choose by the processor: NumPy's loops, OpenBLAS's kernels, OpenCV's and IPP's, libjpeg-turbo's.
PLAIN = {
    "NPY_DISABLE_CPU_FEATURES": "X86_V3",
    "OPENBLAS_CORETYPE": "Prescott",
    "OPENCV_CPU_DISABLE": "AVX2,FMA3,AVX,FP16,SSE4.2,SSE4.1",
    "OPENCV_IPP": "disabled",
    "JSIMD_FORCENONE": "1",
}


def render(name: str, params: Path, out: Path, environment: dict[str, str]) -> dict[str, str]:
    """The digests of a set's files, rendered in a process of its own."""
    command = [sys.executable, "-m", "stages.render_demo", "--set", name, "--params", str(params), "--out", str(out)]
    subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=True, capture_output=True)
    files = (path for path in sorted(out.rglob("*")) if path.is_file())
    return {path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_the_same_bytes_on_another_processor(name: str, configure: Configure, tmp_path: Path) -> None:
    params = configure(demo={"bedrooms": 20, "duplicates": 10, "photos": 12, "digits": 40, "objects": 40})
    here, there = render(name, params, tmp_path / "here", {}), render(name, params, tmp_path / "there", PLAIN)
    assert here and here == there
