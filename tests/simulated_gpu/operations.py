"""The rules of the device for every operation that reaches the dispatcher, in forward and backward passes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.simulated_gpu.machine import DeviceMix, Machine, on_gpu

aten = torch.ops.aten
# The CPU needs their values, or how many there are.
WAITING = {
    aten._local_scalar_dense.default,
    aten.nonzero.default,
    aten.is_nonzero.default,
    aten.masked_select.default,
    aten._unique2.default,
    aten.equal.default,
    aten.bincount.default,
    aten.repeat_interleave.Tensor,
    aten.linalg_cholesky_ex.default,
}
INDEXING = {
    aten.index.Tensor,
    aten.index_put.default,
    aten.index_put_.default,
    aten._index_put_impl_.default,
    aten._unsafe_index.Tensor,
}
COPYING = {aten.copy_.default, aten.copy.default}


class Operations(TorchDispatchMode):
    """Checks and, during a capture, records each operation; its results lie where its inputs do."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self.machine = machine

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = tensors_of((args, kwargs))
        gpu = any(on_gpu(tensor) for tensor in given) if given else self.machine.creating
        if not gpu:
            return func(*args, **kwargs)
        check(self.machine, func, args, given)
        if self.machine.recording is not None:
            return self.machine.recording.run(func, args, kwargs)
        made = func(*args, **kwargs)
        for tensor in fresh(made, given):
            self.machine.place(tensor)
        return made


def tensors_of(tree: Any) -> list[Tensor]:
    """All tensors of nested arguments or results."""
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def memory_of(tensor: Tensor) -> int:
    """What tells one storage from another."""
    return tensor.untyped_storage()._cdata


def fresh(made: Any, given: Sequence[Tensor]) -> list[Tensor]:
    """Those results of an operation that are no views of its inputs."""
    known = {memory_of(tensor) for tensor in given}
    return [tensor for tensor in tensors_of(made) if memory_of(tensor) not in known]


def check(machine: Machine, func: Any, args: Sequence[Any], given: Sequence[Tensor]) -> None:
    """Raises if a GPU would refuse the operation."""
    if func in WAITING or (func in INDEXING and any(index.dtype == torch.bool for index in tensors_of(args[1]))):
        machine.wait(func)
    strangers = [tensor for tensor in given if not on_gpu(tensor)]
    if not strangers:
        return
    if func in COPYING:
        machine.cross(func, waits=not (len(args) > 2 and args[2]))
    elif (
        func in INDEXING
        and on_gpu(args[0])
        and all(on_gpu(value) or value.dim() == 0 for value in tensors_of(args[2:]))
    ):
        # Python's numbers arrive as tensors; a GPU fills them in. Indices are sent first.
        if any(not on_gpu(index) for index in tensors_of(args[1])):
            machine.cross(func, waits=True)
    elif not (torch.Tag.pointwise in func.tags and all(tensor.dim() == 0 for tensor in strangers)):
        shapes = [tuple(tensor.shape) for tensor in strangers]
        raise DeviceMix(f"Expected all tensors to be on the same device, but {func} found {shapes} on the CPU")
