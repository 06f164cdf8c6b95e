"""PyTorch set up as stages have it, for a `with` block.

workflow/engines/stage.py itself needs packages that a bare machine with a GPU lacks.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def as_stages_run(deterministic: bool) -> Iterator[None]:
    """In true float32, as `workflow.engines.stage.prepare` sets PyTorch up for `run.deterministic`; then as before."""
    before = settings()
    apply(int(deterministic), False, not deterministic, False, "highest")
    try:
        yield
    finally:
        apply(*before)


def settings() -> tuple[int, bool, bool, bool, str]:
    """What `apply` takes, as it is."""
    cudnn = torch.backends.cudnn
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    mode, products = torch.get_deterministic_debug_mode(), torch.get_float32_matmul_precision()
    return mode, filled, cudnn.benchmark, cudnn.allow_tf32, products


def apply(mode: int, filled: bool, benchmark: bool, convolutions_in_tf32: bool, products: str) -> None:
    """mode: 0 or 1, which warns about what is not deterministic; filled: whether fresh memory is."""
    torch.set_deterministic_debug_mode(mode)
    torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = benchmark
    torch.backends.cudnn.allow_tf32 = convolutions_in_tf32
    torch.set_float32_matmul_precision(products)
