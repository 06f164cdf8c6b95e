"""Several processes that share work (torchrun). In training they share each batch and end where one process would.

Each process takes its part of the global batch and of its latents; gradients are averaged before Adam's step, so all
of them hold the same weights. Batch-norm statistics are those of a process's own part, as most programs have it, or
`synchronised`: those of the whole batch, with gradients through them, and then only the order of sums differs from one
process (section 3 of the paper knows one GPU, and so one batch).

PyTorch's own means do not fit: `DistributedDataParallel` averages in the backward pass, of which one update of a GAN
has several; `SyncBatchNorm` has no CPU; `torch.distributed.nn.functional.all_reduce` is deprecated for a private one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from dcgan.core.files import InputError


@dataclass(frozen=True)
class Group:
    """The processes that share a batch or a set: `size` of them, of which this is number `rank`."""

    rank: int
    size: int

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files and shows progress."""
        return self.rank == 0

    def part(self, n: int) -> slice:
        """This process's rows of n; raises ValueError if they cannot be shared out evenly."""
        if n % self.size:
            raise ValueError(f"a batch of {n} cannot be shared evenly by {self.size} processes")
        return slice(self.rank * n // self.size, (self.rank + 1) * n // self.size)

    def average(self, tensor: Tensor) -> Tensor:
        """The mean over all processes, in each of them; the tensor of any shape is changed in place."""
        if self.size > 1:
            dist.all_reduce(tensor)
            tensor /= self.size
        return tensor

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replaces each process's gradients by their mean over all processes, in one message."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if self.size == 1 or not gradients:
            return
        means = self.average(torch.cat([gradient.flatten() for gradient in gradients]))
        for gradient, mean in zip(gradients, means.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view(gradient.shape))

    def largest(self, number: int) -> int:
        """The largest of the processes' numbers; exchanged on the CPU, so no process waits for its GPU."""
        if self.size == 1:
            return number
        answer = torch.tensor(number)
        dist.all_reduce(answer, dist.ReduceOp.MAX)
        return int(answer)

    def gather(self, tensor: Tensor) -> Tensor:
        """Every process's tensor, all of one shape, in each of them: (size, ...)."""
        if self.size == 1:
            return tensor[None]
        parts = [torch.empty_like(tensor) for _ in range(self.size)]
        dist.all_gather(parts, tensor)
        return torch.stack(parts)

    def wait(self) -> None:
        """Returns once all processes have called it."""
        if self.size > 1:
            dist.barrier()


ALONE = Group(0, 1)


def join_group(
    size: int, local_rank: int, device: torch.device, patience: timedelta | None = None
) -> tuple[Group, torch.device]:
    """The group of the `size` processes that torchrun started, and this process's device; `ALONE` for one process.

    local_rank: this process's number on its machine, which is also that of its CUDA device. patience: how long one
    process may wait for another (None: torch's own, minutes). Raises InputError if this machine has no CUDA device left
    for this process.
    """
    if size == 1:
        return ALONE, device
    if device.type == "cuda":
        if local_rank >= torch.cuda.device_count():
            raise InputError(
                f"process {local_rank + 1} of this machine has no GPU: each process needs one, and there are "
                f"{torch.cuda.device_count()}"
            )
        device = torch.device("cuda", local_rank)
        torch.cuda.set_device(device)
    # Numbers that the processes agree on stay on the CPU.
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo", timeout=patience)
    return Group(dist.get_rank(), size), device


def leave_group(group: Group) -> None:
    """Ends the connections between the processes, if any."""
    if group.size > 1:
        dist.destroy_process_group()


class OfAllProcesses(torch.autograd.Function):
    """A tensor of every process, stacked; every process's loss depends on each, so its gradient is the sum of all."""

    @staticmethod
    def forward(_: Any, tensor: Tensor) -> Tensor:
        """tensor: any shape, the same in every process -> (processes, ...)."""
        return Group(dist.get_rank(), dist.get_world_size()).gather(tensor)

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        """The sum of all processes' gradients, for this one's tensor."""
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total[dist.get_rank()]


def synchronised_norm(x: Tensor, gain: Tensor | None, bias: Tensor | None, epsilon: float) -> Tensor:
    """Batch norm by the statistics of all processes' batches: (N, C) or (N, C, H, W) -> the same shape.

    Statistics are float32 and in two passes, as the variance of one pass loses digits. The parts are equally large: the
    variance of the whole is the mean of theirs and the variance of their means. One message forwards and one backwards.
    """
    wide = x.float()
    axes, shape = [axis for axis in range(x.dim()) if axis != 1], (1, -1, *(1,) * (x.dim() - 2))
    variance, mean = torch.var_mean(wide, axes, correction=0)
    gathered: Tensor = OfAllProcesses.apply(torch.stack([mean, variance]))
    means, variances = gathered.unbind(1)
    mean = means.mean(0)
    variance = variances.mean(0) + (means - mean).square().mean(0)
    scale = torch.rsqrt(variance + epsilon) if gain is None else gain * torch.rsqrt(variance + epsilon)
    normal = (wide - mean.view(shape)) * scale.view(shape)
    return (normal if bias is None else normal + bias.view(shape)).to(x.dtype)
