"""What a run's state depends on: each thing that determines the result changes its digest, and nothing else does."""

import ast
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dcgan.core import checkpoints
from dcgan.models.architectures import ARCHITECTURES
from stages.train_dcgan import state_of_run
from tests.dag.tiny import tiny_params
from workflow.engines import state
from workflow.engines.state import State, state_of
from workflow.params.load import load_params
from workflow.params.sections import Run

ROOT = Path(__file__).parents[2]
RUN = Run(seed=1, threads=2, device="cpu", deterministic=True, capture=True, compile=False, tensorboard=None)
Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("DCGAN_STATE", str(tmp_path / "state"))
    (tmp_path / "images.h5").write_bytes(b"images")
    parameters = {"batch_size": 8, "checkpoint_seconds": 60.0}
    return {
        "stage": "train-bedrooms",
        "parameters": parameters,
        "inputs": [tmp_path / "images.h5"],
        "run": RUN,
        "device": "cpu",
    }


def made(given: dict[str, Any]) -> State:
    return state_of(**given)


def of_run(**changes: object) -> Change:
    return lambda given: given.update(run=given["run"].model_copy(update=changes))


def of_parameters(**changes: object) -> Change:
    return lambda given: given["parameters"].update(changes)


def change_input(given: dict[str, Any]) -> None:
    given["inputs"][0].write_bytes(b"others.")


def move_input(given: dict[str, Any]) -> None:
    given["inputs"] = [given["inputs"][0].rename(given["inputs"][0].with_name("moved.h5"))]


DETERMINING: dict[str, Change] = {
    "stage": lambda given: given.update(stage="train-faces"),
    "parameter": of_parameters(batch_size=16),
    "another parameter": of_parameters(epochs=3),
    "input": change_input,
    "one more input": lambda given: given.update(inputs=given["inputs"] * 2),
    "seed": of_run(seed=2),
    "threads": of_run(threads=3),
    "determinism": of_run(deterministic=False),
    "kind of device": lambda given: given.update(device="cuda"),
}
OF_NO_ACCOUNT: dict[str, Change] = {
    "seconds between checkpoints": of_parameters(checkpoint_seconds=1.0),
    "TensorBoard's folder": of_run(tensorboard="board"),
    "how the device was asked for": of_run(device="auto"),
    "CUDA graphs, unless a stage names them": of_run(capture=False),
    "where an input lies": move_input,
}


@pytest.mark.parametrize("name", DETERMINING)
def test_what_determines_the_result_changes_the_state(name: str, given: dict[str, Any]) -> None:
    before = made(given)
    DETERMINING[name](given)
    after = made(given)
    assert after.digest != before.digest and after.folder != before.folder


@pytest.mark.parametrize("name", OF_NO_ACCOUNT)
def test_what_has_no_effect_does_not(name: str, given: dict[str, Any]) -> None:
    before = made(given)
    OF_NO_ACCOUNT[name](given)
    assert made(given) == before


def test_another_pytorch_starts_anew(given: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    before = made(given)
    monkeypatch.setattr(torch, "__version__", "1.0")
    assert made(given).digest != before.digest


def test_the_folder_is_that_of_the_environment(given: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(given)
    assert found.folder.parent.name == "state" and found.folder.name == f"train-bedrooms-{found.digest}"
    monkeypatch.delenv("DCGAN_STATE")
    assert made(given).folder == Path(".state") / f"train-bedrooms-{found.digest}"


def test_a_large_input_is_read_once_and_again_when_it_changes(
    given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whatever process asks: what it keeps lies beside the states."""
    read, digest_of, path = [], checkpoints.digest_of, given["inputs"][0]

    def watched(*parts: object) -> str:
        read.extend(part for part in parts if isinstance(part, Path))
        return digest_of(*parts)

    def again() -> tuple[State, int]:
        read.clear()
        state.content_digest.cache_clear()
        return made(given), len(read)

    small, _ = again()
    assert not small.folder.with_name("digests").exists(), "a small one is not kept"
    monkeypatch.setattr(checkpoints, "digest_of", watched)
    monkeypatch.setattr(state, "LARGE_BYTES", 1)
    assert [again(), again()] == [(small, 1), (small, 0)]
    path.write_bytes(b"others")  # as many bytes
    changed, times = again()
    assert times == 1 and changed != small and again() == (changed, 0)
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    assert again() == (changed, 1)
    other = path.with_name("copy.h5")
    other.write_bytes(b"images")
    os.utime(other, ns=(0, path.stat().st_mtime_ns))
    other.replace(path)
    assert again() == (small, 1), "another file of the same size and time"
    (kept,) = small.folder.with_name("digests").iterdir()
    kept.write_text("{")
    assert again() == (small, 1) and again() == (small, 0)


def test_what_changes_while_it_is_read_is_not_kept(given: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    path, digest_of = given["inputs"][0], checkpoints.digest_of

    def growing(*parts: object) -> str:
        if path in parts:
            path.write_bytes(path.read_bytes() + b"more")
        return digest_of(*parts)

    monkeypatch.setattr(checkpoints, "digest_of", growing)
    monkeypatch.setattr(state, "LARGE_BYTES", 1)
    assert not made(given).folder.with_name("digests").exists()


RESUMABLE = ("train_dcgan", "train_guideline", "extract_features", "fit_kmeans", "search_supervised_cnn")


def test_every_resumable_stage_takes_this_state_and_makes_no_digest_of_its_own() -> None:
    for path in (ROOT / "stages").glob("*.py"):
        names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
        assert ("state_of" in names) is (path.stem in RESUMABLE), path
        assert "digest_of" not in names, path


def test_training_counts_cuda_graphs_on_a_cuda_device_alone(tmp_path: Path) -> None:
    tiny_params(tmp_path / "params.yaml")
    (tmp_path / "images.h5").write_bytes(b"images")
    params = load_params(tmp_path / "params.yaml")
    run = params.run.model_copy(update={"capture": not params.run.capture})
    states = {
        (device, of.run.capture): state_of_run(
            "bedrooms", of, ARCHITECTURES["demo32"], tmp_path / "images.h5", torch.device(device)
        )
        for device in ("cpu", "cuda")
        for of in (params, params.model_copy(update={"run": run}))
    }
    assert states["cpu", True] == states["cpu", False]
    assert states["cuda", True] != states["cuda", False]
