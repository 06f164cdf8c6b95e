"""Generator and discriminator (section 3, Figure 1), one class each, built from a row of the architecture table.

The paper's guidelines: strided convolutions instead of pooling; batch norm everywhere but at the generator's output and
the discriminator's input; no fully connected layers on top of convolutional features; ReLU in the generator, tanh at
its end; leaky ReLU in the discriminator. No biases except batch norm's. Weights ~ N(0, 0.02) (section 4). Each
guideline is a field of the table, so each can be broken (docs/guidelines.md).

Without strides, the discriminator takes the maximum over stride x stride positions behind a layer's non-linearity, and
the generator repeats each position stride x stride times before a convolution (nearest upsampling). True unpooling
needs the places of maxima, which a generator does not have. Unpooling into a fixed corner with zeros around it,
followed by a convolution, is the fractionally strided convolution itself, and so no alternative to it.

A network file is safetensors; its header holds the architecture, so it opens without the table of architectures.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dcgan.core.files import InputError
from dcgan.core.pixels import Images
from dcgan.core.seeding import torch_generator
from dcgan.core.tensor_files import read_weights, write_weights
from dcgan.models.activations import activate, channels_before
from dcgan.models.architectures import Architecture, architecture_from
from dcgan.models.batch_norm import BatchNorm, Rescaling, Statistics
from dcgan.models.pixel_range import to_uint8

WEIGHT_DEVIATION = 0.02


class Network(nn.Module):
    """The common part of generator and discriminator: initial weights, label conditioning, files."""

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
        """Opens a network file; raises InputError if it is not one, or is the other network."""
        return read_weights(path, "network", cls._from_description, device)

    @classmethod
    def _from_description(cls, about: Mapping[str, Any]) -> Self:
        if about["role"] != cls.__name__.lower():
            raise InputError(f"expected a {cls.__name__.lower()}, found {about['role']}")
        return cls(architecture_from(about["architecture"]))


class Generator(Network):
    """z: (N, latent_size) -> images: (N, channels, size, size) in the architecture's pixel range."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        a = architecture
        maps, side = a.projection
        # The layer that makes the image has as many channels as the image, and as published no batch norm.
        convolved = [*self._before(m for m, _ in a.generator_layers[:-1]), *(m for m, _ in a.generator_layers[-1:])]
        projected = self._before([maps])[0] if convolved else maps
        hidden = self._before(a.generator_hidden)
        self.dense = self._dense([a.latent_size, *a.generator_hidden], [*hidden, projected * side * side])
        normed = [*hidden, projected * side * side if a.norm_projection_by_unit else projected]
        self.dense_norms = self._norms(normed if convolved else self._but_image(normed))
        inputs = [maps, *(m for m, _ in a.generator_layers)]
        self.convolutions = nn.ModuleList(
            self._convolution(n_in + a.classes, n_out, stride)
            for n_in, n_out, (_, stride) in zip(inputs, convolved, a.generator_layers, strict=False)
        )
        self.norms = self._norms(self._but_image(convolved))

    def _before(self, channels: Iterable[int]) -> list[int]:
        return [channels_before(self.architecture.generator_activation, n) for n in channels]

    def _but_image(self, sizes: list[int]) -> list[int]:
        return sizes if self.architecture.norms == "all" else sizes[:-1]

    def _convolution(self, n_in: int, n_out: int, stride: int) -> nn.Module:
        size = self.architecture.kernel_size
        padding = (size - 1) // 2
        if self.architecture.resampling == "pooled":
            return nn.Conv2d(n_in, n_out, size, padding=padding, bias=False)
        # Odd kernels need output padding to double the size exactly; a 4x4 kernel does so by itself.
        further = stride - 1 if size % 2 else 0
        return nn.ConvTranspose2d(n_in, n_out, size, stride, padding, further, bias=False)

    def forward(self, z: Tensor, labels: Tensor | None = None, statistics: Statistics = "batch") -> Tensor:
        """z: (N, latent_size) -> images: (N, channels, size, size)."""
        return self.after(self.project(z, labels, statistics), 0, labels, statistics)

    def project(self, z: Tensor, labels: Tensor | None, statistics: Statistics) -> Tensor:
        """z: (N, latent_size) -> (N, maps, side, side), what the first convolution sees."""
        a = self.architecture
        maps, side = a.projection
        x = z
        for index, dense in enumerate(self.dense):
            last = index == len(self.dense) - 1
            x = dense(self.join_label(x, labels))
            if last and not a.norm_projection_by_unit:
                x = x.view(len(x), -1, side, side)
            if index < len(self.dense_norms):
                x = self.dense_norms[index](x, statistics)
            x = self._finish(x, is_image=last and not a.generator_layers)
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
        a = self.architecture
        x = self.join_label(x, labels)
        if a.resampling == "pooled":
            x = F.interpolate(x, scale_factor=a.generator_layers[index][1], mode="nearest")
        x = self.convolutions[index](x)
        if index < len(self.norms):
            x = self.norms[index](x, statistics)
        return self._finish(x, is_image=index == len(self.convolutions) - 1)

    def _finish(self, x: Tensor, is_image: bool) -> Tensor:
        a = self.architecture
        if not is_image:
            return activate(x, a.generator_activation, a.leak)
        if not a.bounded:
            return x
        return torch.tanh(x) if a.pixel_range == "tanh" else torch.sigmoid(x)

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
        maps = [m for m, _ in a.discriminator_layers]
        strides = [stride for _, stride in a.discriminator_layers]
        inputs, outputs = [a.channels, *maps], self._before(maps)
        self.convolutions = nn.ModuleList(
            self._convolution(n_in + a.classes, n_out, stride)
            for n_in, n_out, stride in zip(inputs, outputs, strides, strict=False)
        )
        self.first_normed = 0 if a.norms == "all" else 1
        self.norms = self._norms(outputs[self.first_normed :])
        positions = 1 if a.global_pooling else (a.image_size // int(np.prod(strides))) ** 2
        hidden = self._before(a.discriminator_hidden)
        self.dense = self._dense([inputs[-1] * positions, *a.discriminator_hidden], [*hidden, 1])
        self.dense_norms = self._norms(hidden)

    def _before(self, channels: Iterable[int]) -> list[int]:
        return [channels_before(self.architecture.discriminator_activation, n) for n in channels]

    def _convolution(self, n_in: int, n_out: int, stride: int) -> nn.Module:
        a = self.architecture
        step = 1 if a.resampling == "pooled" else stride
        return nn.Conv2d(n_in, n_out, a.kernel_size, step, (a.kernel_size - 1) // 2, bias=False)

    def forward(self, x: Tensor, labels: Tensor | None = None, statistics: Statistics = "batch") -> Tensor:
        """x: (N, channels, size, size) -> logits: (N,)."""
        a = self.architecture
        for index in range(len(self.convolutions)):
            x = self._layer(index, x, labels, statistics)
        x = self.top(x)
        for dense, norm in zip(self.dense[:-1], self.dense_norms, strict=True):
            x = activate(norm(dense(self.join_label(x, labels)), statistics), a.discriminator_activation, a.leak)
        return cast(Tensor, self.dense[-1](self.join_label(x, labels))).squeeze(1)

    def top(self, x: Tensor) -> Tensor:
        """The last convolution's maps, (N, C, H, W), as the dense layers see them: (N, C * H * W) or (N, C)."""
        return x.mean((2, 3)) if self.architecture.global_pooling else x.flatten(1)

    def activations(self, x: Tensor, statistics: Statistics, labels: Tensor | None = None) -> list[Tensor]:
        """Every convolutional layer after its non-linearity: [(N, C, H, W), ...] from the image upwards."""
        layers = []
        for index in range(len(self.convolutions)):
            x = self._layer(index, x, labels, statistics)
            layers.append(x)
        return layers

    def _layer(self, index: int, x: Tensor, labels: Tensor | None, statistics: Statistics) -> Tensor:
        a = self.architecture
        x = self.convolutions[index](self.join_label(x, labels))
        if index >= self.first_normed:
            x = self.norms[index - self.first_normed](x, statistics)
        x = activate(x, a.discriminator_activation, a.leak)
        return F.max_pool2d(x, a.discriminator_layers[index][1]) if a.resampling == "pooled" else x
