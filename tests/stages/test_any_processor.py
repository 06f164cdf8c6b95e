"""The demo world is whole, and the same bytes in processes that are told to do without parts of the processor."""

import os
import subprocess
import sys
from pathlib import Path

from stages.render_demo import SETS
from tests.conftest import digests_below
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
RENDER = """
import sys
from stages.render_demo import SETS, main
for name in SETS:
    main(["--set", name, "--params", sys.argv[1], "--out", f"{sys.argv[2]}/{name}"])
"""


def rendered(params: Path, out: Path, environment: dict[str, str]) -> dict[str, str]:
    """The digests of the files of all sets, rendered in a process of its own."""
    command = [sys.executable, "-c", RENDER, str(params), str(out)]
    subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=True, capture_output=True)
    return digests_below(out)


def test_all_sets_are_the_same_bytes_on_another_processor(configure: Configure, tmp_path: Path) -> None:
    few = {"bedrooms": 20, "duplicates": 10, "photos": 12, "digits": 40, "objects": 40, "pictures": 40}
    params = configure(demo=few)
    here, there = rendered(params, tmp_path / "here", {}), rendered(params, tmp_path / "there", PLAIN)
    assert here == there
    assert {path.name for path in (tmp_path / "here").iterdir()} == set(SETS)
    assert {name: sorted(path.name for path in (tmp_path / "here" / name).iterdir()) for name in SETS} == {
        "bedrooms": ["bedroom_train_lmdb", "truth.csv", "windows.csv"],
        "faces": ["attributes.csv", "photos"],
        "digits": ["mnist", "svhn"],
        "objects": ["cifar-10-batches-bin", "imagenet"],
    }
