"""Adversarial training: what a step changes."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dcgan.core.checkpoints import Checkpoints
from dcgan.core.distributed import ALONE
from dcgan.core.seeding import torch_generator
from dcgan.core.splits import training_rows
from dcgan.data.minibatches import Batches
from dcgan.data.prefetch import Prefetcher
from dcgan.models.architectures import ARCHITECTURES
from dcgan.models.batch_norm import BatchNorm
from dcgan.training.adversarial import AdversarialTraining, Interval, TrainingSettings
from dcgan.training.collapse import Watch
from dcgan.training.cuda_graph import Undo
from dcgan.training.loop import Plan, TrainingRun
from dcgan.training.snapshots import Snapshots

SMALLEST = replace(
    ARCHITECTURES["demo32"],
    name="smallest",
    latent_size=8,
    projection=(8, 4),
    generator_layers=((4, 2), (4, 2), (3, 2)),
    discriminator_layers=((4, 2), (4, 2), (8, 2)),
)
SETTINGS = TrainingSettings(
    batch_size=8,
    learning_rate=0.0002,
    beta1=0.5,
    beta2=0.999,
    weight_decay=1e-5,
    schedule="alternate",
    precision="float32",
    synchronised_norm=False,
    capture=False,
    compile=False,
    seed=7,
)
WATCH = Watch(action="stop", least_d_loss=0.001, intervals=3, least_spread=0.01)
PLAN = Plan(
    epochs=4,
    decay_epochs=2,
    sample_epochs=[1, 4],
    frame_images=60,
    keep_images=80,
    curve_interval=3,
    checkpoint_seconds=0.0,
    watch=WATCH,
)
CPU = torch.device("cpu")


def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (41, 32, 32, 3), np.uint8)


def weights(training: AdversarialTraining) -> tuple[torch.Tensor, torch.Tensor]:
    pair = (training.generator.convolutions[0].weight, training.discriminator.convolutions[0].weight)
    return pair[0].detach().clone(), pair[1].detach().clone()


def test_alternate_updates_one_network_a_minibatch_the_generator_first() -> None:
    training = AdversarialTraining(SMALLEST, SETTINGS, CPU)
    batch = torch.from_numpy(images()[:8])
    start = weights(training)
    assert set(training.step(batch, None)) == {"g_loss", "d_fake"}
    first = weights(training)
    assert not torch.equal(start[0], first[0]) and torch.equal(start[1], first[1])
    assert set(training.step(batch, None)) == {"d_loss", "d_real"}
    second = weights(training)
    assert torch.equal(first[0], second[0]) and not torch.equal(first[1], second[1])


def test_both_updates_both_networks_a_minibatch() -> None:
    training = AdversarialTraining(SMALLEST, replace(SETTINGS, schedule="both"), CPU)
    start = weights(training)
    assert set(training.step(torch.from_numpy(images()[:8]), None)) == {"d_loss", "d_real", "g_loss", "d_fake"}
    assert all(not torch.equal(before, after) for before, after in zip(start, weights(training), strict=True))


def test_untrained_losses_are_those_of_a_coin() -> None:
    """Weights of N(0, 0.02) give logits near 0: -log D(x) - log(1 - D(G(z))) = 2 log 2 and -log D(G(z)) = log 2."""
    training = AdversarialTraining(SMALLEST, SETTINGS, CPU)
    batch = torch.from_numpy(images()[:8])
    z = training.latents(8, "g", 0)
    assert float(training.update_discriminator(batch, None, z)["d_loss"]) == pytest.approx(2 * np.log(2), abs=0.1)
    assert float(training.update_generator(None, z)["g_loss"]) == pytest.approx(np.log(2), abs=0.1)


def test_losses_and_figures_are_those_of_the_paper_away_from_a_coin_too() -> None:
    """-log D(x) - log(1 - D(G(z))) and -log D(G(z)), where what is real, what is generated and their signs matter."""
    training = AdversarialTraining(SMALLEST, SETTINGS, CPU)
    batch, z = torch.from_numpy(images()[:8]), training.latents(8, "g", 0)
    x = batch.permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        training.discriminator.dense[-1].weight.mul_(30)
        real, fake = training.discriminator(x).sigmoid(), training.discriminator(training.generator(z)).sigmoid()
    assert (real - fake).abs().mean() > 0.2
    figures = training.update_discriminator(batch, None, z)
    assert float(figures["d_loss"]) == pytest.approx(float(-real.log().mean() - (1 - fake).log().mean()), rel=1e-4)
    assert float(figures["d_real"]) == pytest.approx(float(real.mean()), rel=1e-4)
    with torch.no_grad():
        fake = training.discriminator(training.generator(z)).sigmoid()
    figures = training.update_generator(None, z)
    assert float(figures["g_loss"]) == pytest.approx(float(-fake.log().mean()), rel=1e-4)
    assert float(figures["d_fake"]) == pytest.approx(float(fake.mean()), rel=1e-4)


def test_each_network_learns_its_own_side_of_the_game() -> None:
    training = AdversarialTraining(SMALLEST, replace(SETTINGS, learning_rate=0.002), CPU)
    batch, z = torch.from_numpy(images()[:8]), training.latents(8, "g", 0)
    first = training.update_discriminator(batch, None, z)
    for _ in range(5):
        last = training.update_discriminator(batch, None, z)
    assert last["d_loss"] < first["d_loss"] and last["d_real"] > first["d_real"]
    first = training.update_generator(None, z)
    assert first["d_fake"] < last["d_real"]
    for _ in range(5):
        last = training.update_generator(None, z)
    assert last["g_loss"] < first["g_loss"] and last["d_fake"] > first["d_fake"]


def test_every_update_has_z_of_its_own() -> None:
    training = AdversarialTraining(SMALLEST, SETTINGS, CPU)
    drawn = [training.latents(8, purpose, number) for purpose in ("g", "d", "both") for number in range(4)]
    assert len({z.numpy().tobytes() for z in drawn}) == len(drawn)
    assert torch.equal(training.latents(8, "d", 1), drawn[5])


def test_means_of_an_interval_are_over_the_minibatches_that_have_the_figure() -> None:
    interval = Interval()
    for d_loss, others in ((1.0, {"g_loss": torch.tensor(4.0)}), (2.0, {}), (6.0, {"g_loss": torch.tensor(5.0)})):
        interval.add({"d_loss": torch.tensor(d_loss)} | others)
    assert interval.means(ALONE) == {"d_loss": 3.0, "g_loss": 4.5}


def test_an_epoch_shows_every_image_at_most_once_in_a_new_order() -> None:
    data = np.arange(41, dtype=np.uint8).reshape(41, 1, 1, 1)
    batches = Batches(data, None, np.arange(41), 8, 3, CPU)
    assert batches.per_epoch == 5
    epochs = [torch.cat([batches.batch(e * 5 + i)[0].flatten() for i in range(5)]).tolist() for e in range(2)]
    assert all(len(set(epoch)) == 40 for epoch in epochs)
    assert epochs[0] != epochs[1]
    assert epochs[1][:8] == Batches(data, None, np.arange(41), 8, 3, CPU).batch(5)[0].flatten().tolist()


def test_weight_decay_shrinks_every_parameter() -> None:
    """Gains and biases too, as in the published code: all begin at a half, and no loss pulls at them."""
    training = AdversarialTraining(ARCHITECTURES["demo_mnist28"], replace(SETTINGS, weight_decay=0.1), CPU)
    for network, optimizer in (
        (training.generator, training.g_optimizer),
        (training.discriminator, training.d_optimizer),
    ):
        for parameter in network.parameters():
            parameter.data.fill_(0.5)
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        assert [name for name, parameter in network.named_parameters() if not (parameter < 0.5).all()] == []


def test_updates_are_adams_with_the_decay_in_the_gradient() -> None:
    """By hand, for gradients so small that epsilon, 1e-8, counts; decoupled decay would hardly move the weight."""
    settings = replace(SETTINGS, learning_rate=0.01, beta1=0.5, beta2=0.9, weight_decay=0.1)
    training = AdversarialTraining(SMALLEST, settings, CPU)
    for network, optimizer in (
        (training.generator, training.g_optimizer),
        (training.discriminator, training.d_optimizer),
    ):
        parameter = network.convolutions[0].weight
        parameter.data.fill_(1e-7)
        weight, first, second = 1e-7, 0.0, 0.0
        for step, gradient in enumerate((2e-8, -5e-8, 3e-8), 1):
            parameter.grad = torch.full_like(parameter, gradient)
            optimizer.step()
            decayed = gradient + 0.1 * weight
            first, second = 0.5 * first + 0.5 * decayed, 0.9 * second + 0.1 * decayed**2
            weight -= 0.01 * (first / (1 - 0.5**step)) / ((second / (1 - 0.9**step)) ** 0.5 + 1e-8)
            assert parameter.detach().flatten()[0].item() == pytest.approx(weight, rel=1e-3)


def test_the_learning_rate_falls_at_the_end_of_epochs_as_in_the_published_code() -> None:
    assert [PLAN.learning_rate_share(epoch) for epoch in range(4)] == [1, 1, 1, 0.5]
    published = replace(PLAN, epochs=200, decay_epochs=100)
    assert [published.learning_rate_share(epoch) for epoch in (0, 100, 101, 199)] == [1, 1, 0.99, 0.01]
    assert replace(PLAN, decay_epochs=0).learning_rate_share(3) == 1


def test_what_a_graphs_warm_up_does_is_undone() -> None:
    """Recording a CUDA graph trains some rounds first; weights and Adam's moments have to be as before."""
    training, untouched = (AdversarialTraining(SMALLEST, SETTINGS, CPU) for _ in range(2))
    batch, before = torch.from_numpy(images()[:8]), Undo(training.state())
    for number in range(3):
        training.update_discriminator(batch, None, training.latents(8, "d", number))
        training.update_generator(None, training.latents(8, "g", number))
    before.restore(training.state())
    for start in (training, untouched):
        for _ in range(4):
            start.step(batch, None)
    for name, tensor in untouched.state().items():
        assert tensor.numpy().tobytes() == training.state()[name].numpy().tobytes(), name


