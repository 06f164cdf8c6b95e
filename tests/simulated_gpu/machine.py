"""The state of the simulated device: which memory lies on it, how much there is, and whether it may be waited for."""

import weakref
from typing import Any, Protocol

import torch
from torch import Tensor

GPU = torch.device("cuda", 0)
WHOLE_MEMORY = 80 << 30


class DeviceMix(RuntimeError):
    """Tensors of both devices in one operation."""


class WrongGraphUse(RuntimeError):
    """What a stream that is being captured, or a graph, does not allow."""


class Recorder(Protocol):
    """What notes the operations of a capture."""

    def run(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Computes an operation, and notes it."""


class Machine:
    """The one simulated device."""

    def __init__(self, memory: int = WHOLE_MEMORY) -> None:
        self.memory, self.allocated = memory, 0
        self.sync_mode: str | int = "default"
        self.recording: Recorder | None = None
        self.creating = False  # within a call that makes its tensors on the device
        self.destroyed_in_capture = False  # a graph was freed while another one was recorded

    def place(self, tensor: Tensor) -> None:
        """Puts a tensor's memory on the device; raises torch's own error if there is none left."""
        storage = tensor.untyped_storage()
        if getattr(storage, "on_gpu", False):
            return
        if self.allocated + storage.nbytes() > self.memory:
            raise torch.OutOfMemoryError(
                f"CUDA out of memory. Tried to allocate {storage.nbytes()} bytes. GPU 0 has a total capacity of "
                f"{self.memory} bytes of which {self.memory - self.allocated} bytes is free.\nSee documentation"
            )
        storage.on_gpu = True
        self.allocated += storage.nbytes()
        weakref.finalize(storage, self._free, storage.nbytes()).atexit = False

    def _free(self, size: int) -> None:
        self.allocated -= size

    def wait(self, operation: object) -> None:
        """What every operation does that makes the CPU wait for the device."""
        if self.recording is not None:
            raise WrongGraphUse(f"operation not permitted when stream is capturing: {operation} waits for the device")
        if self.sync_mode in ("error", 2):
            raise RuntimeError(f"called a synchronizing CUDA operation: {operation}")

    def cross(self, operation: object, waits: bool) -> None:
        """What every copy between the devices does."""
        if self.recording is not None:
            raise WrongGraphUse(f"operation not permitted when stream is capturing: {operation} leaves the device")
        if waits:
            self.wait(operation)


def on_gpu(tensor: Tensor) -> bool:
    """Whether the tensor's memory is the simulated device's."""
    with torch._C.DisableTorchFunction():
        return getattr(tensor.untyped_storage(), "on_gpu", False)
