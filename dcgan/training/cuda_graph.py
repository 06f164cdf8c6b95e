"""A whole update as one CUDA graph: recorded once, then started by one call instead of some hundred kernels.

A small network at batch 128 keeps a fast GPU waiting for Python; a graph does not. Recording runs nothing, but the
rounds that warm a GPU's libraries up do: their effect on the weights is undone, so a recorded run and an unrecorded one
compute the same numbers by the same kernels. Only for CUDA, and only for updates whose shapes never change.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

WARM_UP_ROUNDS = 3  # as PyTorch's notes on CUDA graphs advise
Figures = dict[str, Tensor]
Update = Callable[..., Figures]


class Undo:
    """Remembers tensors by name; `restore` brings them back in place, those that have appeared since as zeros."""

    def __init__(self, named: Mapping[str, Tensor]) -> None:
        self.saved = {name: tensor.detach().clone() for name, tensor in named.items()}

    @torch.no_grad()
    def restore(self, named: Mapping[str, Tensor]) -> None:
        """Adam's moments and step counts appear at its first step, and begin at zero."""
        for name, tensor in named.items():
            if name in self.saved:
                tensor.copy_(self.saved[name])
            else:
                tensor.zero_()


class CapturedUpdate:
    """Calls `update(*inputs)` through a graph; inputs are tensors of fixed shapes, or None.

    state: returns every tensor that an update changes, by name.
    """

    def __init__(self, update: Update, state: Callable[[], Mapping[str, Tensor]]) -> None:
        self.update, self.state = update, state
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, *inputs: Tensor | None) -> Figures:
        """One update; its figures stay valid after the next one."""
        if self._graph is None:
            self._record(inputs)
        assert self._graph is not None
        for buffer, given in zip(self._inputs, inputs, strict=True):
            if buffer is not None and given is not None:
                buffer.copy_(given, non_blocking=True)
        self._graph.replay()
        return {name: figure.clone() for name, figure in self._figures.items()}

    def _record(self, inputs: tuple[Tensor | None, ...]) -> None:
        self._inputs = tuple(None if given is None else given.clone() for given in inputs)
        before, stream = Undo(self.state()), torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP_ROUNDS):
                self.update(*self._inputs)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        # What this thread does is recorded; another one may be pinning the next batch meanwhile.
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._figures = self.update(*self._inputs)
        before.restore(self.state())
