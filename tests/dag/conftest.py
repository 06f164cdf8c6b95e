"""Clean copies of the project, in which tests may run the engines."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from compileall import compile_dir
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import TYPE_CHECKING, Any

import pytest

from tests.dag.demo import DEMO, demo_project
from tests.dag.disks import can_mount
from tests.dag.tiny import tiny_params
from workflow.engines.code_dependencies import PACKAGES

if TYPE_CHECKING:
    from tests.dag.world import World

ROOT = Path(__file__).parents[2]
ENGINES = Path(sys.executable).parent
# Stages of which another of the same kind is run: each is a process that imports PyTorch, and under both engines.
FEWER = {
    "pack": {"sets": {"imagenet": "left out"}},
    "train": {"imagenet": "left out"},
    "features": {"cifar10": "left out"},
    "svm": {"cifar10": "left out"},
    "guidelines": {"variants": {"global_pooling": "left out"}},
    "supervised": {"shards": [0]},  # the export has two
}
ONE_TEMPLATE = Lock()
SECRET = "-".join(["hunter2", "tell", "nobody"])  # in pieces: this file is in the checkouts that are searched for it


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the project's DAG and code and the parameters of the preset `demo`."""
    return demo_project(tmp_path_factory.mktemp("demo"))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clean copy of the project, in a repository of its own."""
    return make_checkout(tmp_path / "checkout")


def make_checkout(folder: Path) -> Path:
    """What git knows, or would add, of this project as the only commit of a new repository, with the preset `demo`."""
    with ONE_TEMPLATE:
        kept = template()
    return Path(shutil.copytree(kept.name, folder, symlinks=True))


@cache  # which lets two threads each make one, and removes the first while it is being copied
def template() -> "TemporaryDirectory[str]":
    """What checkouts are copies of, its modules compiled; removed when Python ends."""
    kept = TemporaryDirectory()
    folder = Path(kept.name)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_symlink() or (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    shutil.copy2(DEMO, folder / "params.yaml")
    commit_everything(folder)
    for package in PACKAGES:
        compile_dir(folder / package, quiet=1)
    return kept


def commit_everything(folder: Path) -> None:
    """All files of a folder as a commit, whoever the machine thinks that its user is."""
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    subprocess.run(["git", *identity, "commit", "-q", "--allow-empty", "-m", "state"], cwd=folder, check=True)


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of this process, away from the user's own settings, with a secret in it."""
    home = tmp_path_factory.mktemp("home")
    identity = {
        f"GIT_{role}_{what}": "test@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    return {
        **os.environ,
        **identity,
        "PATH": f"{ENGINES}:{os.environ['PATH']}",
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "DVC_SITE_CACHE_DIR": str(home / "dvc"),
        "OMP_NUM_THREADS": "1",
        "SERVICE_TOKEN": SECRET,
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }


def files_with(secret: str, folder: Path) -> list[Path]:
    """The files below a folder in which a secret stands; links are not followed."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in files if secret.encode() in path.read_bytes()]


@pytest.fixture(scope="session")
def run(environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command of this environment in a folder; returns what it printed."""

    def run(folder: Path, *command: str, status: int | None = 0) -> subprocess.CompletedProcess[str]:
        finished = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        printed = f"{' '.join(command)}: status {finished.returncode}\n{finished.stdout}\n{finished.stderr}"
        assert status is None or finished.returncode == status, printed
        return finished

    return run


@pytest.fixture(scope="session")
def odd_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A very small checkout on a drive of its own (a tmpfs, where one may be mounted), below names that are awkward."""
    drive = tmp_path_factory.mktemp("drive")
    if can_mount():
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600m", "tmpfs", drive], check=True)
    try:
        yield tiny_checkout(drive / "Räume & mehr" / "der Code")
    finally:
        if can_mount():
            subprocess.run(["umount", "--lazy", drive], check=True)


def tiny_checkout(folder: Path, further: Mapping[str, Any] | None = None) -> Path:
    """A clean copy with very small parameters, further ones, and without results, committed."""
    make_checkout(folder)
    tiny_params(folder / "params.yaml", further)
    for path in (folder / "results").rglob("*.*"):
        path.unlink()
    (folder / "dvc.lock").unlink(missing_ok=True)
    commit_everything(folder)
    return folder


@pytest.fixture(scope="session")
def checkouts(tmp_path_factory: pytest.TempPathFactory, run: Callable[..., Any]) -> dict[str, Path]:
    """Two clean copies, each after a run of one engine. They run at the same time: load must not change a byte."""
    commands = {"dvc": ("python", "-m", "workflow.repro"), "snakemake": ("snakemake", "--cores", "2")}
    folders = {engine: tiny_checkout(tmp_path_factory.mktemp(engine) / "checkout", FEWER) for engine in commands}

    def timed(engine: str) -> float:
        started = time.monotonic()
        run(folders[engine], *commands[engine])
        return time.monotonic() - started

    with ThreadPoolExecutor() as threads:
        for engine, seconds in zip(commands, threads.map(timed, commands), strict=True):
            print(f"{' '.join(commands[engine])}: {seconds:.0f} s")
    return folders


@pytest.fixture(scope="session")
def every_stage(tmp_path_factory: pytest.TempPathFactory) -> "World":
    """A very small world in which every stage has run in this process."""
    from tests.dag.world import make_world  # here: it imports torch, which takes seconds

    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def under_dvc(checkouts: dict[str, Path]) -> Path:
    return checkouts["dvc"]


@pytest.fixture
def under_snakemake(checkouts: dict[str, Path]) -> Path:
    return checkouts["snakemake"]
