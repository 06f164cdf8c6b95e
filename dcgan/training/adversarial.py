"""Adversarial training of a generator and a discriminator (section 4, with the details of the published code).

A step minimizes, over one minibatch, `-log D(x) - log(1 - D(G(z)))` for the discriminator or `-log D(G(z))` for the
generator, with Adam (epsilon 1e-8) and coupled L2 on every parameter; real and generated batches are normalized apart,
and z is fresh for every minibatch. `alternate`, as published: a minibatch updates one network, the generator first, so
an epoch gives each half its minibatches. `both`, as most ports do: every minibatch updates the discriminator, then the
generator on the same samples.

No random state lasts from step to step: the order of an epoch and the z of a step follow from the seed and their
number. So the state of a run is its weights, Adam's moments and one counter, and a run that resumes ends with the same
bytes as one that never stopped. Several processes may share a batch (see dcgan/core/distributed.py), and on a CUDA
device an update may be one graph (see dcgan/training/cuda_graph.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from dcgan.core.distributed import ALONE, Group
from dcgan.core.seeding import torch_generator
from dcgan.core.transfer import to_device
from dcgan.models.architectures import Architecture
from dcgan.models.batch_norm import BatchNorm
from dcgan.models.network import Network
from dcgan.models.networks import Discriminator, Generator
from dcgan.models.pixel_range import to_input
from dcgan.training.arithmetic import Precision, arithmetic, memory_format_on, precision_on
from dcgan.training.compiled import compiled
from dcgan.training.cuda_graph import CapturedUpdate, Update

ADAM_EPSILON = 1e-8
AnyNetwork = TypeVar("AnyNetwork", bound=Network)
FIGURES = ("d_loss", "g_loss", "d_real", "d_fake")


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How to train."""

    batch_size: int
    learning_rate: float
    beta1: float
    beta2: float
    weight_decay: float
    schedule: Literal["alternate", "both"]
    precision: Precision
    synchronised_norm: bool  # batch-norm statistics of all processes' batches together
    capture: bool  # each update as one CUDA graph; nothing on a CPU
    compile: bool  # passes of the networks as fused kernels; nothing in a group
    seed: int


@dataclass
class Interval:
    """Sums of the figures of some minibatches, which stay on the device until their means are asked for."""

    sums: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, figures: dict[str, Tensor]) -> None:
        """Adds one minibatch's figures."""
        for name, value in figures.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value
            self.counts[name] = self.counts.get(name, 0) + 1

    def means(self, group: Group) -> dict[str, float]:
        """Mean figures over all processes; the device is waited for once."""
        names = [name for name in FIGURES if name in self.sums]
        sums = group.average(torch.stack([self.sums[name] for name in names])).tolist()
        return {name: total / self.counts[name] for name, total in zip(names, sums, strict=True)}


