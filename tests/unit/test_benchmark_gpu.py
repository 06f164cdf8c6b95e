"""`make benchmark-gpu`: every part runs on a device, and on a bare machine; its rates are what `make plan` reads."""

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import gpu, gpu_training
from benchmarks.as_stages import apply, as_stages_run, settings
from benchmarks.gpu_table import Row, plan_rates, short_name
from benchmarks.training import MATRIX_SIDE
from tests.simulated_gpu.simulation import IS_REAL, any_gpu
from workflow.engines.stage import prepare
from workflow.params.load import read_yaml
from workflow.params.sections import Run
from workflow.planning.plan import RATES, basis, seconds_of, with_measured
from workflow.workload import Work

ROOT = Path(__file__).parents[2]
SMALLEST = replace(gpu.ON_CPU, batch_size=8, seconds=0.0, images=16, encoded=8, rows=40, references=200)
MEASURED = (
    Row("a", 1.0, "images/s", gflops=("large", 9000.0)),
    Row("b", 1.0, "images/s", gflops=("large", 8000.4)),
    Row("c", 1.0, "images/s", gflops=("training", 3000.0)),
    Row("d", 1.0, "images/s", gflops=("matrix", 20000.0)),
)
OTHER = (0, True, True, True, "high")  # than stages have them
# What a bare machine with PyTorch and scikit-learn, which brings threadpoolctl, does not have.
ABSENT = ("lmdb", "dvc", "snakemake", "simplejpeg", "pydantic", "ruamel", "flatten_dict")


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.device]:
    monkeypatch.setitem(MATRIX_SIDE, "cuda", 64)
    monkeypatch.setitem(gpu_training.STEPS_A_LOOK, "cuda", 2)
    with any_gpu():
        if not IS_REAL:
            monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: 0)
            monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: None)
        yield torch.device("cuda", 0)


def test_every_part_runs_on_a_device(device: torch.device, tmp_path: Path) -> None:
    """A real or a simulated one: nothing mixes devices, and a plan gets all that it needs."""
    rows, failed = gpu.measure([part for part in gpu.PARTS if part != "tests"], SMALLEST, device, tmp_path)
    assert not failed, rows
    assert all(row.measured and row.measured > 0 for row in rows)
    assert plan_rates(rows, "NVIDIA H200", "here") is not None
    by_name = {row.what: row for row in rows}
    peer = by_name["training, `demo32`, batch 8: loop of the PyTorch examples, the same store"].measured
    ours = by_name["training, `demo32`, batch 8, `both`, float32"]
    assert ours.ratio == ours.measured / peer  # type: ignore[operator]
    assert by_name["training, `demo32`, batch 8, `alternate`, bfloat16, graph, compiled"].beside == "not compiled"