def test_bfloat16_computes_in_less_digits_and_keeps_weights_in_full() -> None:
    batch = torch.from_numpy(images()[:8])
    full, half = (AdversarialTraining(SMALLEST, replace(SETTINGS, precision=p), CPU) for p in ("float32", "bfloat16"))
    for _ in range(4):
        figures = {id(training): training.step(batch, None) for training in (full, half)}
    for name, value in figures[id(full)].items():
        assert float(figures[id(half)][name]) == pytest.approx(float(value), rel=0.05)
    assert {parameter.dtype for parameter in half.generator.parameters()} == {torch.float32}
    assert weights(full)[0].sub(weights(half)[0]).abs().max() > 0


def test_bfloat16_leaves_the_statistics_of_batch_norm_in_full() -> None:
    """Values near 100 that differ by 1: a mean in eight bits would be off by up to half of that."""
    norm = BatchNorm(4, affine=True, epsilon=1e-8)
    with torch.autocast("cpu", torch.bfloat16):
        x = (torch.randn(64, 4, 8, 8, generator=torch_generator(1, "x")) + 100).bfloat16()
        y = norm(x, "batch").double()
    wide = x.double()
    exact = (wide - wide.mean((0, 2, 3), keepdim=True)) / wide.std((0, 2, 3), correction=0, keepdim=True)
    assert (y - exact).abs().max() < 0.01 * exact.abs().max()
    assert {tensor.dtype for tensor in (norm.gain, norm.mean, norm.variance)} == {torch.float32}


