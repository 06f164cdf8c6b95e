"""The DAG with the preset `demo`, from which tests start: the working tree's params.yaml may be any other."""

import shutil
import tempfile
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from workflow.engines import dag
from workflow.engines.code_dependencies import PACKAGES
from workflow.engines.dag import Stage
from workflow.presets.merge import preset

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "workflow/presets/demo.yaml"
cached_preset = cache(preset)  # reading one takes half a second


def preset_values(name: str = "demo") -> dict[str, Any]:
    """A copy of the values of a preset, which may be changed."""
    return deepcopy(cached_preset(name))


def demo_project(folder: Path) -> Path:
    """A folder with the project's DAG and code and the parameters of the preset `demo`."""
    shutil.copy(ROOT / "dvc.yaml", folder)
    shutil.copy(DEMO, folder / "params.yaml")
    for package in PACKAGES:
        (folder / package).symlink_to(ROOT / package)
    return folder


@cache
def demo_stages() -> dict[str, Stage]:
    """The stages of the preset `demo`."""
    with tempfile.TemporaryDirectory() as folder:
        return dag.resolve(demo_project(Path(folder)))
