"""A whole update as one CUDA graph: recorded once, then started by one call instead of some hundred kernels.

A small network at batch 128 keeps a fast GPU waiting for Python; a graph does not. Recording runs nothing, but the
rounds that warm a GPU's libraries up do: their effect on the weights is undone, so a recorded run and an unrecorded one
compute the same numbers by the same kernels. Only for CUDA, and only for updates whose shapes never change.
"""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

WARM_UP_ROUNDS = 3  # as PyTorch's notes on CUDA graphs advise
Figures = dict[str, Tensor]
Update = Callable[..., Figures]
State = Callable[[], Mapping[str, Tensor]]


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
    """Calls an update through a graph. It keeps neither the update nor whose it is, or memory would outlive a training.

    A graph addresses the tensors that the update changed when it was recorded: they have to stay, and be changed in
    place only.
    """

    def __init__(self) -> None:
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, update: Update, state: State, *inputs: Tensor | None) -> Figures:
        """`update(*inputs)`, the same update every time; its figures stay valid after the next one.

        state: returns every tensor that the update changes, by name. inputs: tensors of fixed shapes, or None.
        """
        if self._graph is None:
            self._graph = self._record(update, state, inputs)
        for buffer, given in zip(self._inputs, inputs, strict=True):
            if buffer is not None and given is not None:
                buffer.copy_(given, non_blocking=True)
        self._graph.replay()
        return {name: figure.clone() for name, figure in self._figures.items()}

    def _record(self, update: Update, state: State, inputs: tuple[Tensor | None, ...]) -> torch.cuda.CUDAGraph:
        self._inputs = tuple(None if given is None else given.clone() for given in inputs)
        before, stream = Undo(state()), torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP_ROUNDS):
                update(*self._inputs)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # What this thread does is recorded; another one may be pinning the next batch meanwhile.
        with no_garbage_collection(), torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._figures = update(*self._inputs)
        before.restore(state())
        return graph


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """A collection may free the graph of a training that was dropped, which spoils a recording that is under way."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
