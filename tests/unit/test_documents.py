"""README and docs name only what there is: links, paths of the repository, targets of make, modules."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dcgan.core.seeding import torch_generator
from dcgan.data.layouts import SPLIT_NAMES
from dcgan.models.architectures import ARCHITECTURES
from dcgan.models.networks import Generator

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TRACKED = ("dcgan", "demo", "stages", "workflow", "tests", "benchmarks", "docs", "slurm")


@pytest.fixture(params=DOCUMENTS, ids=lambda path: path.name)
def document(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_relative_links_lead_to_files(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert missing == [] and (len(links) > 40 or document.name != "README.md")


def test_paths_of_the_repository_exist(document: Path) -> None:
    """Data and results come from a run; code, tests and documents have to be there."""
    paths = re.findall(rf"(?<![\w/.-])((?:{'|'.join(TRACKED)})/[\w./-]*)", document.read_text(encoding="utf-8"))
    assert [path for path in paths if not (ROOT / path.rstrip(".")).exists()] == []


def test_targets_of_make_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"`(?:\w+=\S+ )?make ([a-z-]+)", text) + re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)
    assert set(named) - targets == set()


def test_modules_that_are_run_exist(document: Path) -> None:
    modules = re.findall(r"python -m ((?:workflow|stages|benchmarks)[\w.]*)", document.read_text(encoding="utf-8"))
    assert [name for name in modules if not (ROOT / f"{name.replace('.', '/')}.py").is_file()] == []


def test_the_table_of_layouts_has_every_name_of_a_split() -> None:
    (line,) = [line for line in (ROOT / "docs/data.md").read_text().splitlines() if "these splits. Also" in line]
    assert set(re.findall(r"`(\w+)`", line)) == SPLIT_NAMES.keys()


def test_readmes_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it installs, and with a network at the place that it names."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    installed, code = re.findall(r"after\n`(pip install -e \.)`:\n\n```python\n(.*?)```", readme, re.DOTALL)[0]
    generator = Generator(ARCHITECTURES["demo32"]).initialize(torch_generator(1, "readme"))
    generator.save(tmp_path / "data/networks/bedrooms/generator.safetensors", {})
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code, names)
    told = re.search(r"# (\(.*?\)) (\w+)", code)
    assert told is not None and installed
    assert (str(names["images"].shape), str(names["images"].dtype)) == told.groups()
    assert np.array_equal(names["rooms"].sample(1, seed=1), names["images"][:1])
    assert names["strip"].shape[1:] == (32, 32, 3) and len(names["strip"]) == 10


def test_readme_says_what_to_do_without_the_internet_that_pages_of_dvc_plots_need() -> None:
    """As long as DVC's page loads what draws it from elsewhere."""
    from dvc_render.vega import VegaRenderer

    assert re.search(r'<script src="https://[^"]+/vega@', VegaRenderer.SCRIPTS)
    assert "dvc plots diff needs the internet: make compare does not" in (ROOT / "README.md").read_text(
        encoding="utf-8"
    )
