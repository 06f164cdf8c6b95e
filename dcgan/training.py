"""Adversarial training of a generator and a discriminator (section 4, with the details of the published code).

A step minimizes, over one minibatch, `-log D(x) - log(1 - D(G(z)))` for the discriminator or `-log D(G(z))` for the
generator, with Adam (epsilon 1e-8) and coupled L2 on every parameter; real and generated batches are normalized apart,
and z is fresh in every step. `alternate`, as published: a minibatch updates one network, the generator first, so an
epoch gives each half its minibatches. `both`, as most ports do: every minibatch updates the discriminator, then the
generator.

Nothing random is kept between steps: the order of an epoch and the z of a step follow from the seed and their number.
So the state of a run is its weights, Adam's moments and one counter, and a run that goes on from it ends with the same
bytes as one that never stopped.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from dcgan.architectures import Architecture
from dcgan.networks import Discriminator, Generator, Network
from dcgan.pixels import to_input
from dcgan.random import numpy_generator, torch_generator

BETA2, ADAM_EPSILON = 0.999, 1e-8
Rows = npt.NDArray[np.int64]
AnyNetwork = TypeVar("AnyNetwork", bound=Network)
FIGURES = ("d_loss", "g_loss", "d_real", "d_fake")


@dataclass(frozen=True)
class Settings:
    """How to train; each number's source stands in params.yaml."""

    batch_size: int
    learning_rate: float
    beta1: float
    weight_decay: float
    schedule: Literal["alternate", "both"]
    precision: Literal["float32", "bfloat16"]
    seed: int


def split_rows(n: int, held_out: int, seed: int) -> tuple[Rows, Rows]:
    """Rows to train on and rows never trained on, each ascending; the second are a random, seeded `held_out` of n.

    Quality and memorization are measured against the second. Differs: the paper trains on all images.
    """
    order = numpy_generator(seed, "held out").permutation(n)
    return np.sort(order[held_out:]), np.sort(order[:held_out])


class Batches:
    """Minibatches of the given rows of a set, in a new, seeded order every epoch; a rest is left out.

    images_uint8: (N, H, W, C) uint8, a memory map or an array; copied to a CUDA device once if it fits there.
    """

    def __init__(
        self,
        images_uint8: npt.NDArray[np.uint8],
        labels: npt.NDArray[np.int64] | None,
        rows: Rows,
        batch_size: int,
        seed: int,
        device: torch.device,
    ) -> None:
        if len(rows) < batch_size:
            raise ValueError(f"{len(rows)} images are fewer than one batch of {batch_size}")
        self.images, self.labels, self.rows = images_uint8, labels, rows
        self.batch_size, self.seed, self.device = batch_size, seed, device
        self.per_epoch = len(rows) // batch_size
        self._order: tuple[int, Rows] | None = None
        self._on_device = self._copy_to_device()

    def _copy_to_device(self) -> Tensor | None:
        """All pixels on the GPU where half its free memory holds them; batches are then gathered there."""
        if self.device.type != "cuda" or self.images.nbytes > torch.cuda.mem_get_info(self.device)[0] // 2:
            return None
        return torch.from_numpy(np.ascontiguousarray(self.images)).to(self.device)

    def batch(self, number: int) -> tuple[Tensor, Tensor | None]:
        """The number-th minibatch of the run: (B, H, W, C) uint8 and, where there are labels, (B,) int64."""
        rows = self._rows(*divmod(number, self.per_epoch))
        labels = None if self.labels is None else torch.from_numpy(self.labels[rows]).to(self.device)
        if self._on_device is not None:
            return self._on_device[torch.from_numpy(rows).to(self.device)], labels
        return torch.from_numpy(self.images[rows]).to(self.device), labels

    def _rows(self, epoch: int, index: int) -> Rows:
        if self._order is None or self._order[0] != epoch:
            self._order = (epoch, numpy_generator(self.seed, "order", epoch).permutation(self.rows))
        return self._order[1][index * self.batch_size : (index + 1) * self.batch_size]


