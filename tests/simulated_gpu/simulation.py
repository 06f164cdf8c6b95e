"""Puts the simulated device into torch's place, for a `with` block."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer

from benchmarks.as_stages import as_stages_run
from tests.simulated_gpu.calls import CPU, Calls
from tests.simulated_gpu.compiler import compiler
from tests.simulated_gpu.graphs import Graph, Stream, capture
from tests.simulated_gpu.machine import GPU, WHOLE_MEMORY, Machine, on_gpu
from tests.simulated_gpu.operations import Operations

IS_REAL = torch.cuda.is_available()


@contextmanager
def simulated_gpu(memory: int = WHOLE_MEMORY, devices: int = 1) -> Iterator[Machine]:
    """Within it torch finds a CUDA device of so many bytes; further devices are found, but cannot be used."""
    machine = Machine(memory)
    with ExitStack() as stack:
        for module, replacements in places(machine, devices):
            stack.enter_context(patch.multiple(module, **replacements))
        stack.enter_context(Calls(machine))
        stack.enter_context(Operations(machine))
        yield machine


@contextmanager
def any_gpu(simulated: bool = not IS_REAL, devices: int = 1) -> Iterator[None]:
    """The real device, if there is one, as `workflow.engines.stage.prepare` sets it up for `run.deterministic`.

    devices: how many are found, if simulated.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    with as_stages_run(deterministic=True), simulated_gpu(devices=devices) if simulated else nullcontext():
        yield


def places(machine: Machine, devices: int) -> Iterator[tuple[Any, dict[str, Any]]]:
    """What is replaced where."""
    graph = type("Graph", (Graph,), {"machine": machine})
    stream = type("Stream", (Stream,), {"machine": machine})
    answers = {
        "is_available": True,
        "is_initialized": True,
        "device_count": devices,
        "is_bf16_supported": True,
        "current_device": 0,
        "get_device_name": "simulated",
        "synchronize": None,
        "empty_cache": None,
        "set_device": None,
    }
    yield (
        torch.cuda,
        {name: (lambda *_, answer=answer, **__: answer) for name, answer in answers.items()}
        | {
            "mem_get_info": lambda *_: (machine.memory - machine.allocated, machine.memory),
            "memory_allocated": lambda *_: machine.allocated,
            "is_current_stream_capturing": lambda: machine.recording is not None,
            "set_sync_debug_mode": lambda mode: setattr(machine, "sync_mode", mode),
            "CUDAGraph": graph,
            "graph": capture,
            "Stream": stream,
            "stream": lambda _: nullcontext(),
            "current_stream": lambda *_: stream(),
        },
    )
    yield torch.accelerator, {"current_accelerator": lambda **_: GPU, "current_stream": lambda *_: stream()}
    yield Tensor, {"pin_memory": lambda tensor: tensor}
    yield torch, {"autocast": Autocast, "Generator": RandomNumbers, "compile": compiler(machine)}
    yield Optimizer, {"_group_tensors_by_device_and_dtype": staticmethod(grouped)}
    yield torch.distributed, {"init_process_group": over_gloo}


class Autocast(torch.autocast):
    """The CPU's, as the numbers are there."""

    def __init__(self, _: str, *args: Any, **kwargs: Any) -> None:
        super().__init__("cpu", *args, **kwargs)


class RandomNumbers(torch.Generator):
    """The CPU's."""

    def __new__(cls, _: Any = "cpu") -> Any:
        return REAL_GENERATOR.__new__(REAL_GENERATOR, "cpu")


REAL_GENERATOR = torch.Generator
REAL_GROUPING = Optimizer._group_tensors_by_device_and_dtype
REAL_INIT = torch.distributed.init_process_group


def grouped(lists: Any, with_indices: bool = False) -> Any:
    """Tensors by where they claim to be."""
    groups = REAL_GROUPING(lists, with_indices).items()
    return {(GPU if on_gpu(found[0][0][0]) else CPU, kind): found for (_, kind), found in groups}


def over_gloo(_: str, **options: Any) -> None:
    """NCCL's place is taken by what connects CPUs."""
    REAL_INIT("gloo", **options)
