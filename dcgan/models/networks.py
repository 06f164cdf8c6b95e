"""Generator and discriminator (section 3, Figure 1), one class each, built from a row of the architecture table.

The paper's guidelines: strided convolutions instead of pooling; batch norm everywhere but at the generator's output and
the discriminator's input; no fully connected layers on top of convolutional features; ReLU in the generator, tanh at
its end; leaky ReLU in the discriminator. No biases except batch norm's, unless the table has `discriminator_bias`.
Weights ~ N(0, 0.02) (section 4). Each guideline is a field of the table, so each can be broken (docs/guidelines.md).

Without strides, the discriminator takes the maximum over stride x stride positions behind a layer's non-linearity, and
the generator repeats each position stride x stride times before a convolution (nearest upsampling). True unpooling
needs the places of maxima, which a generator does not have. Unpooling into a fixed corner with zeros around it,
followed by a convolution, is the fractionally strided convolution itself, and so no alternative to it.
"""

import operator
from collections.abc import Iterable, Sequence
from typing import cast, get_args

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dcgan.core.pixels import Images
from dcgan.core.seeding import torch_generator
from dcgan.models.activations import activate, channels_before
from dcgan.models.architectures import Architecture
from dcgan.models.batch_norm import BatchNorm, Statistics, estimate_statistics
from dcgan.models.network import Network
from dcgan.models.pixel_range import to_uint8

BATCH = 128  # z of one pass when each image stands alone, and of one batch that statistics are estimated on
STATISTICS_BATCHES = 20
Array = npt.NDArray[np.floating]
Labels = Tensor | npt.NDArray[np.integer] | Sequence[int]


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
                x = x.unflatten(1, (-1, side, side))  # `len(x)` would fix the batch of an exported graph
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

    def latents(self, n: int, seed: int) -> Tensor:
        """z of n samples, (n, latent_size) float32 on the CPU; the first of them are the same for any n.

        Raises ValueError if n is negative, TypeError if the seed is no whole number.
        """
        if n < 0:
            raise ValueError(f"{n} samples cannot be drawn")
        random = torch_generator(operator.index(seed), "sample")
        # Normal numbers are made sixteen at a time, and the last sixteen depend on how many there are: so whole blocks.
        return torch.cat([self.draw_latents(BATCH, random) for _ in range(0, max(n, 1), BATCH)])[:n]

    def estimate(self, n_batches: int = STATISTICS_BATCHES, random: torch.Generator | None = None) -> None:
        """Fills the batch-norm statistics from batches of 128 z, by default always the same ones.

        A conditional network draws every class equally often.
        """
        source = random or torch_generator(0, "statistics")
        batches = (self.draw_latents(BATCH, source).to(self.device) for _ in range(n_batches))
        estimate_statistics(OfAllClasses(self) if self.architecture.classes else self, batches)

    @property
    def is_estimated(self) -> bool:
        """Whether every batch norm has its estimated statistics."""
        return not any(bool(norm.mean.isnan().any()) for norm in self._batch_norms())

    def _batch_norms(self) -> list[BatchNorm]:
        return [module for module in self.modules() if isinstance(module, BatchNorm)]

    @torch.no_grad()
    def draw(self, z: Tensor | Array, labels: Labels | None = None, statistics: Statistics = "estimated") -> Images:
        """z: (N, latent_size), and labels, (N,) integers, of a conditional network -> (N, size, size, channels) uint8.

        With estimated statistics an image depends on its own z alone. They come from the network's file; if it has
        none, they are estimated now, and for a network in training every time. With batch statistics an image depends
        on all N. Raises ValueError if the statistics are neither, or for z or labels that are none of this network.
        """
        if statistics not in get_args(Statistics):
            raise ValueError(f"statistics are {' or '.join(get_args(Statistics))}, not {statistics!r}")
        z = tensor_of(z, "z").to(torch.float32)
        labels = None if labels is None else tensor_of(labels, "labels")
        self._check_inputs(z, labels)
        are_missing = statistics == "estimated" and not self.is_estimated
        if are_missing:
            self.estimate()
        size = BATCH if statistics == "estimated" else max(len(z), 1)
        inputs = [z] if labels is None else [z, labels.long()]
        parts = zip(*(tensor.to(self.device).split(size) for tensor in inputs), strict=True)
        images = [self(*part, statistics=statistics) for part in parts]
        if are_missing and self.training:
            for norm in self._batch_norms():
                norm.forget()
        return to_uint8(torch.cat(images), self.architecture.pixel_range)

    def _check_inputs(self, z: Tensor, labels: Tensor | None) -> None:
        """Raises ValueError for what the layers would refuse in words of their own, or draw without a word."""
        size, classes = self.architecture.latent_size, self.architecture.classes
        if z.ndim != 2 or z.shape[1] != size:
            raise ValueError(f"z must be (N, {size}), is {tuple(z.shape)}")
        if not z.isfinite().all():
            raise ValueError("z must be finite numbers")
        if labels is None:
            return
        if not classes:
            raise ValueError("labels for a network without classes")
        if labels.shape != (len(z),):
            raise ValueError(f"labels must be ({len(z)},), are {tuple(labels.shape)}")
        are_whole = labels.dtype != torch.bool and not (labels.is_floating_point() or labels.is_complex())
        if not are_whole or any(not 0 <= label < classes for label in labels.tolist()):
            found = sorted(set(labels.tolist())) if are_whole else labels.dtype
            raise ValueError(f"labels must be whole numbers from 0 to {classes - 1}, of {classes} classes; are {found}")

    def sample(self, n: int, seed: int, labels: Labels | None = None, statistics: Statistics = "estimated") -> Images:
        """n images as `draw` makes them, (n, size, size, channels) uint8; without labels, classes come in turn."""
        classes = self.architecture.classes
        if classes and labels is None:
            labels = torch.arange(n) % classes
        return self.draw(self.latents(n, seed), labels, statistics)