def test_a_bare_machine_can_run_it(tmp_path: Path) -> None:
    """On a CPU: a table, and no rates that a plan would take for a GPU's. Its tests can be collected, too."""
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({ABSENT}))\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "benchmarks.gpu", "--only", "kmeans", "compiled", "--out", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "No GPU: small sizes" in done.stdout, done.stdout + done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["benchmark_gpu.csv", "benchmark_gpu.md"]
    with (tmp_path / "out/benchmark_gpu.csv").open(encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert len(found) == 3 and all(float(row["measured"]) > 0 for row in found if row["note"] != "not on a CPU")
    assert "| K-means features, 20 centroids |" in (tmp_path / "out/benchmark_gpu.md").read_text(encoding="utf-8")
    collect = [*gpu.tests_command(), "--collect-only"]
    done = subprocess.run(collect, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and all(f"{path}::" in done.stdout for path in gpu.TESTS), done.stdout + done.stderr


def test_workers_that_fail_cost_their_row_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shared memory of a container may hold the batches of a few workers only. One a core that the job may use."""
    peer = gpu_training.peer_iterations

    def failing(a: Any, data: Any, batch_size: int, device: torch.device, workers: int) -> Iterator[None]:
        if workers == 3:
            raise RuntimeError("DataLoader worker is killed by signal: Bus error.\nIt is out of shared memory")
        return peer(a, data, batch_size, device, 0)

    monkeypatch.setattr(gpu_training, "peer_iterations", failing)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 7})
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    s = SMALLEST
    rows = list(gpu_training.training_rows("demo32", s.batch_size, 0.0, s.images, s.encoded, 1e9, torch.device("cpu")))
    assert [(row.what.rpartition(", ")[2], row.texts[0]) for row in rows if row.measured is None] == [
        ("3 workers", "–; failed: DataLoader worker is killed by signal: Bus error.")
    ]
    assert len(rows) == 7


def test_networks_are_not_compiled_for_a_cpu_or_without_a_compiler(
    device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_training, "can_compile", lambda _: False)
    for place, why in ((torch.device("cpu"), "not on a CPU"), (device, "no compiler for this GPU")):
        row = gpu_training.compiled_row("demo32", 8, 0.0, 16, 1e9, place)
        assert (row.measured, row.note) == (None, why)


def test_a_part_that_fails_costs_no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One that takes too long ends the run, with what was measured before."""

    def rows_of(part: str, *_: Any) -> Iterator[Row]:
        if part == "tests":
            raise RuntimeError("3 failed")
        yield Row(part, 1.0, "images/s")
        if part == "features":
            raise gpu.TimeUp

    monkeypatch.setattr(gpu, "rows_of", rows_of)
    rows, failed = gpu.measure(list(gpu.PARTS), SMALLEST, torch.device("cpu"), tmp_path)
    assert failed
    assert [row.what for row in rows] == ["tests: failed", "training", "features", "features: not done in time"]
    assert rows[0].note == "RuntimeError: 3 failed"


@pytest.mark.parametrize("deterministic", [True, False])
def test_rows_and_tests_as_stages_run_have_their_settings(deterministic: bool) -> None:
    """And leave what they found."""
    run = Run(
        seed=0,
        threads=torch.get_num_threads(),
        device="cpu",
        deterministic=deterministic,
        capture=False,
        compile=False,
        tensorboard=None,
    )
    with as_stages_run(not deterministic):  # puts back what the stage's preparation sets
        prepare(run)
        expected = settings()
        apply(*OTHER)
        contexts = [as_stages_run(deterministic), any_gpu()] if deterministic else [as_stages_run(deterministic)]
        for context in contexts:
            with context:
                assert settings() == expected
            assert settings() == OTHER


def test_products_are_float32_in_containers_too() -> None:
    with as_stages_run(deterministic=False):
        apply(*OTHER)
        gpu.prepare(torch.device("cpu"))
        assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.parametrize("part", ["features", "neighbours", "kmeans"])
def test_rates_of_what_comes_after_training_are_of_true_float32(
    part: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the fastest kernels, as a preset for a GPU has it."""
    found = []

    def note(*_: object) -> Iterator[Row]:
        found.append(settings())
        yield Row("", 1.0, "s")

    for name, row in (("feature_rows", note), ("kmeans_rows", note), ("neighbour_row", lambda *_: next(note()))):
        monkeypatch.setattr(gpu, name, row)
    with as_stages_run(deterministic=True):
        apply(*OTHER)
        assert len(list(gpu.rows_of(part, SMALLEST, torch.device("cpu"), tmp_path))) == 1
        assert settings() == OTHER
    assert found == [(0, False, True, False, "highest")]


def test_a_training_in_tf32_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for allowed, name in ((True, "float32 with convolutions in TF32"), (False, "float32")):
        monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", allowed)
        assert gpu_training.in_words("float32", torch.device("cuda")) == name
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    assert gpu_training.in_words("float32", torch.device("cpu")) == "float32"
    assert gpu_training.in_words("bfloat16", torch.device("cuda")) == "bfloat16"


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("NVIDIA H200", "h200"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA GeForce RTX 4090", "4090"),
        ("NVIDIA TITAN", "titan"),
    ],
)
def test_names_of_devices(name: str, short: str) -> None:
    assert short_name(name) == short


def test_a_plan_takes_what_was_measured_in_place_of_data_sheets(tmp_path: Path) -> None:
    path = tmp_path / "gpu_rates.yaml"
    path.write_text(plan_rates(MEASURED, "NVIDIA A100-SXM4-80GB", "NVIDIA A100, torch 2.11") or "", encoding="utf-8")
    sheets = read_yaml(RATES)
    rates = with_measured(sheets, path)
    assert rates["gpus"].keys() == sheets["gpus"].keys() and with_measured(sheets, tmp_path / "none") is sheets
    work = Work(large_gflop=8000.0, training_gflop=6000.0, matrix_gflop=20_000.0, minibatches=100)
    assert seconds_of(work, 8, 1, rates, "a100") == pytest.approx(1 + 2 + 1)
    assert seconds_of(work, 8, 2, rates, "a100") == pytest.approx(2)
    assert seconds_of(work, 8, 1, sheets, "a100") == pytest.approx(34_000 / 6000 + 100 * sheets["minibatch_seconds"])
    assert "measured on NVIDIA A100, torch 2.11" in basis(rates, "a100")[-1]
    assert "not measured" in basis(rates, "h100")[-1]


def test_rates_are_written_only_if_every_kind_of_work_was_measured() -> None:
    assert plan_rates(MEASURED[:-1], "NVIDIA H200", "here") is None
