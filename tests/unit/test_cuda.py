"""Training on a CUDA device: the real one, or a simulated one on a machine that has none.

What a simulated device cannot show: tests/simulated_gpu.
"""

import gc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dcgan.core.signals import Stopped
from dcgan.data.minibatches import Batches
from dcgan.models.architectures import ARCHITECTURES, Architecture
from dcgan.training.adversarial import AdversarialTraining
from dcgan.training.compiled import can_compile
from dcgan.training.loop import TrainingRun
from tests.shared_training import difference, run_two_processes
from tests.simulated_gpu.simulation import IS_REAL, any_gpu
from tests.unit.test_adversarial import PLAN, SETTINGS, SMALLEST
from tests.unit.test_guidelines import BROKEN, broken
from tests.unit.test_training_run import assert_same_end, make_run

CONDITIONAL = replace(
    ARCHITECTURES["demo_mnist28"],
    latent_size=8,
    generator_hidden=(16,),
    projection=(4, 7),
    generator_layers=((4, 2), (1, 2)),
    discriminator_layers=((4, 2), (4, 2)),
    discriminator_hidden=(16,),
)
State = dict[str, Tensor]


@pytest.fixture(autouse=True)
def gpu() -> Iterator[None]:
    with any_gpu():
        yield


def device() -> torch.device:
    return torch.device("cuda", 0)


def images(row: Architecture) -> np.ndarray:
    shape = (64, row.image_size, row.image_size, row.channels)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def batches(row: Architecture, batch_size: int = 8) -> Batches:
    labels = np.arange(64) % row.classes if row.classes else None
    return Batches(images(row), labels, np.arange(64), batch_size, 7, device())


def train(training: AdversarialTraining, first: int, end: int) -> State:
    """The state after some minibatches, on the CPU."""
    source = batches(training.generator.architecture)
    for number in range(first, end):
        training.step(*source.batch(number))
    return {name: tensor.cpu().clone() for name, tensor in training.state().items()}


def make(row: Architecture = SMALLEST, **changes: object) -> AdversarialTraining:
    return AdversarialTraining(row, replace(SETTINGS, **changes), device())


def assert_close(one: State, two: State, tolerance: float = 1e-6) -> None:
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        assert torch.allclose(tensor, two[name], rtol=tolerance, atol=tolerance, equal_nan=True), name


