"""A step of training asks no more of the device than it did: counts, which show a regression without a GPU."""

import pytest
import torch

from benchmarks.operations import Operations, at_batch, count_updates
from dcgan.models.architectures import ARCHITECTURES
from dcgan.models.flops import discriminator_flop, generator_flop

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


def test_floating_point_operations_are_those_of_the_architecture() -> None:
    """The generator's update: 3 passes of it, 2 of the discriminator; the discriminator's: 1 and 6."""
    g, d = generator_flop(NETWORK), discriminator_flop(NETWORK)
    found = count_updates(NETWORK, BATCH, "float32")
    assert found["generator"][1] == pytest.approx(BATCH * (3 * g + 2 * d), rel=0.1)
    assert found["discriminator"][1] == pytest.approx(BATCH * (g + 6 * d), rel=0.1)


def test_what_grows_in_a_straight_line() -> None:
    assert at_batch(10 + 2 * 3, 10 + 4 * 3, 128) == 10 + 128 * 3
