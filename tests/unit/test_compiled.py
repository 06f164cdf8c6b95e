"""Compiled networks train as others do, within rounding; without a compiler training goes on as it was."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.operations import PROFILED, count_fused, count_updates
from dcgan.core.distributed import Group
from dcgan.data.minibatches import Batches
from dcgan.models.networks import Generator
from dcgan.training.adversarial import AdversarialTraining
from dcgan.training.compiled import can_compile
from stages.train_dcgan import state_of_run
from tests.dag.tiny import tiny_params
from tests.shared_training import difference
from tests.unit.test_adversarial import CPU, SETTINGS, SMALLEST, images
from tests.unit.test_guidelines import SMALL
from workflow.params.load import load_params

ROOT = Path(__file__).parents[2]
HERE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def trained(device: torch.device, minibatches: int, **changes: object) -> dict[str, torch.Tensor]:
    """A network with few layers: the compiler takes seconds for each kernel."""
    training = AdversarialTraining(SMALL, replace(SETTINGS, **changes), device)
    batches = Batches(images()[:, ::2, ::2], None, np.arange(41), 8, 7, device)
    for number in range(minibatches):
        training.step(*batches.batch(number))
    return {name: tensor.cpu() for name, tensor in training.state().items()}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler on this machine")
def test_compiled_networks_end_where_others_do() -> None:
    """On a GPU inside a CUDA graph."""
    assert can_compile(HERE)
    start, plain = (trained(HERE, minibatches, capture=True) for minibatches in (0, 4))
    with torch._inductor.config.patch(PROFILED):  # so the next test finds these kernels in the compiler's cache
        compiled = trained(HERE, 4, capture=True, compile=True)
    assert compiled.keys() == plain.keys(), "a checkpoint knows no compiler"
    assert 0 < difference(plain, compiled) < 1e-4 * difference(start, plain)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler on this machine")
def test_norms_activations_and_casts_are_fused() -> None:
    """Of the operations in `benchmarks/operations.py`, those that the compiler can put together."""
    counted = {name: operations.counts for name, (operations, _) in count_updates(SMALL, 2, "float32").items()}
    kinds = "norm", "relu", "tanh", "threshold"
    apart = {name: sum(n for kind, n in of.items() if any(k in kind for k in kinds)) for name, of in counted.items()}
    fused = count_fused(SMALL, SETTINGS.batch_size, "float32")
    assert all(0 < fused[name] < 0.75 * apart[name] for name in ("generator", "discriminator")), (apart, fused)


@pytest.mark.slow
def test_without_a_compiler_a_warning_says_so(tmp_path: Path) -> None:
    program = "import torch; from dcgan.training.compiled import can_compile; print(can_compile(torch.device('cpu')))"
    environment = os.environ | {"CXX": str(tmp_path / "no compiler"), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n" and "warning: networks are not compiled; " in done.stderr


def test_a_group_of_processes_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("compiled")

    monkeypatch.setattr(torch, "compile", refuse)
    AdversarialTraining(SMALLEST, replace(SETTINGS, compile=True), CPU, Group(0, 2))
    with pytest.raises(AssertionError, match="compiled"):
        AdversarialTraining(SMALLEST, replace(SETTINGS, compile=True), CPU)


def test_the_generators_update_leaves_the_discriminators_gradients_alone() -> None:
    training = AdversarialTraining(SMALLEST, SETTINGS, CPU)
    training.update_generator(None, training.latents(8, "g", 0))
    assert all(weights.grad is None and weights.requires_grad for weights in training.discriminator.parameters())
    assert all(weights.grad is not None for weights in training.generator.parameters())


def test_a_compiled_run_has_a_state_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCGAN_STATE", str(tmp_path / "state"))
    tiny_params(tmp_path / "params.yaml")
    (tmp_path / "images.h5").write_bytes(b"images")
    params = load_params(tmp_path / "params.yaml")
    given = "bedrooms", params, SMALLEST, tmp_path / "images.h5", CPU
    assert state_of_run(*given, is_compiled=True) != state_of_run(*given, is_compiled=False) == state_of_run(*given)


def test_samples_are_drawn_by_the_network_itself() -> None:
    training = AdversarialTraining(SMALLEST, replace(SETTINGS, compile=True), CPU)
    assert isinstance(training.generator, Generator) and training.generator.sample(1, seed=1).shape == (1, 32, 32, 3)
