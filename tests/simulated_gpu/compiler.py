"""torch.compile, simulated: what is compiled computes as it did, and a compilation is refused where it cannot be."""

from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor, nn

from tests.simulated_gpu.machine import Machine, WrongGraphUse
from tests.simulated_gpu.operations import tensors_of

Function = Callable[..., Any]


def compiler(machine: Machine) -> Callable[..., Function]:
    """In the place of torch.compile: a call whose guards are new compiles, which times kernels."""

    def compile(function: Function, **_: object) -> Function:
        known: set[Hashable] = set()

        def compiled(*args: Any, **kwargs: Any) -> Any:
            guards = guards_of(function, (args, kwargs))
            if guards not in known and machine.recording is not None:
                raise WrongGraphUse("operation not permitted when stream is capturing: a compilation times its kernels")
            known.add(guards)
            return function(*args, **kwargs)

        return compiled

    return compile


def guards_of(function: Function, inputs: Any) -> Hashable:
    """What compiled code depends on: modes of PyTorch, tensors that are given, and weights that are trained."""
    modes = torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"), torch.get_float32_matmul_precision()
    owner = getattr(function, "__self__", None)
    weights = tuple(owner.parameters()) if isinstance(owner, nn.Module) else ()
    return modes, *(described(tensor) for tensor in (*tensors_of(inputs), *weights))


def described(tensor: Tensor) -> Hashable:
    return tensor.dtype, tensor.shape, tensor.stride(), tensor.requires_grad
