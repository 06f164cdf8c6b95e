"""README and docs name only what there is: links, paths of the repository, targets of make, modules."""

import re
from pathlib import Path

import pytest

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
