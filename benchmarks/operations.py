"""What a minibatch of training asks of the device, counted and not timed: a regression shows without a GPU.

    python -m benchmarks.operations [--architecture lsun64] [--batch-size 128] [--precision float32] [--list]
        [--compile]

One row per update: operations that compute or copy (on a GPU each starts a kernel or more; views and other bookkeeping
are not counted), the bytes that they read and write, and floating-point operations as `torch.utils.flop_counter` counts
them, both extrapolated from small batches. `--list` shows how often each operation occurs, `--compile` in how many
fused kernels `run.compile` computes norms, activations and casts on a CPU. Counts depend on PyTorch's version and not
on the machine.
"""

import argparse
from collections import Counter
from dataclasses import replace
from typing import Any

import torch
import torch._inductor.config
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.training import settings_of
from dcgan.models.architectures import ARCHITECTURES, Architecture
from dcgan.training.adversarial import AdversarialTraining

GIGA = 1e9
SMALL_BATCH = 2  # bytes and floating-point operations of a large one follow from it and twice as many
WARM_UP_STEPS = 2  # Adam makes its moments in the first step of each network
PROFILED = {"cpp.enable_kernel_profile": True}  # fused kernels show among the profiler's events
ALLOCATIONS = {"empty", "empty_like", "new_empty", "empty_strided"}


class Operations(TorchDispatchMode):
    """Counts operations by name, and bytes of the tensors that they read and write, while it is entered."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.bytes = 0

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = operation(*args, **(kwargs or {}))
        name = operation.overloadpacket.__name__
        views = operation.is_view or name == "_unsafe_view"
        if operation.namespace == "aten" and not views and name not in ALLOCATIONS:
            self.counts[name] += 1
            self.bytes += size_of([args, kwargs]) + size_of(result)
        return result

    @property
    def total(self) -> int:
        """Operations that compute or copy."""
        return self.counts.total()


def size_of(values: Any) -> int:
    """Bytes of all tensors among nested values."""
    return sum(leaf.numel() * leaf.element_size() for leaf in tree_leaves(values) if isinstance(leaf, Tensor))


def count_updates(a: Architecture, batch_size: int, precision: str) -> dict[str, tuple[Operations, int]]:
    """Operations, and floating-point operations, of the generator's and then of the discriminator's minibatch."""
    training = AdversarialTraining(a, settings_of(batch_size, "alternate", precision, False), torch.device("cpu"))
    images, labels = minibatch(a, batch_size)
    for _ in range(WARM_UP_STEPS):
        training.step(images, labels)
    found = {}
    for name in ("generator", "discriminator"):
        with FlopCounterMode(display=False) as flops, Operations() as operations:
            training.step(images, labels)
        found[name] = operations, flops.get_total_flops()
    return found


def count_fused(a: Architecture, batch_size: int, precision: str) -> dict[str, int]:
    """Fused kernels that start in the generator's and in the discriminator's minibatch, compiled for a CPU."""
    settings = replace(settings_of(batch_size, "alternate", precision, False), compile=True)
    training = AdversarialTraining(a, settings, torch.device("cpu"))
    images, labels = minibatch(a, batch_size)
    found = {}
    with torch._inductor.config.patch(PROFILED):
        for _ in range(2 * WARM_UP_STEPS):
            training.step(images, labels)
        for name in ("generator", "discriminator"):
            with torch.profiler.profile() as profile:
                training.step(images, labels)
            found[name] = sum("cpp_fused" in event.name for event in profile.events())
    return found


def minibatch(a: Architecture, batch_size: int) -> tuple[Tensor, Tensor | None]:
    images = torch.zeros((batch_size, a.image_size, a.image_size, a.channels), dtype=torch.uint8)
    return images, torch.zeros(batch_size, dtype=torch.int64) if a.classes else None


def at_batch(small: float, twice: float, batch_size: int) -> float:
    """What grows in a straight line from `SMALL_BATCH` images over twice as many, at so many."""
    return small + (twice - small) * (batch_size - SMALL_BATCH) / SMALL_BATCH


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="lsun64", choices=sorted(ARCHITECTURES))
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--list", action="store_true", help="how often each operation occurs")
    parser.add_argument("--compile", action="store_true", help="fused kernels; takes minutes, and a C++ compiler")
    args = parser.parse_args()
    a = ARCHITECTURES[args.architecture]
    small, twice = (count_updates(a, size, args.precision) for size in (SMALL_BATCH, 2 * SMALL_BATCH))
    print(f"{a.name}, batch {args.batch_size}, {args.precision}, torch {torch.__version__}")
    for name, (operations, flops) in small.items():
        moved = at_batch(operations.bytes, twice[name][0].bytes, args.batch_size)
        flop = at_batch(flops, twice[name][1], args.batch_size)
        print(
            f"{name}'s minibatch: {operations.total} operations, {moved / GIGA:.2f} GB read and written, "
            f"{flop / GIGA:,.0f} GFLOP"
        )
        for kind, count in operations.counts.most_common() if args.list else ():
            print(f"  {count:4} {kind}")
    for name, count in count_fused(a, SMALL_BATCH, args.precision).items() if args.compile else ():
        print(f"{name}'s minibatch, compiled: {count} fused kernels")


if __name__ == "__main__":
    main()
