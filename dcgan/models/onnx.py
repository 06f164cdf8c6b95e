"""A generator as an ONNX file, for programs without PyTorch or this project.

Input of the graph: `z`, (N, latent_size) float32, and for a conditional network `labels`, (N,) int64; N is free.
Output: `images`, (N, channels, size, size) float32 in the generator's pixel range: [-1, 1] after tanh, else [0, 1].
With `batch` statistics, the paper's, an image depends on the other N - 1; with `estimated` ones it does not, but they
must be estimated first (`Generator.estimate`).
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from dcgan.core.files import InputError, replace_when_done
from dcgan.models.batch_norm import Statistics
from dcgan.models.networks import Generator

EXAMPLES = 3  # an odd number, so that no size of the network equals the size of the batch
LEAST_BATCH: dict[Statistics, int] = {"batch": 2, "estimated": 1}


class WithStatistics(nn.Module):
    """A generator with a fixed batch-norm mode, because a graph has only tensors as arguments."""

    def __init__(self, generator: Generator, statistics: Statistics) -> None:
        super().__init__()
        self.generator, self.statistics = generator, statistics

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """z: (N, latent_size), labels: (N,) -> images: (N, channels, size, size)."""
        return self.generator(z, labels, self.statistics)  # type: ignore[no-any-return]


def export_generator(generator: Generator, path: Path, statistics: Statistics) -> None:
    """Writes the graph; raises InputError if ONNX is not installed or statistics are wanted but not estimated."""
    if statistics == "estimated" and not generator.is_estimated:
        raise InputError("the generator's batch-norm statistics were never estimated; export it with `batch`")
    architecture = generator.architecture
    names, examples = ["z"], [torch.zeros(EXAMPLES, architecture.latent_size)]
    if architecture.classes:
        names, examples = [*names, "labels"], [*examples, torch.arange(EXAMPLES)]
    batch = torch.export.Dim("N", min=LEAST_BATCH[statistics])
    try:
        program = torch.onnx.export(
            WithStatistics(generator, statistics).eval(),
            tuple(examples),
            input_names=names,
            output_names=["images"],
            dynamic_shapes=tuple({0: batch} for _ in names),
            dynamo=True,
            verbose=False,
        )
    except ImportError as error:
        raise InputError(f"ONNX export: {error}; `pip install onnx onnxscript`") from error
    assert program is not None
    with replace_when_done(path) as partial:
        program.save(partial)
