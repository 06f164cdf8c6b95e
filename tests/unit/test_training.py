"""Adversarial training: what a step changes, and that a run survives being stopped at any interval."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dcgan.architectures import ARCHITECTURES
from dcgan.batches import Batches, split_rows
from dcgan.checkpoints import Checkpoints
from dcgan.collapse import Watch
from dcgan.files import InputError
from dcgan.keepsakes import Keepsakes
from dcgan.run import Plan, TrainingRun
from dcgan.stopping import Stopped
from dcgan.training import AdversarialTraining, Settings

SMALLEST = replace(
    ARCHITECTURES["demo32"],
    name="smallest",
    latent_size=8,
    projection=(8, 4),
    generator_layers=((4, 2), (4, 2), (3, 2)),
    discriminator_layers=((4, 2), (4, 2), (8, 2)),
)
SETTINGS = Settings(8, 0.0002, 0.5, 0.999, 1e-5, "alternate", "float32", False, False, seed=7)
WATCH = Watch("stop", 0.001, 3, 0.01)
PLAN = Plan(4, 2, [1, 4], 60, 80, 3, 0.0, WATCH)
CPU = torch.device("cpu")


def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (41, 32, 32, 3), np.uint8)


def make_run(
    folder: Path, stop: Callable[[], bool] = lambda: False, plan: Plan = PLAN, **changes: object
) -> TrainingRun:
    settings = replace(SETTINGS, **changes)
    training = AdversarialTraining(SMALLEST, settings, CPU)
    batches = Batches(images(), None, np.arange(41), settings.batch_size, settings.seed, CPU)
    state = Checkpoints(folder, "digest"), Keepsakes(folder, {})
    return TrainingRun(training, batches, plan, *state, images()[:6], stop, lambda row: None)


def files(folder: Path) -> dict[str, bytes]:
    kept = (path for kind in ("samples", "frames", "kept") for path in (folder / kind).iterdir())
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in kept}


def assert_same_end(first: TrainingRun, second: TrainingRun) -> None:
    assert first.curves == second.curves and first.scores == second.scores
    assert files(first.keepsakes.folder) == files(second.keepsakes.folder)
    for name, tensor in first.training.state().items():  # bytes: statistics that were never estimated are NaN
        assert tensor.numpy().tobytes() == second.training.state()[name].numpy().tobytes(), name


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


def test_an_epoch_shows_every_image_at_most_once_in_a_new_order() -> None:
    data = np.arange(41, dtype=np.uint8).reshape(41, 1, 1, 1)
    batches = Batches(data, None, np.arange(41), 8, 3, CPU)
    assert batches.per_epoch == 5
    epochs = [torch.cat([batches.batch(e * 5 + i)[0].flatten() for i in range(5)]).tolist() for e in range(2)]
    assert all(len(set(epoch)) == 40 for epoch in epochs)
    assert epochs[0] != epochs[1]
    assert epochs[1][:8] == Batches(data, None, np.arange(41), 8, 3, CPU).batch(5)[0].flatten().tolist()


@pytest.mark.parametrize("schedule", ["alternate", "both"])
def test_a_run_stopped_after_every_minibatch_ends_as_if_it_never_stopped(tmp_path: Path, schedule: str) -> None:
    whole = make_run(tmp_path / "whole", schedule=schedule)
    whole.complete("whole")
    while True:
        part = make_run(tmp_path / "parts", stop=lambda: True, schedule=schedule)
        try:
            part.complete("part")
            break
        except Stopped:
            continue
    assert_same_end(whole, part)
    assert set(files(tmp_path / "whole")) == {
        *(f"samples/epoch-{epoch:04d}.png" for epoch in (1, 4)),
        *(f"frames/frame-{seen:010d}.png" for seen in (64, 120, 160)),
        *(f"kept/{role}-{seen:010d}.safetensors" for seen in (80, 160) for role in ("generator", "discriminator")),
    }
    assert [row["images"] for row in whole.curves] == [24, 48, 72, 96, 120, 144, 160]
    assert all(0 < row["spread"] < 127 for row in whole.curves)
    assert whole.best == min(whole.scores, key=lambda score: score["sliced_wasserstein"])


def test_damaged_and_foreign_checkpoints_are_set_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoints = Checkpoints(tmp_path, "digest")
    checkpoints.save({"a": torch.ones(3)}, {"minibatches": 1})
    assert Checkpoints(tmp_path, "another").load() is None
    assert (tmp_path / "checkpoint.foreign").exists()
    checkpoints.save({"a": torch.ones(3)}, {"minibatches": 1})
    checkpoints.path.write_bytes(checkpoints.path.read_bytes()[:-5])
    assert checkpoints.load() is None
    assert (tmp_path / "checkpoint.corrupt").exists()
    assert "starting anew" in capsys.readouterr().err


def test_a_diverging_run_says_so(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    with torch.no_grad():
        run.training.discriminator.convolutions[0].weight.fill_(torch.nan)
    with pytest.raises(InputError, match="diverged"):
        run.complete("diverging")


def test_a_conditional_network_trains_on_labels(tmp_path: Path) -> None:
    row = ARCHITECTURES["demo_mnist28"]
    data = np.random.default_rng(0).integers(0, 256, (20, 28, 28, 1), np.uint8)
    batches = Batches(data, np.arange(20) % 10, np.arange(20), 10, 0, CPU)
    training = AdversarialTraining(row, replace(SETTINGS, batch_size=10), CPU)
    state = Checkpoints(tmp_path, "d"), Keepsakes(tmp_path, {})
    plan = replace(PLAN, epochs=1, decay_epochs=0)
    run = TrainingRun(training, batches, plan, *state, data[:6], lambda: False, lambda row: None)
    run.complete("digits")
    assert cv2.imread(str(tmp_path / "samples/epoch-0001.png")).shape == (2 * (8 * 30 + 2), 2 * (8 * 30 + 2), 3)
    assert run.summary()["images_seen"] == 20


def test_held_out_rows_are_never_shown() -> None:
    rows, held_out = split_rows(41, 9, seed=3)
    assert sorted([*rows, *held_out]) == list(range(41)) and len(held_out) == 9
    data = np.arange(41, dtype=np.uint8).reshape(41, 1, 1, 1)
    batches = Batches(data, None, rows, 8, 3, CPU)
    shown = {int(pixel) for number in range(12) for pixel in batches.batch(number)[0].flatten()}
    assert shown == set(rows.tolist())
