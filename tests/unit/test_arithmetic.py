"""In which numbers, and in which order in memory, a device computes; and that no images are read that nothing sees."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch

from dcgan.core.distributed import ALONE
from dcgan.data.minibatches import Batches
from dcgan.models.networks import Discriminator
from dcgan.training.adversarial import AdversarialTraining
from dcgan.training.arithmetic import precision_on
from tests.simulated_gpu.simulation import simulated_gpu
from tests.unit.test_adversarial import CPU, SETTINGS, SMALLEST, images
from tests.unit.test_training_run import assert_same_end, make_run

GPU = torch.device("cuda", 0)


@pytest.fixture
def gpu() -> Iterator[None]:
    with simulated_gpu():
        yield


def trained(device: torch.device, minibatches: int = 4, **changes: object) -> AdversarialTraining:
    training = AdversarialTraining(SMALLEST, replace(SETTINGS, **changes), device)
    batches = Batches(images(), None, np.arange(41), 8, 7, device, ALONE, training.needs_images)
    for number in range(minibatches):
        training.step(*batches.batch(number))
    return training


def bytes_of(training: AdversarialTraining) -> dict[str, bytes]:
    return {name: tensor.cpu().numpy().tobytes() for name, tensor in training.state().items()}


@pytest.mark.usefixtures("gpu")
def test_auto_is_bfloat16_where_a_gpu_computes_in_it() -> None:
    assert (precision_on(GPU, "auto"), precision_on(CPU, "auto")) == ("bfloat16", "float32")
    with patch.object(torch.cuda, "is_bf16_supported", lambda **_: False):
        assert precision_on(GPU, "auto") == "float32"
    for asked in ("float32", "tfloat32", "bfloat16"):
        assert precision_on(GPU, asked) == precision_on(CPU, asked) == asked


@pytest.mark.usefixtures("gpu")
def test_auto_trains_as_what_it_means_does() -> None:
    for device, meaning in ((GPU, "bfloat16"), (CPU, "float32")):
        ends = {precision: bytes_of(trained(device, precision=precision)) for precision in ("auto", meaning)}
        assert ends["auto"] == ends[meaning]


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("capture", [False, True])
def test_tfloat32_holds_while_a_gpu_computes_an_update_and_not_longer(
    capture: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found() -> tuple[bool, bool]:
        return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32

    during, backward = set(), torch.autograd.backward

    def watched(*args: object, **kwargs: object) -> None:
        during.add(found())
        backward(*args, **kwargs)

    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setattr(torch.autograd, "backward", watched)
    for device, precision, expected in (
        (GPU, "tfloat32", True),
        (GPU, "float32", False),
        (GPU, "bfloat16", False),
        (CPU, "tfloat32", False),
    ):
        during.clear()
        trained(device, precision=precision, capture=capture)
        assert during == {(expected, expected)} and found() == (False, False)


def test_a_cpu_computes_tfloat32_in_full() -> None:
    assert bytes_of(trained(CPU, precision="tfloat32")) == bytes_of(trained(CPU))


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("device", "precision", "channels_last"),
    [
        (CPU, "float32", True),
        (GPU, "float32", False),
        (GPU, "tfloat32", False),
        (GPU, "bfloat16", True),
        (GPU, "auto", True),
    ],
)
def test_maps_lie_in_memory_as_the_device_likes_it(
    device: torch.device, precision: str, channels_last: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights, moments, also those of a checkpoint, and what the discriminator is shown: no kernel has to convert."""
    seen, forward = [], Discriminator.forward

    def watched(network: Discriminator, x: torch.Tensor, *rest: object) -> torch.Tensor:
        seen.append(x)
        return forward(network, x, *rest)

    monkeypatch.setattr(Discriminator, "forward", watched)
    training = trained(device, precision=precision)
    training.load_state(training.state(), 4)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    maps = [tensor for tensor in training.state().values() if tensor.dim() == 4 and min(tensor.shape[1:]) > 1]
    assert len(maps) > 6 and len(seen) == 6
    assert all(tensor.is_contiguous(memory_format=layout) for tensor in (*maps, *seen))


class Read:
    """Images that count how many of them are read."""

    def __init__(self) -> None:
        self.images, self.read = images(), 0
        self.nbytes, self.shape = self.images.nbytes, self.images.shape

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        self.read += len(rows)
        return self.images[rows]


@pytest.mark.parametrize(("schedule", "expected"), [("alternate", 5 * 8), ("both", 10 * 8)])
def test_the_generators_minibatches_read_no_images(schedule: str, expected: int) -> None:
    source = Read()
    training = AdversarialTraining(SMALLEST, replace(SETTINGS, schedule=schedule), CPU)
    batches = Batches(source, None, np.arange(41), 8, 7, CPU, ALONE, training.needs_images)  # type: ignore[arg-type]
    for number in range(10):
        pixels, _ = batches.batch(number)
        assert (pixels is not None) == training.needs_images(number)
    batches._gathered._thread.shutdown()  # type: ignore[union-attr]  # what it has prefetched counts
    ahead = sum(training.needs_images(number) for number in (10, 11))
    assert source.read == expected + 8 * ahead


@pytest.mark.usefixtures("gpu")
def test_nor_do_they_gather_any_on_a_gpu() -> None:
    training = AdversarialTraining(SMALLEST, SETTINGS, GPU)
    batches = Batches(images(), np.arange(41), np.arange(41), 8, 7, GPU, ALONE, training.needs_images)
    everything = Batches(images(), np.arange(41), np.arange(41), 8, 7, GPU)
    for number in range(4):
        (some, labels), (all_images, all_labels) = batches.batch(number), everything.batch(number)
        assert all_images.is_cuda and torch.equal(labels, all_labels)
        assert some is None if number % 2 == 0 else torch.equal(some, all_images)


def test_a_run_ends_with_the_same_bytes_whether_unseen_images_are_read_or_not(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / name) for name in ("all", "needed")]
    runs[1].batches.needs_images = runs[1].training.needs_images
    for run in runs:
        run.complete("run")
    assert_same_end(*runs)
