"""What two processes that share a batch send each other: over gloo, few messages, and the numbers of one process."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.multiprocessing.spawn import spawn

from dcgan.core.distributed import Group, join_group, leave_group, synchronised_norm
from dcgan.training.adversarial import AdversarialTraining
from tests.shared_training import free_port
from tests.unit.test_adversarial import CPU, SETTINGS, SMALLEST, images

EPSILON = 1e-8
SHAPES = {"maps": (8, 3, 4, 4), "units": (8, 3)}


def normed(norm: Callable[..., Tensor], shape: tuple[int, ...], group: Group) -> dict[str, Tensor]:
    """A process's part of a norm's output and gradients; the pixels lie far from zero, which costs digits."""
    random = torch.Generator().manual_seed(1)
    x, weights = (torch.randn(shape, generator=random)[group.part(shape[0])] for _ in range(2))
    x = (x + 100).requires_grad_()
    gain, bias = (torch.tensor(values, requires_grad=True) for values in ([1.0, 2.0, 3.0], [0.1, 0.2, 0.3]))
    y = norm(x, gain, bias, EPSILON)
    torch.autograd.backward((y * weights).sum())
    assert x.grad is not None and gain.grad is not None and bias.grad is not None
    return {"y": y.detach(), "x": x.grad, "gain": gain.grad, "bias": bias.grad}


def process(rank: int, port: int, folder: str) -> None:
    """One of the two: writes its numbers, and how many messages it took part in."""
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE="2")
    torch.set_num_threads(1)
    group, _ = join_group(2, rank, CPU)
    sent: Counter[str] = Counter()

    def noting(name: str, message: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*args: Any, **kwargs: Any) -> Any:
            sent[name] += 1
            return message(*args, **kwargs)

        return noted

    for name in ("all_reduce", "all_gather"):
        setattr(dist, name, noting(name, getattr(dist, name)))
    found: dict[str, Tensor] = {}
    for kind, shape in SHAPES.items():
        sent.clear()
        found |= {f"{kind}.{name}": tensor for name, tensor in normed(synchronised_norm, shape, group).items()}
        found[f"{kind}.messages"] = torch.tensor(sent.total())
    training = AdversarialTraining(SMALLEST, SETTINGS, CPU, group)
    pixels = torch.from_numpy(images()[group.part(8)])
    for name in ("generator", "discriminator"):
        sent.clear()
        training.step(pixels, None)
        found[f"{name}.messages"] = torch.tensor(sent.total())
    save_file({name: tensor.contiguous() for name, tensor in found.items()}, Path(folder) / f"{rank}.safetensors")
    leave_group(group)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Tensor]]:
    """What each process found."""
    folder = tmp_path_factory.mktemp("processes")
    spawn(process, (free_port(), str(folder)), nprocs=2)
    return [load_file(folder / f"{rank}.safetensors") for rank in range(2)]


@pytest.mark.parametrize("kind", SHAPES)
def test_a_norm_of_two_processes_is_that_of_one(kind: str, found: list[dict[str, Tensor]]) -> None:
    def alone(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float) -> Tensor:
        return F.batch_norm(x, None, None, gain, bias, True, 0.0, epsilon)

    expected = normed(alone, SHAPES[kind], Group(0, 1))
    for name in ("y", "x"):  # each has its part
        together = torch.cat([of[f"{kind}.{name}"] for of in found])
        assert torch.allclose(together, expected[name], rtol=1e-4, atol=1e-4), name
    for name in ("gain", "bias"):  # each has its part's gradient; a training adds them up
        assert torch.allclose(sum(of[f"{kind}.{name}"] for of in found), expected[name], atol=1e-4), name


@pytest.mark.parametrize("kind", SHAPES)
def test_a_norm_sends_one_message_forwards_and_one_backwards(kind: str, found: list[dict[str, Tensor]]) -> None:
    assert [int(of[f"{kind}.messages"]) for of in found] == [2, 2]


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_an_update_sends_all_gradients_in_one_message(network: str, found: list[dict[str, Tensor]]) -> None:
    """Many small ones would each wait for the slowest process."""
    assert [int(of[f"{network}.messages"]) for of in found] == [1, 1]
