"""Batch normalization as the published code does it, with its mode as an explicit argument.

Source: `lib/ops.py` and `svhn/svhn_semisup_analysis.py` of the authors' code. Biased variance, epsilon 1e-8, no running
averages. `statistics="batch"` normalizes by the batch at hand: training, and the paper's samples. `"estimated"` uses
the plain mean of the per-batch means and of the per-batch variances over a set of batches, each layer computed with the
layers below it in batch mode: a feature then never depends on its batch mates.

Differs: PyTorch's `BatchNorm2d` keeps running averages, uses the unbiased variance in them, and switches by `.eval()`.
"""

from collections.abc import Iterable
from itertools import chain
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dcgan.core.distributed import ALONE, Group, synchronised_norm

Statistics = Literal["batch", "estimated"]


class BatchNorm(nn.Module):
    """Normalizes (N, C) or (N, C, H, W) over everything but C; `affine`: with a gain and a bias per channel."""

    mean: Tensor
    variance: Tensor

    def __init__(self, size: int, affine: bool, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.gain = nn.Parameter(torch.ones(size)) if affine else None
        self.bias = nn.Parameter(torch.zeros(size)) if affine else None
        self.register_buffer("mean", torch.empty(size))
        self.register_buffer("variance", torch.empty(size))
        self.forget()
        self.of_all_processes = False  # batch statistics of all that share a batch, see dcgan/core/distributed.py
        self.observed: list[Tensor] | None = None  # (2, C) means and variances, while statistics are estimated

    def forget(self) -> None:
        """Makes the estimated statistics NaN, so that a forgotten estimation can never pass as a number."""
        self.mean.fill_(torch.nan)
        self.variance.fill_(torch.nan)

    def forward(self, x: Tensor, statistics: Statistics) -> Tensor:
        """x: (N, C) or (N, C, H, W); returns the same shape."""
        if statistics == "estimated":
            return F.batch_norm(x, self.mean, self.variance, self.gain, self.bias, False, 0.0, self.epsilon)
        if self.observed is not None:
            axes = [axis for axis in range(x.dim()) if axis != 1]
            variance, mean = torch.var_mean(x.detach().double(), axes, correction=0)
            self.observed.append(torch.stack([mean, variance]))
        if self.of_all_processes:
            return synchronised_norm(x, self.gain, self.bias, self.epsilon)
        return F.batch_norm(x, None, None, self.gain, self.bias, True, 0.0, self.epsilon)


class Rescaling(nn.Module):
    """Batch norm without normalization: only its gain and bias remain, and so the same weights."""

    def __init__(self, size: int, affine: bool) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(size)) if affine else None
        self.bias = nn.Parameter(torch.zeros(size)) if affine else None

    def forward(self, x: Tensor, statistics: Statistics) -> Tensor:
        """x: (N, C) or (N, C, H, W); returns the same shape, the same for any statistics."""
        if self.gain is None or self.bias is None:
            return x
        shape = (-1, *(1,) * (x.dim() - 2))
        return x * self.gain.view(shape) + self.bias.view(shape)


@torch.no_grad()
def estimate_statistics(network: nn.Module, batches: Iterable[Tensor], group: Group = ALONE) -> None:
    """Fills `mean` and `variance` of every batch norm of `network` from batches of inputs, (N, C, H, W) each.

    The batches are dealt out to the processes of a group in turn: process r brings batches r, r + size, and so on.
    Sums are taken in the batches' order, so the result is the same bytes for any number of processes. Raises ValueError
    if there are no batches. The published code takes batches of 128 of the unlabelled training split.
    """
    norms = [module for module in network.modules() if isinstance(module, BatchNorm)]
    observed: list[list[Tensor]] = [[] for _ in norms]
    count = 0
    try:
        for norm, seen in zip(norms, observed, strict=True):
            norm.observed = seen
        for batch in batches:
            network(batch, statistics="batch")
            count += 1
    finally:
        for norm in norms:
            norm.observed = None
    counts = group.gather(torch.tensor(count, device=next(chain(network.parameters(), network.buffers())).device))
    if not counts.any():
        raise ValueError("batch-norm statistics need at least one batch")
    for norm, seen in zip(norms, observed, strict=True):
        own = torch.zeros(int(counts.max()), 2, len(norm.mean), dtype=torch.float64, device=norm.mean.device)
        for row, figures in zip(own, seen, strict=False):
            row.copy_(figures)
        # The first batch of every process, then the second of each, and so on; missing rows are zeros.
        in_order = group.gather(own).transpose(0, 1).flatten(0, 1)
        total = torch.zeros_like(norm.mean.expand(2, -1), dtype=torch.float64)
        for figures in in_order:
            total += figures
        mean, variance = total / counts.sum()
        norm.mean.copy_(mean)
        norm.variance.copy_(variance)
