"""What generator and discriminator share: initial weights, batch norm, joined labels, and files.

A network file is safetensors; its header holds the architecture, so it opens without the table of architectures.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dcgan.core.files import InputError
from dcgan.core.tensor_files import read_weights, write_weights
from dcgan.models.architectures import Architecture, architecture_from
from dcgan.models.batch_norm import BatchNorm, Rescaling

WEIGHT_DEVIATION = 0.02


class Network(nn.Module):
    """The common part of generator and discriminator: initial weights, label conditioning, files."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def initialize(self, generator: torch.Generator) -> Self:
        """Draws all weights from N(0, 0.02) and batch-norm gains from N(1, 0.02), in the order of their names."""
        with torch.no_grad():
            for name, parameter in sorted(self.named_parameters()):
                if name.endswith("bias"):
                    parameter.zero_()
                else:
                    center = 1.0 if name.endswith("gain") else 0.0
                    parameter.copy_(torch.empty(parameter.shape).normal_(center, WEIGHT_DEVIATION, generator=generator))
        return self

    def norm(self, size: int) -> BatchNorm | Rescaling:
        """Batch norm of `size` feature maps or units, as the architecture has it."""
        a = self.architecture
        return Rescaling(size, a.norm_affine) if a.norms == "none" else BatchNorm(size, a.norm_affine, a.norm_epsilon)

    def _norms(self, sizes: Iterable[int]) -> nn.ModuleList:
        return nn.ModuleList(self.norm(size) for size in sizes)

    def _dense(self, inputs: Sequence[int], outputs: Sequence[int]) -> nn.ModuleList:
        classes = self.architecture.classes
        return nn.ModuleList(
            nn.Linear(n_in + classes, n_out, bias=False) for n_in, n_out in zip(inputs, outputs, strict=True)
        )

    def join_label(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """Joins one-hot labels, (N,) int64, to (N, C) or, as constant maps, to (N, C, H, W); nothing without classes.

        Raises ValueError if the network is conditional and there are no labels.
        """
        if self.architecture.classes == 0:
            return x
        if labels is None:
            raise ValueError(f"{self.architecture.name} is conditional: it needs labels")
        one_hot = F.one_hot(labels, self.architecture.classes).to(x.dtype)
        maps = one_hot.view(*one_hot.shape, *(1,) * (x.dim() - 2)).expand(-1, -1, *x.shape[2:])
        return torch.cat([x, maps], dim=1)

    def save(self, path: Path, metadata: Mapping[str, Any]) -> None:
        """Writes weights and estimated statistics; `metadata`, of JSON values, is kept beside the architecture."""
        about = {"role": type(self).__name__.lower(), "architecture": self.architecture.description, **metadata}
        write_weights(path, self, "network", about)

    @classmethod
    def from_file(cls, path: Path | str, device: torch.device | str = "cpu") -> Self:
        """Opens a network file, not for training; raises InputError if it is not one, or is the other network."""
        return read_weights(path, "network", cls._from_description, device).eval()

    @classmethod
    def _from_description(cls, about: Mapping[str, Any]) -> Self:
        if about["role"] != cls.__name__.lower():
            raise InputError(f"expected a {cls.__name__.lower()}, found {about['role']}")
        return cls(architecture_from(about["architecture"]))
