"""Moves between the CPU and a CUDA device that keep neither waiting."""

import torch
from torch import Tensor


def pinned(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor in memory from which a CUDA device can copy by itself; unchanged for a CPU."""
    return tensor.pin_memory() if device.type == "cuda" else tensor


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on the device, without waiting for the copy or for earlier work of the device."""
    return pinned(tensor, device).to(device, non_blocking=True)
