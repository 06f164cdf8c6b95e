"""Generator and discriminator (section 3, Figure 1), one class each, built from a row of the architecture table.

The paper's guidelines: strided convolutions instead of pooling; batch norm everywhere but at the generator's output and
the discriminator's input; no fully connected layers on top of convolutional features; ReLU in the generator, tanh at
its end; leaky ReLU in the discriminator. No biases except batch norm's. Weights ~ N(0, 0.02) (section 4).

A network file is safetensors; its metadata holds the architecture, so it opens without the table it came from.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dcgan.architectures import Architecture
from dcgan.files import InputError, replace_when_done
from dcgan.normalization import BatchNorm, Statistics
from dcgan.pixels import Images, to_uint8
from dcgan.random import torch_generator

WEIGHT_DEVIATION = 0.02


class Network(nn.Module):
    """What generator and discriminator share: initial weights, label conditioning, files."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture

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

    def norm(self, size: int) -> BatchNorm:
        """Batch norm of `size` feature maps or units, as the architecture wants it."""
        return BatchNorm(size, self.architecture.norm_affine, self.architecture.norm_epsilon)

    def join_label(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """Joins the one-hot label to (N, C) or, as constant maps, to (N, C, H, W); nothing without classes."""
        if self.architecture.classes == 0:
            return x
        if labels is None:
            raise ValueError(f"{self.architecture.name} is conditional: it needs labels")
        one_hot = F.one_hot(labels, self.architecture.classes).to(x.dtype)
        maps = one_hot.view(*one_hot.shape, *(1,) * (x.dim() - 2)).expand(-1, -1, *x.shape[2:])
        return torch.cat([x, maps], dim=1)

    def save(self, path: Path, metadata: Mapping[str, Any]) -> None:
        """Writes weights and estimated statistics; `metadata` is kept beside the architecture.

        All of it is one entry of the header, because several entries come in no fixed order.
        """
        about = {"role": type(self).__name__.lower(), "architecture": asdict(self.architecture), **metadata}
        header = {"network": json.dumps(about)}
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()}
        with replace_when_done(path) as partial:
            save_file(tensors, partial, header)

    @classmethod
    def from_file(cls, path: Path | str, device: torch.device | str = "cpu") -> Self:
        """Opens a network file; raises InputError where it is none, or is the other network."""
        try:
            with safe_open(str(path), framework="pt", device=str(device)) as file:
                about = json.loads((file.metadata() or {}).get("network", "{}"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no dict)
        except (OSError, SafetensorError, ValueError) as error:
            raise InputError(f"{path}: not a readable network ({error})") from error
        if about.get("role") != cls.__name__.lower():
            raise InputError(f"{path}: expected a {cls.__name__.lower()}, found {about.get('role', 'no network')}")
        network = cls(architecture_from(about["architecture"]))
        network.load_state_dict(tensors)
        return network.to(device)


class Generator(Network):
    """z: (N, latent_size) -> images: (N, channels, size, size) in the architecture's pixel range."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        a = architecture
        maps, side = a.projection
        units = [a.latent_size, *a.generator_hidden, maps * side * side]
        self.dense = nn.ModuleList(nn.Linear(n_in + a.classes, n_out, bias=False) for n_in, n_out in pairwise(units))
        normed = [*a.generator_hidden, units[-1] if a.norm_projection_by_unit else maps]
        # Without convolutions the projection is the image, and no image is normalised.
        self.dense_norms = nn.ModuleList(self.norm(n) for n in (normed if a.generator_layers else normed[:-1]))
        inputs = [maps, *(m for m, _ in a.generator_layers)]
        self.convolutions = nn.ModuleList(
            nn.ConvTranspose2d(
                n_in + a.classes,
                n_out,
                a.kernel_size,
                stride,
                padding=(a.kernel_size - 1) // 2,
                # Odd kernels need it to double the size exactly; a 4x4 kernel does so by itself.
                output_padding=stride - 1 if a.kernel_size % 2 else 0,
                bias=False,
            )
            for n_in, (n_out, stride) in zip(inputs, a.generator_layers, strict=False)
        )
        self.norms = nn.ModuleList(self.norm(m) for m, _ in a.generator_layers[:-1])

    def forward(self, z: Tensor, labels: Tensor | None = None, statistics: Statistics = "batch") -> Tensor:
        """z: (N, latent_size) -> images: (N, channels, size, size)."""
        return self.after(self.project(z, labels, statistics), 0, labels, statistics)

    def project(self, z: Tensor, labels: Tensor | None, statistics: Statistics) -> Tensor:
        """z: (N, latent_size) -> (N, maps, side, side), what the first convolution sees."""
        maps, side = self.architecture.projection
        x = z
        for index, dense in enumerate(self.dense):
            x = dense(self.join_label(x, labels))
            if index == len(self.dense) - 1 and not self.architecture.norm_projection_by_unit:
                x = x.view(-1, maps, side, side)
            x = F.relu(self.dense_norms[index](x, statistics)) if index < len(self.dense_norms) else self._as_pixels(x)
        return x.view(-1, maps, side, side)

    def until(self, z: Tensor, layer: int, labels: Tensor | None = None, statistics: Statistics = "batch") -> Tensor:
        """Activations of convolution `layer` (negative: from the end; -1 is the image) after its non-linearity."""
        x = self.project(z, labels, statistics)
        for index in range(layer % len(self.convolutions) + 1):
            x = self._layer(index, x, labels, statistics)
        return x

    def after(self, x: Tensor, layer: int, labels: Tensor | None = None, statistics: Statistics = "batch") -> Tensor:
        """Images from the input of convolution `layer`, 0 or more; `after(until(z, k), k + 1)` is `forward(z)`."""
        for index in range(layer, len(self.convolutions)):
            x = self._layer(index, x, labels, statistics)
        return x

    def _layer(self, index: int, x: Tensor, labels: Tensor | None, statistics: Statistics) -> Tensor:
        x = self.convolutions[index](self.join_label(x, labels))
        if index < len(self.norms):
            return F.relu(self.norms[index](x, statistics))
        return self._as_pixels(x)

    def _as_pixels(self, x: Tensor) -> Tensor:
        return torch.tanh(x) if self.architecture.pixel_range == "tanh" else torch.sigmoid(x)

    def draw_latents(self, n: int, generator: torch.Generator) -> Tensor:
        """z: (n, latent_size) float32 of the architecture's distribution, on the generator's device."""
        z = torch.empty(n, self.architecture.latent_size, device=generator.device)
        if self.architecture.latent == "uniform":
            return z.uniform_(-1, 1, generator=generator)
        return z.normal_(generator=generator)

    @torch.no_grad()
    def sample(self, n: int, seed: int, labels: Tensor | None = None, statistics: Statistics = "batch") -> Images:
        """Draws n images, (n, size, size, channels) uint8; with batch statistics one depends on its n - 1 mates."""
        device = next(self.parameters()).device
        z = self.draw_latents(n, torch_generator(seed, "sample")).to(device)
        return to_uint8(self(z, labels, statistics), self.architecture.pixel_range)


class Discriminator(Network):
    """x: (N, channels, size, size) -> logits: (N,); their sigmoid is the probability of being real."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        a = architecture
        inputs = [a.channels, *(m for m, _ in a.discriminator_layers)]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(n_in + a.classes, n_out, a.kernel_size, stride, (a.kernel_size - 1) // 2, bias=False)
            for n_in, (n_out, stride) in zip(inputs, a.discriminator_layers, strict=False)
        )
        self.norms = nn.ModuleList(self.norm(m) for m, _ in a.discriminator_layers[1:])
        side = a.image_size // int(np.prod([stride for _, stride in a.discriminator_layers]))
        units = [inputs[-1] * side * side, *a.discriminator_hidden, 1]
        self.dense = nn.ModuleList(nn.Linear(n_in + a.classes, n_out, bias=False) for n_in, n_out in pairwise(units))
        self.dense_norms = nn.ModuleList(self.norm(n) for n in a.discriminator_hidden)

    def forward(self, x: Tensor, labels: Tensor | None = None, statistics: Statistics = "batch") -> Tensor:
        """x: (N, channels, size, size) -> logits: (N,)."""
        for index in range(len(self.convolutions)):
            x = self._layer(index, x, labels, statistics)
        x = x.flatten(1)
        for dense, norm in zip(self.dense[:-1], self.dense_norms, strict=True):
            x = F.leaky_relu(norm(dense(self.join_label(x, labels)), statistics), self.architecture.leak)
        return cast(Tensor, self.dense[-1](self.join_label(x, labels))).squeeze(1)

    def activations(self, x: Tensor, statistics: Statistics, labels: Tensor | None = None) -> list[Tensor]:
        """Every convolutional layer after its leaky ReLU: [(N, C, H, W), ...] from the image upwards."""
        layers = []
        for index in range(len(self.convolutions)):
            x = self._layer(index, x, labels, statistics)
            layers.append(x)
        return layers

    def _layer(self, index: int, x: Tensor, labels: Tensor | None, statistics: Statistics) -> Tensor:
        x = self.convolutions[index](self.join_label(x, labels))
        if index > 0:
            x = self.norms[index - 1](x, statistics)
        return F.leaky_relu(x, self.architecture.leak)


def architecture_from(fields: dict[str, Any]) -> Architecture:
    """The architecture that a network file describes (JSON has lists where the table has tuples)."""

    def frozen(value: Any) -> Any:
        return tuple(frozen(item) for item in value) if isinstance(value, list) else value

    return Architecture(**{name: frozen(value) for name, value in fields.items()})
