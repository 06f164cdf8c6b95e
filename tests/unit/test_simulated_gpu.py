"""The simulated GPU refuses what a GPU refuses, and finds planted faults in training with CUDA graphs."""

import inspect
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.as_stages import settings
from dcgan.core.distributed import ALONE
from dcgan.data.minibatches import WORKING_BYTES, Batches
from dcgan.models.networks import Generator
from dcgan.training.adversarial import AdversarialTraining
from dcgan.training.cuda_graph import CapturedUpdate
from tests import shared_training
from tests.shared_training import difference, run_two_processes, trained
from tests.simulated_gpu.machine import DeviceMix, WrongGraphUse
from tests.simulated_gpu.simulation import any_gpu, simulated_gpu
from tests.unit.test_adversarial import SETTINGS, SMALLEST, images

GPU = torch.device("cuda", 0)


@pytest.fixture
def gpu() -> Iterator[None]:
    with simulated_gpu():
        yield


def recorded(x: Tensor) -> tuple[torch.cuda.CUDAGraph, Tensor]:
    """A graph of x + 1, and its result."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = x + 1
    return graph, result


@pytest.mark.usefixtures("gpu")
def test_tensors_say_where_they_are() -> None:
    x = torch.arange(3.0)
    moved = x.to("cuda")
    assert (x.device.type, moved.device, moved.is_cuda) == ("cpu", GPU, True)
    made = (moved + 1, moved[1:], torch.zeros_like(moved), moved.new_ones(2), torch.ones(2, device="cuda"))
    assert all(tensor.is_cuda for tensor in (*made, torch.tensor(1.0, device=GPU), x.to(moved)))
    assert not any(tensor.is_cuda for tensor in (moved.cpu(), moved.to("cpu"), torch.ones(2), x + 1))
    moved.add_(1)
    assert torch.equal(x, torch.arange(3.0)) and moved.tolist() == [1, 2, 3]


@pytest.mark.usefixtures("gpu")
def test_devices_do_not_mix() -> None:
    here, there = torch.ones(2), torch.ones(2, device="cuda")
    for mixed in (lambda: here + there, lambda: torch.cat([here, there]), lambda: torch.where(there > 0, here, there)):
        with pytest.raises(DeviceMix, match="on the same device"):
            mixed()
    with pytest.raises(TypeError, match="Use Tensor.cpu"):
        there.numpy()
    assert (there * torch.tensor(2.0)).is_cuda, "numbers may come from the CPU"
    here.copy_(there)


@pytest.mark.usefixtures("gpu")
def test_waiting_for_the_device_is_an_error_when_asked_for() -> None:
    x, pixels = torch.ones(2, device="cuda"), torch.ones(2)
    torch.cuda.set_sync_debug_mode("error")
    x.copy_(pixels, non_blocking=True)
    pixels.to("cuda", non_blocking=True)
    for wait in (x.sum().item, x.cpu, x.tolist, lambda: x[x > 0], lambda: torch.tensor(1.0, device="cuda"), x.nonzero):
        with pytest.raises(RuntimeError, match="synchronizing"):
            wait()


@pytest.mark.usefixtures("gpu")
def test_a_capture_computes_nothing_and_a_replay_does() -> None:
    x = torch.ones(2, device="cuda")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = x.mul_(2) + 1
    assert x.tolist() == [1, 1] and result.isnan().all()
    for expected in (2.0, 4.0):
        graph.replay()
        assert x.tolist() == [expected] * 2 and result.tolist() == [expected + 1] * 2
    x.fill_(0)
    graph.replay()
    assert result.tolist() == [1, 1], "it reads what lies there now"


@pytest.mark.usefixtures("gpu")
def test_what_a_capture_does_not_allow() -> None:
    x, pixels = torch.ones(2, device="cuda"), torch.ones(2)
    for wrong in (x.sum().item, x.cpu, lambda: pixels.to("cuda", non_blocking=True), lambda: x.copy_(pixels)):
        with pytest.raises(WrongGraphUse, match="capturing"), torch.cuda.graph(torch.cuda.CUDAGraph()):
            wrong()


@pytest.mark.usefixtures("gpu")
def test_what_was_compiled_can_be_captured_and_what_was_not_cannot() -> None:
    """Compiled code holds for the inputs and the modes that it was compiled for."""
    x, longer = torch.ones(2, device="cuda"), torch.ones(3, device="cuda")
    add = torch.compile(lambda x: x + 1)
    for given in (x, longer):
        with pytest.raises(WrongGraphUse, match="a compilation times"), torch.cuda.graph(torch.cuda.CUDAGraph()):
            add(given)
        assert add(given).tolist() == [2] * len(given)
    with torch.cuda.graph(graph := torch.cuda.CUDAGraph()):
        result = add(x)
    graph.replay()
    assert result.tolist() == [2, 2]
    with pytest.raises(WrongGraphUse), torch.cuda.graph(torch.cuda.CUDAGraph()), torch.no_grad():
        add(x)


@pytest.mark.usefixtures("gpu")
def test_wrong_uses_of_graphs_are_errors() -> None:
    with pytest.raises(WrongGraphUse, match="after its capture"):
        torch.cuda.CUDAGraph().replay()
    x = torch.ones(2, device="cuda")
    graph, _ = recorded(x)
    with pytest.raises(WrongGraphUse, match="a second one"), torch.cuda.graph(graph):
        pass
    del x
    with pytest.raises(WrongGraphUse, match="freed after it was recorded"):
        graph.replay()


@pytest.mark.usefixtures("gpu")
def test_a_graph_that_is_freed_while_another_is_recorded_spoils_it() -> None:
    old, _ = recorded(torch.ones(2, device="cuda"))
    with pytest.raises(WrongGraphUse, match="destroyed meanwhile"), torch.cuda.graph(torch.cuda.CUDAGraph()):
        del old


def test_memory_is_counted_and_can_run_out() -> None:
    with simulated_gpu(memory=1000):
        x = torch.zeros(200, device="cuda")
        view = x[:10]
        assert torch.cuda.memory_allocated() == 800 and torch.cuda.mem_get_info() == (200, 1000)
        with pytest.raises(torch.OutOfMemoryError, match="CUDA out of memory"):
            x + 1
        del x
        assert torch.cuda.memory_allocated() == 800, "its view is left"
        del view
        assert torch.cuda.memory_allocated() == 0


@pytest.mark.parametrize("missing", [0, 1])
def test_pixels_are_kept_on_a_device_that_has_room_for_a_training_beside(missing: int) -> None:
    with simulated_gpu(memory=images().nbytes + WORKING_BYTES - missing):
        batches = Batches(images(), None, np.arange(41), 8, 7, GPU)
        assert (batches._on_device is None) == bool(missing)


def test_pixels_that_find_no_room_after_all_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program may take the memory that was free."""
    with simulated_gpu(memory=images().nbytes - 1):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_: (1 << 40, 1 << 40))
        batches = Batches(images(), None, np.arange(41), 8, 7, GPU)
        assert batches._on_device is None
        found, _ = batches.batch(3)
        assert found is not None and found.is_cuda
        assert torch.equal(found.cpu(), torch.from_numpy(images()[batches._rows(3)]))
        monkeypatch.undo()


