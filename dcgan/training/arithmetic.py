"""In which numbers a device computes an update, and in which order they lie in its memory.

`float32`: in full. `tfloat32`: a GPU keeps ten bits of each factor of a convolution or a matrix product, and all of
their sums. `bfloat16`: autocast; weights, Adam's moments and batch-norm statistics stay float32. `auto`: bfloat16 on a
GPU that computes in it, float32 elsewhere. A CPU has no tfloat32 and computes in float32 instead.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

Precision = Literal["auto", "float32", "tfloat32", "bfloat16"]


def precision_on(device: torch.device, asked: Precision) -> Precision:
    """What `auto` means on a device; anything else is itself."""
    if asked != "auto":
        return asked
    is_fast = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bfloat16" if is_fast else "float32"


def memory_format_on(device: torch.device, precision: Precision) -> torch.memory_format:
    """Channels-last feeds a GPU's tensor cores with half types directly, and AVX-512 CPUs like it; AVX2 ones do not
    mind it. In float32 a GPU's kernels are made for maps.
    """
    maps_first = device.type == "cuda" and precision != "bfloat16"
    return torch.contiguous_format if maps_first else torch.channels_last


@contextmanager
def arithmetic(device: torch.device, precision: Precision) -> Iterator[None]:
    """Within it, a GPU computes in tfloat32 if the precision says so, forwards and backwards."""
    if precision != "tfloat32" or device.type != "cuda":
        yield
        return
    before = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    torch.backends.cudnn.allow_tf32 = True
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before[0]
        torch.set_float32_matmul_precision(before[1])
