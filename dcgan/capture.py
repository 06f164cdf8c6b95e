"""Whole-step capture on a GPU: one update of a network as one CUDA graph.

A step at the paper's sizes is some 200 kernels of a few microseconds; launched one by one they cost more than they
compute. Captured once and replayed, they cost one launch. The computation, and so the result, is the same.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Update = Callable[..., dict[str, Tensor]]
WARM_UP_CALLS = 3


class CapturedUpdate:
    """Replays `update(*inputs)` for inputs of the shapes of `examples` (None stays None).

    state: every tensor that an update changes; the warm-up that capture needs must leave no trace in them.
    """

    def __init__(self, update: Update, examples: tuple[Tensor | None, ...], state: Callable[[], Mapping[str, Tensor]]):
        self.inputs = tuple(None if example is None else example.clone() for example in examples)
        before = {name: tensor.clone() for name, tensor in state().items()}
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP_CALLS):
                update(*self.inputs)
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.figures = update(*self.inputs)
        # Adam makes its moments at the first step: those that were not there before are zero.
        for name, tensor in state().items():
            if name in before:
                tensor.copy_(before[name])
            else:
                tensor.zero_()

    def __call__(self, *inputs: Tensor | None) -> dict[str, Tensor]:
        for held, given in zip(self.inputs, inputs, strict=True):
            if held is not None and given is not None:
                held.copy_(given, non_blocking=True)
        self.graph.replay()
        # The next replay writes over the graph's own tensors.
        return {name: value.clone() for name, value in self.figures.items()}