class AdversarialTraining:
    """The two networks, their optimizers and the number of minibatches done."""

    def __init__(
        self, architecture: Architecture, settings: TrainingSettings, device: torch.device, group: Group = ALONE
    ) -> None:
        self.settings, self.device, self.group = settings, device, group
        self.precision = precision_on(device, settings.precision)
        self._format = memory_format_on(device, self.precision)
        self._captured = settings.capture and device.type == "cuda" and group.size == 1
        self.generator = self._network(Generator(architecture), "generator")
        self.discriminator = self._network(Discriminator(architecture), "discriminator")
        use_compiler = settings.compile and group.size == 1
        self._generate = compiled(self.generator) if use_compiler else self.generator
        self._discriminate = compiled(self.discriminator) if use_compiler else self.discriminator
        self.g_optimizer = self._optimizer(self.generator)
        self.d_optimizer = self._optimizer(self.discriminator)
        self.minibatches = 0
        self.pixel_range = architecture.pixel_range
        self._graphs: dict[str, CapturedUpdate] = {}

    def _network(self, network: AnyNetwork, name: str) -> AnyNetwork:
        network.initialize(torch_generator(self.settings.seed, name))
        for module in network.modules():
            if isinstance(module, BatchNorm):
                module.of_all_processes = self.settings.synchronised_norm and self.group.size > 1
        return network.to(self.device, memory_format=self._format)  # type: ignore[call-overload,no-any-return]

    def _optimizer(self, network: Network) -> torch.optim.Adam:
        s = self.settings
        # A graph reads the rate from where it was recorded: it has to lie on the device, as a float32. So it does
        # without a graph, or the two would end with different bytes.
        on_device = self.device.type == "cuda"
        rate = torch.tensor(s.learning_rate, device=self.device) if on_device else s.learning_rate
        return torch.optim.Adam(
            network.parameters(),
            rate,
            (s.beta1, s.beta2),
            ADAM_EPSILON,
            s.weight_decay,
            fused=True,
            capturable=self._captured,
        )

    def scale_learning_rate(self, share: float) -> None:
        """Trains on at this share of the rate that the settings name."""
        for optimizer in (self.g_optimizer, self.d_optimizer):
            for parameters in optimizer.param_groups:
                if isinstance(parameters["lr"], Tensor):
                    parameters["lr"].fill_(share * self.settings.learning_rate)
                else:
                    parameters["lr"] = share * self.settings.learning_rate

    def needs_images(self, number: int) -> bool:
        """Whether the minibatch of a number updates the discriminator: the generator's sees no images."""
        return self.settings.schedule == "both" or number % 2 == 1

    def step(self, images_uint8: Tensor | None, labels: Tensor | None) -> dict[str, Tensor]:
        """Trains on one minibatch, (B, H, W, C) uint8; returns figures as scalars that stay on the device.

        Without images if `needs_images` says so. In a group each process gives its part of the minibatch, and gets its
        part's figures.
        """
        number = self.minibatches
        self.minibatches += 1
        n = self.settings.batch_size // self.group.size
        if not self.needs_images(number):
            return self._run("g", self.update_generator, labels, self.latents(n, "g", number))
        if self.settings.schedule == "both":
            return self._run("both", self.update_both, images_uint8, labels, self.latents(n, "both", number))
        return self._run("d", self.update_discriminator, images_uint8, labels, self.latents(n, "d", number))

    def _run(self, name: str, update: Update, *inputs: Tensor | None) -> dict[str, Tensor]:
        """One update, through its graph if updates are captured."""
        with arithmetic(self.device, self.precision):
            if not self._captured:
                return update(*inputs)
            return self._graphs.setdefault(name, CapturedUpdate())(update, self.state, *inputs)

    def update_generator(self, labels: Tensor | None, z: Tensor) -> dict[str, Tensor]:
        """One Adam step of the generator on -log D(G(z)); z: (B, latent_size)."""
        with self._autocast():
            fake = self._generate(z, labels)
        return self._fool(fake, labels)

    def update_discriminator(self, images_uint8: Tensor, labels: Tensor | None, z: Tensor) -> dict[str, Tensor]:
        """One Adam step of the discriminator on -log D(x) - log(1 - D(G(z))); x: (B, H, W, C) uint8."""
        with self._autocast(), torch.no_grad():
            fake = self._generate(z, labels)
        return self._tell_apart(images_uint8, fake, labels)

    def update_both(self, images_uint8: Tensor, labels: Tensor | None, z: Tensor) -> dict[str, Tensor]:
        """The discriminator's step, then the generator's on the same samples, which are computed once for both."""
        with self._autocast():
            fake = self._generate(z, labels)
        return self._tell_apart(images_uint8, fake.detach(), labels) | self._fool(fake, labels)

    def _fool(self, fake: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        # Only the generator's gradients: those of the discriminator's weights would be computed to be thrown away.
        self.discriminator.requires_grad_(False)
        with self._autocast():
            logits = self._discriminate(fake, labels)
        self.discriminator.requires_grad_(True)
        loss = F.softplus(-logits.float()).mean()
        self.g_optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.group.average_gradients(self.generator.parameters())
        self.g_optimizer.step()
        return {"g_loss": loss.detach(), "d_fake": logits.detach().float().sigmoid().mean()}

    def _tell_apart(self, images_uint8: Tensor, fake: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        with self._autocast():
            real = to_input(images_uint8, self.pixel_range, memory_format=self._format)
            real_logits = self._discriminate(real, labels)
            fake_logits = self._discriminate(fake, labels)
        loss = F.softplus(-real_logits.float()).mean() + F.softplus(fake_logits.float()).mean()
        self.d_optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.group.average_gradients(self.discriminator.parameters())
        self.d_optimizer.step()
        return {"d_loss": loss.detach(), "d_real": real_logits.detach().float().sigmoid().mean()}

    def latents(self, n: int, purpose: str, number: int) -> Tensor:
        """The z of one update for n images: drawn on the CPU, and all of the batch's, so that whatever trains, and by
        however many processes, they are the same.
        """
        size = self.group.size
        z = self.generator.draw_latents(n * size, torch_generator(self.settings.seed, "z", purpose, number))
        return to_device(z[self.group.part(n * size)].contiguous(), self.device)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")

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
        """Takes up a state that `state` returned after `minibatches`; raises KeyError if a name is missing."""
        self.minibatches = minibatches
        self._graphs.clear()  # they address the moments that are replaced here
        for role, network, optimizer in self._parts():
            network.load_state_dict({name: tensors[f"{role}.{name}"] for name in network.state_dict()})
            optimizer.state.clear()
            for name, parameter in network.named_parameters():
                if f"{role}.adam.{name}.step" in tensors:
                    moments = {m: tensors[f"{role}.adam.{name}.{m}"] for m in ("step", "exp_avg", "exp_avg_sq")}
                    optimizer.state[parameter] = {
                        m: tensor.to(self.device).to(
                            memory_format=self._format if tensor.dim() == 4 else torch.contiguous_format
                        )
                        for m, tensor in moments.items()
                    }

    def _parts(self) -> tuple[tuple[str, Network, torch.optim.Adam], ...]:
        return (
            ("generator", self.generator, self.g_optimizer),
            ("discriminator", self.discriminator, self.d_optimizer),
        )
