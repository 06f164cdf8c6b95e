"""What Python sees of the device: tensors that say where they are, `device=` arguments, and moves."""

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from tests.simulated_gpu.machine import GPU, Machine, on_gpu
from tests.simulated_gpu.operations import tensors_of

CPU = torch.device("cpu")
ATTRIBUTES = {
    torch.Tensor.device.__get__: lambda tensor: GPU if on_gpu(tensor) else CPU,  # type: ignore[attr-defined]
    torch.Tensor.is_cuda.__get__: on_gpu,  # type: ignore[attr-defined]
    torch.Tensor.is_cpu.__get__: lambda tensor: not on_gpu(tensor),  # type: ignore[attr-defined]
}


def is_gpu(device: Any) -> bool | None:
    """Whether a device argument names the simulated device; None if it names none."""
    return None if device is None else torch.device(device).type == "cuda"


class Calls(TorchFunctionMode):
    """Answers for the tensors, and has what is made within a call lie on the device that the call names."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self.machine = machine

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        kwargs.pop("pin_memory", None)  # all memory is the CPU's
        if func in ATTRIBUTES:
            return ATTRIBUTES[func](args[0])
        if func in (Tensor.to, Tensor.cpu, Tensor.cuda):
            return self._move(*target(func, args, kwargs))
        if func in (Tensor.numpy, Tensor.__array__) and on_gpu(args[0]):
            raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first")
        if func is Tensor.tolist and on_gpu(args[0]):
            self.machine.wait(func)
        if func is torch.nn.functional.one_hot and on_gpu(args[0]):
            return self._one_hot(*args, **kwargs)
        if kwargs.get("device") is not None:
            return self._make(func, args, kwargs)
        return self._call(func, args, kwargs, any(on_gpu(tensor) for tensor in tensors_of((args, kwargs))))

    def _call(self, func: Any, args: Any, kwargs: Any, gpu: bool) -> Any:
        before, self.machine.creating = self.machine.creating, gpu
        try:
            return func(*args, **kwargs)
        finally:
            self.machine.creating = before

    def _make(self, func: Any, args: Any, kwargs: Any) -> Any:
        gpu = bool(is_gpu(kwargs["device"]))
        kwargs["device"] = CPU
        if func in (torch.tensor, torch.as_tensor):
            return self._move(func(*args, **kwargs), gpu, {}, waits=True)
        return self._call(func, args, kwargs, gpu)

    def _move(self, tensor: Tensor, gpu: bool | None, form: dict[str, Any], waits: bool) -> Tensor:
        """The tensor on the device, or where it is for None, as `form` has it; a move always copies."""
        if gpu is None or gpu == on_gpu(tensor):
            return self._call(Tensor.to, (tensor,), form, on_gpu(tensor)) if form else tensor
        self.machine.cross("a copy between devices", waits)
        with torch._C.DisableTorchFunction(), torch._C._DisableTorchDispatch():
            moved = tensor.to(**form | {"copy": True})
            if gpu:
                self.machine.place(moved)
        return moved

    def _one_hot(self, labels: Tensor, num_classes: int) -> Tensor:
        """On a GPU it looks at no value; on a CPU it asks for the smallest and the largest."""
        shape = (*labels.shape, num_classes)
        with torch._C.DisableTorchFunction():
            return labels.new_zeros(shape).scatter_(-1, labels.unsqueeze(-1), 1)


def target(func: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Tensor, bool | None, dict[str, Any], bool]:
    """What is moved, whether to the GPU, in which form, and whether the CPU waits for the move."""
    tensor, *rest = args
    copy = {"copy": True} if kwargs.pop("copy", False) else {}
    if func is not Tensor.to:
        return tensor, func is Tensor.cuda, copy, not kwargs.get("non_blocking", False)
    if rest and isinstance(rest[0], Tensor):
        gpu, rest = on_gpu(rest[0]), [rest[0].dtype, *rest[1:]]
    elif "other" in kwargs:
        gpu, rest = on_gpu(kwargs["other"]), [kwargs.pop("other").dtype, *rest]
    else:
        gpu = None
    device, dtype, non_blocking, memory_format = torch._C._nn._parse_to(*rest, **kwargs)
    form = copy | {"dtype": dtype, "memory_format": memory_format}
    given = {name: value for name, value in form.items() if value is not None}
    return tensor, is_gpu(device) if gpu is None else gpu, given, not non_blocking
