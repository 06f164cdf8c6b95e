"""What only a GPU can show; skipped where there is none. Of this project it needs `dcgan/` alone."""

import os
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from dcgan.data.minibatches import Batches
from dcgan.models.architectures import ARCHITECTURES
from dcgan.models.networks import Discriminator
from dcgan.representation.features import DiscriminatorFeatures, estimate_on_images
from dcgan.training.adversarial import AdversarialTraining, Settings

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
ROW = ARCHITECTURES["demo32"]
SETTINGS = Settings(
    batch_size=16,
    learning_rate=0.0002,
    beta1=0.5,
    beta2=0.999,
    weight_decay=1e-5,
    schedule="alternate",
    precision="float32",
    synchronised_norm=False,
    capture=False,
    seed=7,
)
IMAGES = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3), np.uint8)


@pytest.fixture(autouse=True)
def deterministic(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As `workflow.engines.stage.prepare` sets a GPU up for `run.deterministic`."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)


def device() -> torch.device:
    return torch.device("cuda", 0)


def batches() -> Batches:
    return Batches(IMAGES, None, np.arange(64), 16, 7, device())


def train(training: AdversarialTraining, first: int, end: int) -> dict[str, Tensor]:
    """The state after some minibatches, on the CPU."""
    source = batches()
    for number in range(first, end):
        training.step(*source.batch(number))
    return {name: tensor.cpu().clone() for name, tensor in training.state().items()}


def assert_close(one: dict[str, Tensor], two: dict[str, Tensor], tolerance: float) -> None:
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        assert torch.allclose(tensor, two[name], rtol=tolerance, atol=tolerance, equal_nan=True), name


@pytest.mark.parametrize("schedule", ["alternate", "both"])
def test_updates_recorded_as_graphs_end_where_others_do(schedule: str) -> None:
    settings = replace(SETTINGS, schedule=schedule)
    plain = AdversarialTraining(ROW, settings, device())
    recorded = AdversarialTraining(ROW, replace(settings, capture=True), device())
    for training in (plain, recorded):
        training.scale_learning_rate(0.5)
    assert_close(train(plain, 0, 6), train(recorded, 0, 6), 1e-6)


def test_a_recorded_run_goes_on_from_its_state() -> None:
    settings = replace(SETTINGS, capture=True)
    whole = train(AdversarialTraining(ROW, settings, device()), 0, 8)
    half = train(AdversarialTraining(ROW, settings, device()), 0, 4)
    again = AdversarialTraining(ROW, settings, device())
    again.load_state(half, 4)
    assert_close(train(again, 4, 8), whole, 1e-6)


def test_two_deterministic_runs_are_the_same_bytes() -> None:
    one, two = (train(AdversarialTraining(ROW, SETTINGS, device()), 0, 6) for _ in range(2))
    assert all(tensor.numpy().tobytes() == two[name].numpy().tobytes() for name, tensor in one.items())


def test_batches_on_the_device_are_those_that_are_sent_there(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = batches()
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_: (0, 0))
    sent = batches()
    assert (kept._on_device is not None, sent._on_device) == (True, None)
    for number in range(6):
        assert torch.equal(kept.batch(number)[0], sent.batch(number)[0])


def test_bfloat16_leaves_weights_and_moments_in_float32() -> None:
    state = train(AdversarialTraining(ROW, replace(SETTINGS, precision="bfloat16"), device()), 0, 6)
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}
    plain = train(AdversarialTraining(ROW, SETTINGS, device()), 0, 6)
    weights = [name for name in plain if ".adam." not in name and plain[name].isfinite().all()]
    assert all(torch.allclose(state[name], plain[name], atol=0.01) for name in weights)


def test_features_are_those_of_the_cpu() -> None:
    rows = []
    for place in (torch.device("cpu"), device()):
        network = Discriminator(ARCHITECTURES["demo_svhn32"]).initialize(torch.Generator().manual_seed(1)).to(place)
        estimate_on_images(network, IMAGES, 16)
        rows.append(DiscriminatorFeatures(network)(IMAGES[:8]).cpu())
    assert torch.allclose(rows[0], rows[1], atol=1e-4)
