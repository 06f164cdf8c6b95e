"""The library as `pip install .` gives it to another project: dcgan, all of it and nothing else."""

import ast
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OPTIONAL = {"torch-fidelity"}  # imported when a parameter asks for it

IMPORT_ALL = """
import importlib, pkgutil, sys
sys.path.insert(0, sys.argv[1])
import dcgan
for module in pkgutil.walk_packages(dcgan.__path__, "dcgan."):
    assert importlib.import_module(module.name).__file__.startswith(sys.argv[1]), module.name
    print(module.name)
unwanted = {"demo", "stages", "workflow", "tests", "dvc", "snakemake", "pydantic", "ruamel"} & set(sys.modules)
assert not unwanted, unwanted
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built in a copy, because setuptools leaves its work beside the code; without an index."""
    copy = tmp_path_factory.mktemp("copy")
    for folder in ("dcgan", "demo", "stages", "workflow"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, copy / name)
    command = [sys.executable, "-m", "pip", "wheel", ".", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, "--no-deps", "--no-build-isolation", "--no-index", "-w", "out"], cwd=copy, check=True)
    (built,) = (copy / "out").iterdir()
    return built


def modules() -> set[str]:
    """All modules and packages of the library, by their paths."""
    paths = (path.relative_to(ROOT).with_suffix("") for path in (ROOT / "dcgan").rglob("*.py"))
    return {".".join(path.parts).removesuffix(".__init__") for path in paths}


def test_the_wheel_holds_the_library_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    (information,) = {name.split("/")[0] for name in names} - {"dcgan"}
    assert information == f"dcgan_pipeline-{PROJECT['version']}.dist-info"
    assert f"{information}/licenses/LICENSE" in names
    code = {name.removesuffix(".py").removesuffix("/__init__") for name in names if name.startswith("dcgan/")}
    assert {name.replace("/", ".") for name in code} == modules()


@pytest.mark.slow
def test_every_module_of_the_wheel_can_be_imported_without_the_repository(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    command = [sys.executable, "-I", "-c", IMPORT_ALL, str(tmp_path / "site")]
    imported = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.split()
    assert {"dcgan", *imported} == modules()


def test_the_library_requires_what_it_imports_and_no_more() -> None:
    imported: set[str] = set()
    for path in (ROOT / "dcgan").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            if isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
    distributions = packages_distributions()
    needed = {
        canonicalize_name(distributions[name][0])
        for name in imported - sys.stdlib_module_names
        if name in distributions
    }
    assert imported - sys.stdlib_module_names - set(distributions) <= {"dcgan"}
    assert needed - OPTIONAL == {Requirement(text).name for text in PROJECT["dependencies"]}


def test_the_pinned_packages_are_those_that_are_required() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pinned = {
        canonicalize_name(requirement.name): str(next(iter(requirement.specifier)).version)
        for requirement in (Requirement(line) for line in lines if line and not line.startswith("#"))
    }
    for text in [*PROJECT["dependencies"], *sum(PROJECT["optional-dependencies"].values(), [])]:
        requirement = Requirement(text)
        version = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{text}: {version} is pinned"


def test_the_citation_names_the_paper_and_this_version() -> None:
    citation = YAML(typ="safe").load(ROOT / "CITATION.cff")
    assert citation["cff-version"] == "1.2.0" and str(citation["version"]) == PROJECT["version"]
    assert {"message", "title", "authors"} <= set(citation) and citation["license"] == PROJECT["license"]
    paper = citation["preferred-citation"]
    assert paper["identifiers"][0]["value"] == "arXiv:1511.06434" and paper["year"] == 2016
    assert [author["family-names"] for author in paper["authors"]] == ["Radford", "Metz", "Chintala"]