class AdversarialTraining:
    """The two networks, their optimizers and the number of minibatches done."""

    def __init__(self, architecture: Architecture, settings: Settings, device: torch.device) -> None:
        self.settings, self.device = settings, device
        self.generator = self._network(Generator(architecture), "generator")
        self.discriminator = self._network(Discriminator(architecture), "discriminator")
        self.g_optimizer = self._optimizer(self.generator)
        self.d_optimizer = self._optimizer(self.discriminator)
        self.minibatches = 0
        self.pixel_range = architecture.pixel_range

    def _network(self, network: AnyNetwork, name: str) -> AnyNetwork:
        network.initialize(torch_generator(self.settings.seed, name))
        # Convolutions over channels-last memory run about twice as fast on CPUs and feed tensor cores directly.
        return network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def _optimizer(self, network: Network) -> torch.optim.Adam:
        s = self.settings
        return torch.optim.Adam(
            network.parameters(),
            s.learning_rate,
            (s.beta1, BETA2),
            ADAM_EPSILON,
            s.weight_decay,
            fused=True,
        )

    def step(self, images_uint8: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """Trains on one minibatch, (B, H, W, C) uint8; returns figures as scalars that stay on the device."""
        number = self.minibatches
        self.minibatches += 1
        both = self.settings.schedule == "both"
        figures: dict[str, Tensor] = {}
        if both or number % 2 == 1:
            z = self.latents(len(images_uint8), "d", number)
            figures |= self.update_discriminator(images_uint8, labels, z)
        if both or number % 2 == 0:
            z = self.latents(len(images_uint8), "g", number)
            figures |= self.update_generator(labels, z)
        return figures

    def update_generator(self, labels: Tensor | None, z: Tensor) -> dict[str, Tensor]:
        """One Adam step of the generator on -log D(G(z)); z: (B, latent_size)."""
        with self._autocast():
            logits = self.discriminator(self.generator(z, labels), labels)
        loss = F.softplus(-logits.float()).mean()
        self.g_optimizer.zero_grad()
        # Only the generator's gradients: those of the discriminator's weights would be computed to be thrown away.
        torch.autograd.backward(loss, inputs=list(self.generator.parameters()))
        self.g_optimizer.step()
        return {"g_loss": loss.detach(), "d_fake": logits.detach().float().sigmoid().mean()}

    def update_discriminator(self, images_uint8: Tensor, labels: Tensor | None, z: Tensor) -> dict[str, Tensor]:
        """One Adam step of the discriminator on -log D(x) - log(1 - D(G(z))); x: (B, H, W, C) uint8."""
        with self._autocast():
            with torch.no_grad():
                fake = self.generator(z, labels)
            real_logits = self.discriminator(to_input(images_uint8, self.pixel_range), labels)
            fake_logits = self.discriminator(fake, labels)
        loss = F.softplus(-real_logits.float()).mean() + F.softplus(fake_logits.float()).mean()
        self.d_optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.d_optimizer.step()
        return {"d_loss": loss.detach(), "d_real": real_logits.detach().float().sigmoid().mean()}

    def latents(self, n: int, purpose: str, number: int) -> Tensor:
        """The z of one update: drawn on the CPU, so that they are the same whatever trains."""
        return self.generator.draw_latents(n, torch_generator(self.settings.seed, "z", purpose, number)).to(self.device)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.precision == "bfloat16")

    def state(self) -> dict[str, Tensor]:
        """All state by name: weights and Adam's moments of both networks."""
        return dict(self._named_state())

    def _named_state(self) -> Iterator[tuple[str, Tensor]]:
        for role, network, optimizer in self._parts():
            for name, tensor in network.state_dict().items():
                yield f"{role}.{name}", tensor
            for name, parameter in network.named_parameters():
                for moment, tensor in optimizer.state.get(parameter, {}).items():
                    yield f"{role}.adam.{name}.{moment}", tensor

    def load_state(self, tensors: dict[str, Tensor], minibatches: int) -> None:
        """Takes up a state that `state` returned after `minibatches`; raises KeyError where a name is missing."""
        self.minibatches = minibatches
        for role, network, optimizer in self._parts():
            network.load_state_dict({name: tensors[f"{role}.{name}"] for name in network.state_dict()})
            for name, parameter in network.named_parameters():
                if f"{role}.adam.{name}.step" in tensors:
                    moments = {m: tensors[f"{role}.adam.{name}.{m}"] for m in ("step", "exp_avg", "exp_avg_sq")}
                    optimizer.state[parameter] = {
                        m: tensor.to(self.device).to(
                            memory_format=torch.channels_last if tensor.dim() == 4 else torch.contiguous_format
                        )
                        for m, tensor in moments.items()
                    }

    def _parts(self) -> tuple[tuple[str, Network, torch.optim.Adam], ...]:
        return (
            ("generator", self.generator, self.g_optimizer),
            ("discriminator", self.discriminator, self.d_optimizer),
        )