@pytest.mark.parametrize("row", [SMALLEST, CONDITIONAL], ids=["plain", "conditional"])
@pytest.mark.parametrize("schedule", ["alternate", "both"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_updates_recorded_as_graphs_end_where_others_do(row: Architecture, schedule: str, precision: str) -> None:
    """With a rate that changes before and after the recording, as over the last epochs."""
    plain, recorded = (make(row, schedule=schedule, precision=precision, capture=capture) for capture in (False, True))
    for share, first, end in ((0.5, 0, 4), (0.25, 4, 8)):
        for training in (plain, recorded):
            training.scale_learning_rate(share)
        assert_close(train(plain, first, end), train(recorded, first, end))
    assert set(recorded._graphs) == ({"both"} if schedule == "both" else {"g", "d"}), "nothing was recorded"


@pytest.mark.parametrize("schedule", ["alternate"] if IS_REAL else ["alternate", "both"])
@pytest.mark.parametrize(("precision", "share"), [("float32", 0.1), ("bfloat16", 0.5)])
def test_compiled_networks_are_recorded(schedule: str, precision: str, share: float) -> None:
    """All that an update needs is compiled before its recording. Fused kernels round otherwise, in bfloat16 by much: on
    a CPU float32 ends at a share of 0.17 from it.
    """
    if not can_compile(device()):
        pytest.skip("no compiler for this GPU")
    start, plain = (train(make(schedule=schedule, precision=precision), 0, end) for end in (0, 8))
    recorded = make(schedule=schedule, precision=precision, capture=True, compile=True)
    assert difference(train(recorded, 0, 8), plain) < share * difference(start, plain)
    assert recorded._graphs, "nothing was recorded"


@pytest.mark.parametrize("keeps", [False, True], ids=["dropped", "kept"])
@pytest.mark.parametrize("schedule", ["alternate", "both"])
def test_no_update_outlives_itself(schedule: str, keeps: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What adds up a weight's gradient remembers its stream; kept from the warm-up, it would spoil the recording. The
    test would see it if a loss were kept.
    """
    training, backward, losses = make(schedule=schedule), torch.autograd.backward, []

    def marking(*loss: object, **options: object) -> None:
        for weights in parameters(training):
            if weights.requires_grad:
                adder_of(weights).metadata["is_marked"] = True
        losses.extend([loss] * keeps)
        backward(*loss, **options | {"retain_graph": keeps})

    monkeypatch.setattr(torch.autograd, "backward", marking)
    train(training, 0, 2)
    assert any(adder_of(weights).metadata for weights in parameters(training)) == keeps


def parameters(training: AdversarialTraining) -> list[torch.nn.Parameter]:
    return [*training.generator.parameters(), *training.discriminator.parameters()]


def adder_of(weights: Tensor) -> torch.autograd.graph.Node:
    """The node that adds up the gradient of some weights: the same as long as anything refers to it."""
    made_of = weights.view_as(weights).grad_fn
    assert made_of is not None and made_of.next_functions[0][0] is not None
    return made_of.next_functions[0][0]


def test_graphs_of_the_fastest_kernels_end_nearby(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels that cuDNN has chosen by time may add in another order, whose rounding Adam turns into whole steps."""
    torch.set_deterministic_debug_mode("default")
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    start, plain, recorded = train(make(), 0, 0), train(make(), 0, 8), train(make(capture=True), 0, 8)
    assert difference(recorded, plain) < 0.1 * difference(start, plain)


@pytest.mark.parametrize("variant", BROKEN)
def test_networks_that_break_a_guideline_are_recorded(variant: str) -> None:
    plain, recorded = (make(broken(variant), schedule="both", capture=capture) for capture in (False, True))
    assert_close(train(plain, 0, 3), train(recorded, 0, 3))


def test_samples_drawn_between_replays_change_nothing() -> None:
    drawn: list[list[np.ndarray]] = []
    ends = []
    for capture, interval in ((False, 2), (True, 2), (True, 6)):
        training = make(capture=capture)
        drawn.append([])
        for first in range(0, 6, interval):
            end = train(training, first, first + interval)
            drawn[-1].append(training.generator.sample(8, 1))
        ends.append(end)
    assert_close(ends[0], ends[1])
    assert_close(ends[1], ends[2])
    assert all(np.abs(one.astype(int) - two).max() <= 1 for one, two in zip(*drawn[:2], strict=True))


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("after", [False, True])
def test_a_run_goes_on_from_its_state_with_and_without_graphs(before: bool, after: bool) -> None:
    whole = train(make(capture=before), 0, 8)
    half = train(make(capture=before), 0, 4)
    again = make(capture=after)
    again.load_state(half, 4)
    assert_close(train(again, 4, 8), whole)


def test_a_state_can_be_taken_up_after_updates_were_recorded() -> None:
    """Its moments are other tensors than those that the graphs knew; a state of the beginning has none."""
    start, half = train(make(), 0, 0), train(make(), 0, 4)
    training = make(capture=True)
    train(training, 0, 6)
    for state, minibatches in ((half, 4), (start, 0)):
        training.load_state(state, minibatches)
        assert_close(train(training, minibatches, 8), train(make(), 0, 8))


def test_two_deterministic_runs_are_the_same_bytes() -> None:
    one, two = (train(make(), 0, 6) for _ in range(2))
    assert all(tensor.numpy().tobytes() == two[name].numpy().tobytes() for name, tensor in one.items())


def test_a_run_that_is_stopped_and_killed_ends_as_if_it_never_was(tmp_path: Path) -> None:
    """Stopped behind every third minibatch, or killed in one: each new run records its graphs anew."""
    plan = replace(PLAN, epochs=2, decay_epochs=1, sample_epochs=[1], frame_images=40, keep_images=40)
    whole = make_run(tmp_path / "whole", plan=plan, device=device(), capture=True)
    whole.complete("whole")
    calls, ends = iter(range(1000)), set()
    while True:
        part = make_run(tmp_path / "parts", lambda: next(calls) % 3 == 2, plan, device(), capture=True)
        kill_in(part, after=3)
        try:
            part.complete("part")
            break
        except (Stopped, KeyboardInterrupt) as end:
            ends.add(type(end))
    assert ends == {Stopped, KeyboardInterrupt}
    assert_same_end(whole, part)


def kill_in(run: TrainingRun, after: int) -> None:
    """Breaks a run off at its minibatch number `after`, if it comes to that."""
    training = run.training
    step, left = training.step, iter(range(after - 1))

    def last(*batch: object) -> State:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return step(*batch)

    training.step = last  # type: ignore[method-assign]


@pytest.mark.parametrize("row", [SMALLEST, CONDITIONAL], ids=["plain", "conditional"])
@pytest.mark.parametrize("kept", [True, False], ids=["kept", "sent"])
@pytest.mark.parametrize("capture", [False, True])
def test_no_step_waits_for_the_device(
    row: Architecture, kept: bool, capture: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether pixels are kept on the device or sent to it."""
    if not kept:
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_: (0, 0))
    training, source = make(row, capture=capture), batches(row)
    for number in range(6):
        if number == 2:  # both updates are recorded
            torch.cuda.set_sync_debug_mode("error")
        try:
            training.step(*source.batch(number))
        finally:
            torch.cuda.set_sync_debug_mode("error" if number in range(2, 5) else "default")


@pytest.mark.parametrize("capture", [False, True])
def test_memory_comes_back_when_a_training_is_dropped(capture: bool) -> None:
    """At once: a collection may be long in coming, as it counts objects and not bytes."""
    train(make(capture=capture), 0, 4)  # what libraries keep for good
    gc.collect()
    gc.disable()
    try:
        before = allocated()
        training = make(capture=capture)
        train(training, 0, 4)
        assert allocated() > before
        del training
        assert allocated() == before
    finally:
        gc.enable()


def test_a_training_that_becomes_garbage_does_not_spoil_a_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its graphs are freed by a collection, which any new object may start; CUDA refuses that in a recording."""
    old = make(capture=True)
    train(old, 0, 2)
    old.circle = old  # type: ignore[attr-defined]
    kept, update = [old], AdversarialTraining.update_generator
    del old

    def littering(training: AdversarialTraining, *inputs: Tensor) -> State:
        if torch.cuda.is_current_stream_capturing():
            kept.clear()
            if gc.isenabled():
                gc.collect()
        return update(training, *inputs)

    monkeypatch.setattr(AdversarialTraining, "update_generator", littering)
    assert_close(train(make(capture=True), 0, 2), train(make(), 0, 2))
    assert kept == [] and gc.isenabled()


def allocated() -> int:
    """Bytes of the device, without the workspaces that cuBLAS keeps for each stream."""
    if IS_REAL:
        torch._C._cuda_clearCublasWorkspaces()
    return torch.cuda.memory_allocated()


def test_batches_on_the_device_are_those_that_are_sent_there(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = batches(SMALLEST)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_: (0, 0))
    sent = batches(SMALLEST)
    assert (kept._on_device is not None, sent._on_device) == (True, None)
    for number in range(6):
        assert torch.equal(kept.batch(number)[0], sent.batch(number)[0])


@pytest.mark.filterwarnings("error")
def test_a_map_of_a_file_is_copied_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch warns about arrays that cannot be written to."""
    monkeypatch.setattr("dcgan.data.minibatches.IMAGES_A_BLOCK", 30)
    pixels = images(SMALLEST)
    pixels.flags.writeable = False
    torch.set_warn_always(True)
    try:
        found, _ = Batches(pixels, None, np.arange(64), 8, 7, device()).batch(3)
    finally:
        torch.set_warn_always(False)
    assert torch.equal(found.cpu(), batches(SMALLEST).batch(3)[0].cpu())


def test_bfloat16_leaves_weights_and_moments_in_float32() -> None:
    state = train(make(precision="bfloat16"), 0, 6)
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}
    plain = train(make(), 0, 6)
    weights = [name for name in plain if ".adam." not in name and plain[name].isfinite().all()]
    assert all(torch.allclose(state[name], plain[name], atol=0.01) for name in weights)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="fewer than two CUDA devices on this machine")
def test_two_processes_over_nccl_end_where_one_does(tmp_path: Path) -> None:
    alone, shared = train(make(synchronised_norm=True), 0, 4), run_two_processes(tmp_path / "state")
    assert difference(alone, shared) < 0.01 * difference(train(make(), 0, 0), alone)