def tensor_of(values: Tensor | Array | Labels, name: str) -> Tensor:
    """Whatever torch takes for a tensor; raises ValueError for anything else."""
    try:
        return torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name} must be a tensor, an array or a list of numbers ({error})") from error


class OfAllClasses(nn.Module):
    """A conditional generator as a function of z alone: every class comes equally often in a batch."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, z: Tensor, statistics: Statistics) -> Tensor:
        """z: (N, latent_size) -> images: (N, channels, size, size)."""
        labels = torch.arange(len(z), device=z.device) % self.generator.architecture.classes
        return self.generator(z, labels, statistics)  # type: ignore[no-any-return]


class Discriminator(Network):
    """x: (N, channels, size, size) -> logits: (N,); their sigmoid is the probability of being real."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        a = architecture
        maps = [m for m, _ in a.discriminator_layers]
        strides = [stride for _, stride in a.discriminator_layers]
        inputs, outputs = [a.channels, *maps], self._before(maps)
        self.convolutions = nn.ModuleList(
            self._convolution(n_in + a.classes, n_out, stride, bias=a.discriminator_bias and index == 0)
            for index, (n_in, n_out, stride) in enumerate(zip(inputs, outputs, strides, strict=False))
        )
        self.first_normed = 0 if a.norms == "all" else 1
        self.norms = self._norms(outputs[self.first_normed :])
        positions = 1 if a.global_pooling else (a.image_size // int(np.prod(strides))) ** 2
        hidden = self._before(a.discriminator_hidden)
        self.dense = self._dense([inputs[-1] * positions, *a.discriminator_hidden], [*hidden, 1])
        self.dense_norms = self._norms(hidden)

    def _before(self, channels: Iterable[int]) -> list[int]:
        return [channels_before(self.architecture.discriminator_activation, n) for n in channels]

    def _convolution(self, n_in: int, n_out: int, stride: int, bias: bool) -> nn.Module:
        a = self.architecture
        step = 1 if a.resampling == "pooled" else stride
        return nn.Conv2d(n_in, n_out, a.kernel_size, step, (a.kernel_size - 1) // 2, bias=bias)

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