def test_training_has_the_numbers_of_the_cpu() -> None:
    cpu = trained(torch.device("cpu"), ALONE)
    with simulated_gpu():
        simulated = {name: tensor.cpu() for name, tensor in trained(GPU, ALONE).items()}
    # The learning rate is a float32 there.
    for name, tensor in cpu.items():
        # Adam's means of gradients are as large as these, up to 0.36; three of their last digits would be 1e-7, and on
        # some processors sums of floats differ by seven.
        allowed = 1e-6 * tensor.abs().max().item() if name.endswith(".exp_avg") else 0.0
        assert torch.allclose(tensor, simulated[name], atol=max(1e-7, allowed), equal_nan=True), name


def test_two_processes_that_share_batches_end_where_one_does(tmp_path: Path) -> None:
    """Over gloo; what they send each other lies on the device."""
    shared = run_two_processes(tmp_path / "state", "simulated")
    with any_gpu(simulated=True):
        start = AdversarialTraining(SMALLEST, SETTINGS, GPU).state()
        start, alone = ({name: tensor.cpu() for name, tensor in of.items()} for of in (start, trained(GPU, ALONE)))
    assert 0 < difference(alone, shared) < 0.01 * difference(start, alone)


@pytest.mark.parametrize("simulated", [["simulated"], []], ids=["simulated", "real"])
def test_two_processes_compute_as_the_one_that_they_are_compared_with(
    simulated: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in TF32, which PyTorch's convolutions have by default: the difference would be that of the arithmetic."""
    found = []

    def note(*_: object) -> None:
        found.append(settings())
        raise InterruptedError

    monkeypatch.setattr(shared_training, "join_group", note)
    monkeypatch.setattr(sys, "argv", ["shared_training", "state", *simulated])
    monkeypatch.setenv("LOCAL_RANK", "0")
    with pytest.raises(InterruptedError):
        shared_training.main()
    with any_gpu():
        assert found == [settings()]


@dataclass(frozen=True)
class Mutant:
    """A fault: the text of a method that is replaced by another text."""

    owner: type
    method: str
    before: str
    after: str

    def plant(self, monkeypatch: pytest.MonkeyPatch) -> None:
        method = getattr(self.owner, self.method)
        source = textwrap.dedent(inspect.getsource(method))
        assert source.count(self.before) == 1, "the text is not there any more"
        found: dict[str, object] = {}
        exec(source.replace(self.before, self.after), method.__globals__, found)
        monkeypatch.setattr(self.owner, self.method, found[self.method])


RATE = "torch.tensor(s.learning_rate, device=self.device) if on_device else s.learning_rate"
IN_GRAPH = "with self._autocast():\n        fake = self._generate(z, labels)\n    return self._fool"
MUTANTS = {
    "the learning rate is a Python number": Mutant(AdversarialTraining, "_optimizer", RATE, "s.learning_rate"),
    "Adam is not capturable": Mutant(
        AdversarialTraining, "_optimizer", "capturable=self._captured", "capturable=False"
    ),
    "the warm-up is not undone": Mutant(CapturedUpdate, "_record", "before.restore(state())", "pass"),
    "z is drawn in the graph": Mutant(
        AdversarialTraining, "update_generator", IN_GRAPH, "z = self.latents(len(z), 'g', 0)\n    " + IN_GRAPH
    ),
    "a step asks for a number": Mutant(
        AdversarialTraining, "_fool", '"g_loss": loss.detach()', '"g_loss": loss.detach() + 0 * loss.item()'
    ),
    "nothing warms up": Mutant(CapturedUpdate, "_record", "range(WARM_UP_ROUNDS)", "range(0)"),
    "inputs are not copied": Mutant(CapturedUpdate, "__call__", "buffer.copy_(given, non_blocking=True)", "pass"),
    "a capture is taken for an execution": Mutant(
        CapturedUpdate,
        "__call__",
        "self._graph = self._record(update, state, inputs)",
        "self._graph = self._record(update, state, inputs)\n        return self._figures",
    ),
    "a constant is made on the CPU": Mutant(Generator, "project", "x = z\n", "x = z * torch.ones(1, 1)\n"),
}


def end_of_training(capture: bool) -> bytes:
    """All state after eight minibatches, none of which waits for the device; the learning rate falls on the way."""
    training = AdversarialTraining(SMALLEST, replace(SETTINGS, capture=capture, compile=capture), GPU)
    batches = Batches(images(), None, np.arange(41), 8, 7, GPU)
    training.scale_learning_rate(0.5)
    torch.cuda.set_sync_debug_mode("error")
    for number in range(8):
        if number == 4:
            training.scale_learning_rate(0.25)
        training.step(*batches.batch(number))
    torch.cuda.set_sync_debug_mode("default")
    return b"".join(tensor.cpu().numpy().tobytes() for tensor in training.state().values())


@pytest.mark.usefixtures("gpu")
def test_without_a_fault_graphs_end_where_training_without_them_does() -> None:
    assert end_of_training(capture=True) == end_of_training(capture=False)


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("fault", "sign"),
    [
        ("the learning rate is a Python number", None),
        ("Adam is not capturable", "capturable is False"),
        ("the warm-up is not undone", None),
        ("z is drawn in the graph", "leaves the device"),
        ("a step asks for a number", "_local_scalar_dense.*waits for the device|synchronizing"),
        ("nothing warms up", "a compilation times"),
        ("inputs are not copied", None),
        ("a capture is taken for an execution", None),
        ("a constant is made on the CPU", "on the same device"),
    ],
)
def test_a_planted_fault_is_found(fault: str, sign: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """By an error, or because graphs end elsewhere."""
    MUTANTS[fault].plant(monkeypatch)
    if sign is None:
        assert end_of_training(capture=True) != end_of_training(capture=False)
    else:
        with pytest.raises(RuntimeError, match=sign):
            end_of_training(capture=True)