def test_an_error_while_prefetching_is_raised_where_its_batch_is_asked_for() -> None:
    made: list[int] = []

    def make(number: int) -> int:
        if number == 2:
            raise OSError("the disk is gone")
        made.append(number)
        return number * 10

    prefetch = Prefetcher(make)
    assert [prefetch(0), prefetch(1), prefetch(5)] == [0, 10, 50]
    assert set(made) >= {0, 1, 5}
    assert prefetch(1) == 10
    with pytest.raises(OSError, match="the disk is gone"):
        prefetch(2)


def test_a_conditional_network_trains_on_labels(tmp_path: Path) -> None:
    row = ARCHITECTURES["demo_mnist28"]
    data = np.random.default_rng(0).integers(0, 256, (20, 28, 28, 1), np.uint8)
    batches = Batches(data, np.arange(20) % 10, np.arange(20), 10, 0, CPU)
    training = AdversarialTraining(row, replace(SETTINGS, batch_size=10), CPU)
    state = Checkpoints(tmp_path, "d"), Snapshots(tmp_path, {})
    plan = replace(PLAN, epochs=1, decay_epochs=0)
    run = TrainingRun(training, batches, plan, *state, data[:6], lambda: False, lambda row: None)
    run.complete("digits")
    assert cv2.imread(str(tmp_path / "samples/epoch-0001.png")).shape == (2 * (8 * 30 + 2), 2 * (8 * 30 + 2), 3)
    assert run.summary()["images_seen"] == 20


def test_held_out_rows_are_never_shown() -> None:
    rows, held_out = training_rows(41, 9, seed=3)
    assert sorted([*rows, *held_out]) == list(range(41)) and len(held_out) == 9
    data = np.arange(41, dtype=np.uint8).reshape(41, 1, 1, 1)
    batches = Batches(data, None, rows, 8, 3, CPU)
    shown = {int(pixel) for number in range(12) for pixel in batches.batch(number)[0].flatten()}
    assert shown == set(rows.tolist())
