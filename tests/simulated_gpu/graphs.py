"""CUDA graphs, simulated: a capture notes operations by the addresses that they read and write, a replay repeats them.

A capture has to compute in order to know shapes; afterwards it puts back what it changed and spoils what it made. So
what is read before the first replay is not a number. As a real graph, a recording does not keep the memory alive that
it was given, only what was made while it recorded (its pool).
"""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from tests.simulated_gpu.machine import Machine, WrongGraphUse
from tests.simulated_gpu.operations import fresh, memory_of, tensors_of

SPOILT = 0xFF  # four or two of these bytes are a NaN


class Address:
    """Where a tensor lies, without the tensor."""

    def __init__(self, tensor: Tensor) -> None:
        self.storage = weakref.ref(tensor.untyped_storage())
        self.dtype, self.layout = tensor.dtype, (tensor.storage_offset(), tensor.shape, tensor.stride())

    def tensor(self) -> Tensor:
        """The tensor that lies there now."""
        storage = self.storage()
        if storage is None:
            raise WrongGraphUse("the graph addresses memory that was freed after it was recorded")
        return torch.empty(0, dtype=self.dtype).set_(storage, *self.layout)


class Recording:
    """The operations of one capture."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.calls: list[tuple[Any, Any, list[Address]]] = []
        self.pool: dict[int, torch.UntypedStorage] = {}
        self.before: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}

    def run(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Computes an operation, and remembers it and what it overwrites."""
        given = tensors_of((args, kwargs))
        for tensor in written(func, args, kwargs):
            if memory_of(tensor) not in self.pool and memory_of(tensor) not in self.before:
                storage = tensor.untyped_storage()
                self.before[memory_of(tensor)] = (storage, storage.clone())
        addresses = tree_map(lambda leaf: Address(leaf) if isinstance(leaf, Tensor) else leaf, (args, kwargs))
        made = func(*args, **kwargs)
        new = fresh(made, given)
        for tensor in new:
            self.machine.place(tensor)
            self.pool[memory_of(tensor)] = tensor.untyped_storage()
        self.calls.append((func, addresses, [Address(tensor) for tensor in new]))
        return made

    def end(self) -> None:
        """Leaves the memory as a capture does, which runs nothing."""
        for storage, content in self.before.values():
            storage.copy_(content)
        self.before.clear()
        for storage in self.pool.values():
            storage.fill_(SPOILT)

    def replay(self) -> None:
        """Computes again, into the same memory."""
        for func, addresses, results in self.calls:
            args, kwargs = tree_map(lambda leaf: leaf.tensor() if isinstance(leaf, Address) else leaf, addresses)
            given = tensors_of((args, kwargs))
            for place, tensor in zip(results, fresh(func(*args, **kwargs), given), strict=True):
                place.tensor().copy_(tensor)


def written(func: Any, args: Any, kwargs: Any) -> list[Tensor]:
    """The tensors that an operation changes in place."""
    arguments = func._schema.arguments
    values = dict(zip((argument.name for argument in arguments), args, strict=False)) | kwargs
    changed = [a.name for a in arguments if a.alias_info is not None and a.alias_info.is_write]
    return tensors_of([values.get(name) for name in changed])


class Graph:
    """In the place of torch.cuda.CUDAGraph, on the device that `machine` names."""

    machine: Machine

    def __init__(self) -> None:
        self.recording: Recording | None = None

    def replay(self) -> None:
        """Raises WrongGraphUse without a finished recording, or if memory that it addresses was freed."""
        if self.recording is None or self.machine.recording is not None:
            raise WrongGraphUse("a graph is replayed after its capture has ended")
        with torch.no_grad(), torch._C.DisableTorchFunction(), torch._C._DisableTorchDispatch():
            self.recording.replay()

    def __del__(self) -> None:
        if self.machine.recording is not None:
            self.machine.destroyed_in_capture = True


@contextmanager
def capture(graph: Graph, **_: object) -> Iterator[None]:
    """In the place of torch.cuda.graph."""
    machine = graph.machine
    if machine.recording is not None or graph.recording is not None:
        raise WrongGraphUse("a capture within a capture, or a second one into the same graph")
    recording = machine.recording = Recording(machine)
    machine.destroyed_in_capture = False
    try:
        yield
    finally:
        machine.recording = None
        with torch._C.DisableTorchFunction(), torch._C._DisableTorchDispatch():
            recording.end()
    if machine.destroyed_in_capture:
        raise WrongGraphUse("operation not permitted when stream is capturing: a graph was destroyed meanwhile")
    graph.recording = recording


class Stream:
    """In the place of torch.cuda.Stream: work is done in the order in which it is asked for."""

    machine: Machine

    def wait_stream(self, other: "Stream") -> None:
        """Nothing is ever late."""

    def is_capturing(self) -> bool:
        """Whether work is recorded and not done."""
        return self.machine.recording is not None
