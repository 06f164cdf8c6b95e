"""What a minibatch of training asks of the device, counted and not timed: a regression shows without a GPU.

    python -m benchmarks.operations [--architecture lsun64] [--batch-size 128] [--precision float32] [--list]

One row per update: operations that compute or copy (on a GPU each starts a kernel or more; views and other bookkeeping
are not counted), the bytes that they read and write, and floating-point operations as `torch.utils.flop_counter` counts
them, both extrapolated from small batches. `--list` shows how often each operation occurs. Counts depend on PyTorch's
version and not on the machine.
"""

import argparse
from collections import Counter
from typing import Any

import torch
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
    images = torch.zeros((batch_size, a.image_size, a.image_size, a.channels), dtype=torch.uint8)
    labels = torch.zeros(batch_size, dtype=torch.int64) if a.classes else None
    for _ in range(WARM_UP_STEPS):
        training.step(images, labels)
    found = {}
    for name in ("generator", "discriminator"):
        with FlopCounterMode(display=False) as flops, Operations() as operations:
            training.step(images, labels)
        found[name] = operations, flops.get_total_flops()
    return found


def at_batch(small: float, twice: float, batch_size: int) -> float:
    """What grows in a straight line from `SMALL_BATCH` images over twice as many, at so many."""
    return small + (twice - small) * (batch_size - SMALL_BATCH) / SMALL_BATCH


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="lsun64", choices=sorted(ARCHITECTURES))
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--list", action="store_true", help="how often each operation occurs")
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


if __name__ == "__main__":
    main()
