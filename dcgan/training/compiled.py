"""Networks whose passes PyTorch's compiler has fused: norm, activation and casts around a convolution as one kernel.

The compiler makes no CUDA graphs of its own; a captured update holds its kernels. Results are the same within rounding.
It needs a C++ compiler for a CPU, and Triton and a C compiler for a GPU, and takes a minute or more at the first
minibatches, or seconds where it finds its cache.
"""

import sys
from collections.abc import Callable

import torch
from torch import Tensor

from dcgan.models.network import Network

Forward = Callable[..., Tensor]


def can_compile(device: torch.device) -> bool:
    """Whether a small function can be compiled for the device; if not, stderr tells why."""
    try:
        torch.compile(torch.relu, dynamic=False)(torch.ones(1, device=device))
    except Exception as error:  # a compiler that is missing or too old shows in errors of many kinds
        reason = next(iter(str(error).split("\n")), "")
        print(f"warning: networks are not compiled; {type(error).__name__}: {reason}", file=sys.stderr)
        return False
    return True


def compiled(network: Network) -> Forward:
    """The network's forward pass, compiled when it is first called, and its backward pass with it."""
    return torch.compile(network.forward, dynamic=False)
