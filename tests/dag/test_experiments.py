"""Experiments, and places that are awkward: one very small checkout, in which one network is trained again and again.

It lies on a drive of its own, below folders with blanks, an ampersand and letters that are not ASCII; its first run has
no HOME, a locale without UTF-8 and a secret in its environment. docs/experiments.md has the commands for people.
"""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dcgan.core.files import read_json
from tests.conftest import digests_below
from tests.dag.conftest import SECRET, commit_everything, files_with
from tests.dag.disks import can_mount
from tests.dag.reliability import fault
from workflow.engines.clock import check_clock
from workflow.engines.dag import resolved_stages
from workflow.params.load import read_yaml

pytestmark = pytest.mark.slow
Run = Callable[..., Any]
TARGET = "train_dcgan@svhn"
KEY = "train.svhn.learning_rate"


@pytest.fixture(scope="module")
def barren(environment: dict[str, str]) -> dict[str, str]:
    """An environment without a home and with a locale that knows ASCII only."""
    left_out = ("HOME", "XDG_CACHE_HOME", "LANG", "PYTHONUTF8", "PYTHONIOENCODING")
    kept = {key: value for key, value in environment.items() if key not in left_out}
    return kept | {"LC_ALL": "C"}


@pytest.fixture(scope="module")
def trained(odd_place: Path, barren: dict[str, str]) -> Path:
    """The checkout after `dvc repro` of one network, its lock file committed."""
    command = ["dvc", "repro", TARGET]
    finished = subprocess.run(command, cwd=odd_place, env=barren, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    commit_everything(odd_place)
    return odd_place


def snakemake(folder: Path, environment: dict[str, str], *options: str) -> None:
    command = ["snakemake", "--cores", "1", *options]
    finished = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr


@fault(
    "an awkward place or environment",
    "the same bytes",
    "0",
    "blanks, `&`, letters outside ASCII in the path; another drive; no `HOME`; `LC_ALL=C`",
)
def test_awkward_places_and_environments_work(trained: Path, barren: dict[str, str]) -> None:
    made = digests_below(trained / "data/packed/svhn")
    assert made and (trained / "data/networks/svhn/generator.safetensors").exists()
    snakemake(trained, barren, "--force", "pack_images@svhn")
    assert digests_below(trained / "data/packed/svhn") == made


@fault("Python without UTF-8, such names in the data", "the same bytes", "0", "`export_lsun`")
def test_a_stage_needs_no_utf_8(
    root: Path, tmp_path: Path, run: Run, environment: dict[str, str], good_image: bytes
) -> None:
    """Python takes UTF-8 by itself where the locale is C; here it must not, and knows ASCII only."""
    photos = tmp_path / "Räume"
    photos.mkdir()
    for number in range(3):
        (photos / f"é{number}.jpg").write_bytes(good_image)
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    made = {}
    for name, changes in {"utf-8": {}, "ascii": ascii_only}.items():
        command = [sys.executable, "-m", "stages.export_lsun", "--source", str(photos), "--shard", "0"]
        command += ["--out", str(tmp_path / f"é {name}")]
        subprocess.run(command, cwd=root, env=environment | changes, check=True)
        made[name] = digests_below(tmp_path / f"é {name}")
    assert made["ascii"] == made["utf-8"] and len(made["utf-8"]) == 4


def test_sidecars_name_data_as_dvc_does(trained: Path) -> None:
    locked = read_yaml(trained / "dvc.lock")["stages"]
    assert set(locked) == {"digest_code", "render_demo@digits", "pack_images@svhn", TARGET}
    for name, stage in locked.items():
        sidecar = read_json(trained / f"results/provenance/{name}.json")
        assert sidecar["command"] == stage["cmd"]
        assert sidecar["inputs"] == {entry["path"]: f"md5:{entry['md5']}" for entry in stage["deps"]}
        assert sidecar["outputs"] == {entry["path"]: f"md5:{entry['md5']}" for entry in stage["outs"]}
        assert sidecar["git_dirty"] is False and sidecar["machine"]["threads"] == 1


@fault("a secret in the environment", "it stands in no file, logs of jobs included", "0", "both engines, Slurm")
def test_a_secret_of_the_environment_is_in_no_file(trained: Path, barren: dict[str, str]) -> None:
    assert barren["SERVICE_TOKEN"] == SECRET
    assert (trained / "dvc.lock").is_file() and (trained / ".snakemake").is_dir()
    assert files_with(SECRET, trained.parent) == []


@fault(
    "inputs are newer than now",
    "DVC has nothing to do; Snakemake does not start: `... was changed in the future, by this machine's clock`",
    "2",
    "both engines",
)
def test_a_clock_that_was_set_back(trained: Path, run: Run) -> None:
    """Inputs seem to come from tomorrow; Snakemake by itself would make the stage and then throw its outputs away."""
    made, source = digests_below(trained / "data/packed/svhn"), trained / "data/demo/digits"
    tomorrow = time.time() + 86_400
    for path in [source, *source.rglob("*")]:
        os.utime(path, (tomorrow, tomorrow))
    assert "pack_images@svhn" not in json.loads(run(trained, "dvc", "status", "--json", TARGET).stdout)
    finished = run(trained, "snakemake", "--cores", "1", "data/packed/svhn", status=2)
    (line,) = [line for line in finished.stderr.splitlines() if line.startswith("error: ")]
    assert "data/demo/digits was changed in the future" in line
    assert digests_below(trained / "data/packed/svhn") == made
    for path in [source, *source.rglob("*")]:
        path.touch()
    check_clock(trained, resolved_stages(trained))


@fault(
    "DVC's cache cannot be written",
    "`Read-only file system`; the outputs are there, and the next `dvc repro` goes on",
    "255",
    "`dvc repro`",
)
@pytest.mark.skipif(not can_mount(), reason="a read-only disk is mounted by root, on Linux")
def test_a_cache_that_cannot_be_written(trained: Path, run: Run) -> None:
    made, cache = digests_below(trained / "data/packed/svhn"), trained / ".dvc" / "cache"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=64k", "tmpfs", cache], check=True)
    try:
        finished = run(trained, "dvc", "repro", "--single-item", "--force", "pack_images@svhn", status=255)
    finally:
        subprocess.run(["umount", cache], check=True)
    (line,) = [line for line in finished.stderr.splitlines() if line.startswith("ERROR: ")]
    assert "Read-only file system" in line
    assert digests_below(trained / "data/packed/svhn") == made
    run(trained, "dvc", "repro", "pack_images@svhn")


def experiments(folder: Path, run: Run) -> dict[str, dict[str, str]]:
    """The rows of `dvc exp show` by name, without the commit that they start from."""
    table = csv.DictReader(io.StringIO(run(folder, "dvc", "exp", "show", "--csv").stdout))
    return {row["Experiment"]: row for row in table if row["Experiment"]}


@pytest.fixture(scope="module")
def plain(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout moved to a path of ASCII letters, which DVC needs for temporary folders."""
    place = tmp_path_factory.mktemp("plain") / "check out"
    shutil.copytree(trained, place, symlinks=True)
    return place


@fault(
    "letters outside ASCII in the path of `dvc exp run --temp` or a queue",
    "DVC refuses: `'ascii' codec can't encode character`; the checkout stays as it was",
    "255",
    "`dvc exp run`",
)
def test_a_path_that_dvc_cannot_run_experiments_in(trained: Path, run: Run) -> None:
    """Its own fault: it writes the cache's path into the temporary folder's configuration as ASCII."""
    printed = run(trained, "dvc", "exp", "run", "--temp", "-S", f"{KEY}=0.0003", TARGET, status=255).stderr
    assert "'ascii' codec can't encode character" in printed
    assert run(trained, "git", "status", "--porcelain", "params.yaml").stdout == ""


def wait_for_queue(folder: Path, run: Run) -> None:
    until = time.monotonic() + 300
    while any(word in run(folder, "dvc", "queue", "status").stdout for word in ("Queued", "Running")):
        assert time.monotonic() < until, run(folder, "dvc", "queue", "status").stdout
        time.sleep(3)  # asking takes a second or two of a core


def test_a_sweep_is_queued_run_compared_kept_and_thrown_away(
    plain: Path, run: Run, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(environment, "DCGAN_STATE", str(plain / ".state"))
    run(plain, "dvc", "exp", "run", "--queue", "-S", f"{KEY}=0.0001,0.0004", TARGET)
    run(plain, "dvc", "queue", "start", "-j", "2")
    wait_for_queue(plain, run)
    found = experiments(plain, run)
    assert {row[KEY] for row in found.values()} == {"0.0001", "0.0004"}, run(plain, "dvc", "queue", "status").stdout
    assert len({row[column] for row in found.values() for column in row if column.endswith("g_loss")}) == 2

    kept, thrown = sorted(found, key=lambda name: found[name][KEY])
    # Its status tells that the rest of the DAG, which was never made here, is not in the cache.
    run(plain, "dvc", "exp", "apply", kept, status=None)
    assert read_yaml(plain / "params.yaml")["train"]["svhn"]["learning_rate"] == 0.0001
    (shown,) = [float(value) for column, value in found[kept].items() if column.endswith("g_loss")]
    assert read_json(plain / "results/metrics/train_svhn.json")["g_loss"] == pytest.approx(shown, rel=1e-6)
    run(plain, "dvc", "exp", "remove", thrown)
    assert set(experiments(plain, run)) == {kept}
    assert not list((plain / ".state").glob("train_dcgan*")), "checkpoints of finished experiments are gone"


def test_experiments_run_at_once_each_as_a_job_of_its_own(
    plain: Path, run: Run, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `sbatch --wrap` runs on a cluster, without the cluster."""
    monkeypatch.setitem(environment, "DCGAN_STATE", str(plain / ".state"))
    rates = {"slow": "0.0002", "fast": "0.0008"}
    jobs = [
        subprocess.Popen(
            ["dvc", "--wait-for-lock", "exp", "run", "--temp", "-n", name, "-S", f"{KEY}={rate}", TARGET],
            cwd=plain,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for name, rate in rates.items()
    ]
    for job in jobs:
        printed, _ = job.communicate(timeout=300)
        assert job.returncode == 0, printed
    found = experiments(plain, run)
    assert {name: found[name][KEY] for name in rates} == rates


def test_experiments_build_on_each_other_until_one_goes_back(plain: Path, run: Run) -> None:
    """README's "By hand": the next one inherits what changed; the way back costs no training."""
    run(plain, "git", "checkout", ".")
    run(plain, "dvc", "checkout", "--with-deps", TARGET)
    committed = digests_below(plain / "data/networks/svhn")
    run(plain, "dvc", "exp", "run", "-n", "first", "-S", f"{KEY}=0.0006", TARGET)
    run(plain, "dvc", "exp", "run", "-n", "second", "-S", "++train.svhn.beta1=0.6", TARGET)
    second = experiments(plain, run)["second"]
    assert (second[KEY], second["train.svhn.beta1"]) == ("0.0006", "0.6")

    run(plain, "git", "checkout", ".")
    run(plain, "dvc", "checkout", "--with-deps", TARGET)  # the rest of the DAG was never made here
    assert "Running stage" not in run(plain, "dvc", "repro", TARGET).stdout
    assert digests_below(plain / "data/networks/svhn") == committed
