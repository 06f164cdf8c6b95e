"""A step of training asks no more of the device than it did: counts, which show a regression without a GPU."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.operations import Operations, at_batch, count_updates
from benchmarks.training import settings_of
from dcgan.data.minibatches import Batches
from dcgan.models.architectures import ARCHITECTURES
from dcgan.models.flops import discriminator_size, generator_size
from dcgan.training.adversarial import AdversarialTraining
from tests.simulated_gpu.graphs import Graph
from tests.simulated_gpu.machine import Machine
from tests.simulated_gpu.simulation import simulated_gpu

NETWORK, BATCH = ARCHITECTURES["demo32"], 4
# What they are; a change that adds to them has to be worth it, and says so here.
OPERATIONS = {"float32": {"generator": 54, "discriminator": 79}, "bfloat16": {"generator": 70, "discriminator": 98}}


def test_views_and_allocations_are_free_and_the_rest_is_counted_with_its_bytes() -> None:
    x = torch.ones(4, 8)
    with Operations() as operations:
        (x.t()[:, 1:] + 1).mul_(2)
        torch.empty(1000)
    assert dict(operations.counts) == {"add": 1, "mul_": 1}
    assert operations.bytes == 4 * (2 * 24 + 2 * 24)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_minibatch_has_no_more_operations_than_it_had(precision: str) -> None:
    counted = {name: operations.total for name, (operations, _) in count_updates(NETWORK, BATCH, precision).items()}
    assert counted.keys() == OPERATIONS[precision].keys()
    assert {name: count for name, count in counted.items() if count > OPERATIONS[precision][name]} == {}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_captured_minibatch_is_started_by_few_calls(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """z, and for the discriminator rows and their pixels, into the graph's inputs; the graph; two figures out of it."""
    starts: list[object] = []

    def noting(method: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*args: Any, **kwargs: Any) -> Any:
            starts.append(method)
            return method(*args, **kwargs)

        return noted

    monkeypatch.setattr(Machine, "cross", noting(Machine.cross))
    monkeypatch.setattr(Graph, "replay", noting(Graph.replay))
    with simulated_gpu():
        gpu = torch.device("cuda", 0)
        training = AdversarialTraining(NETWORK, settings_of(BATCH, "alternate", precision, True), gpu)
        pixels = np.zeros((8, 32, 32, 3), np.uint8)
        batches = Batches(pixels, None, np.arange(8), BATCH, 1, gpu, needs_images=training.needs_images)
        found = []
        for number in range(4):
            starts.clear()
            with Operations() as operations:
                training.step(*batches.batch(number))
            of_cpu = operations.counts["uniform_"]  # draws z
            found.append(len(starts) + operations.total - of_cpu)
    assert found[2:] == [5, 8], "after the first two, which record"


def test_floating_point_operations_are_those_of_the_architecture() -> None:
    """The generator's update: 3 passes of it, 2 of the discriminator; the discriminator's: 1 and 6."""
    g, d = generator_size(NETWORK).flop, discriminator_size(NETWORK).flop
    found = count_updates(NETWORK, BATCH, "float32")
    assert found["generator"][1] == pytest.approx(BATCH * (3 * g + 2 * d), rel=0.1)
    assert found["discriminator"][1] == pytest.approx(BATCH * (g + 6 * d), rel=0.1)


def test_what_grows_in_a_straight_line() -> None:
    assert at_batch(10 + 2 * 3, 10 + 4 * 3, 128) == 10 + 128 * 3
