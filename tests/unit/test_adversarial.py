"""Adversarial training: what a step changes, and that a run survives being stopped at any interval."""

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dcgan.core.checkpoints import Checkpoints
from dcgan.core.distributed import ALONE, Group
from dcgan.core.files import InputError
from dcgan.core.seeding import torch_generator
from dcgan.core.signals import Stopped
from dcgan.core.splits import training_rows
from dcgan.data.minibatches import Batches
from dcgan.data.prefetch import Prefetcher
from dcgan.models.architectures import ARCHITECTURES
from dcgan.models.batch_norm import BatchNorm
from dcgan.training.adversarial import AdversarialTraining, Interval, Settings
from dcgan.training.collapse import Watch
from dcgan.training.cuda_graph import Undo
from dcgan.training.loop import GROUP_CHECK_MINIBATCHES, Plan, TrainingRun
from dcgan.training.snapshots import Snapshots

SMALLEST = replace(
    ARCHITECTURES["demo32"],
    name="smallest",
    latent_size=8,
    projection=(8, 4),
    generator_layers=((4, 2), (4, 2), (3, 2)),
    discriminator_layers=((4, 2), (4, 2), (8, 2)),
)
SETTINGS = Settings(
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


def make_run(
    folder: Path,
    stop: Callable[[], bool] = lambda: False,
    plan: Plan = PLAN,
    device: torch.device = CPU,
    **changes: object,
) -> TrainingRun:
    settings = replace(SETTINGS, **changes)
    training = AdversarialTraining(SMALLEST, settings, device)
    batches = Batches(images(), None, np.arange(41), settings.batch_size, settings.seed, device)
    state = Checkpoints(folder, "digest"), Snapshots(folder, {})
    return TrainingRun(training, batches, plan, *state, images()[:6], stop, lambda row: None)


def files(folder: Path) -> dict[str, bytes]:
    kept = (path for kind in ("samples", "frames", "kept") for path in (folder / kind).iterdir())
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in kept}


def assert_same_end(first: TrainingRun, second: TrainingRun) -> None:
    assert first.curves == second.curves and first.scores == second.scores
    assert files(first.snapshots.folder) == files(second.snapshots.folder)
    for name, tensor in first.training.state().items():  # bytes: statistics that were never estimated are NaN
        assert tensor.cpu().numpy().tobytes() == second.training.state()[name].cpu().numpy().tobytes(), name


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
    # Twenty minibatches of 8 images, three per row from the end: the first row takes the two that are left over.
    assert [row["images"] for row in whole.curves] == [40, 64, 88, 112, 136, 160]
    assert [row["epoch"] for row in whole.curves] == [1.0, 1.6, 2.2, 2.8, 3.4, 4.0]
    assert all(0 < row["spread"] < 127 for row in whole.curves)
    assert whole.summary()["d_loss"] == whole.curves[-1]["d_loss"] != whole.curves[0]["d_loss"]
    assert whole.best == min(whole.scores, key=lambda score: score["sliced_wasserstein"])


def test_a_process_that_is_stopped_waits_for_the_one_that_writes(tmp_path: Path) -> None:
    """Torchrun ends all processes when one has ended: the first would lose its checkpoint."""
    events: list[str] = []

    class Second(Group):
        def largest(self, number: int) -> int:
            return number

        def wait(self) -> None:
            events.append("waited")

    run = make_run(tmp_path, stop=lambda: True)
    run.group, run.training.minibatches = Second(1, 2), GROUP_CHECK_MINIBATCHES
    with pytest.raises(Stopped):
        run._pause_if_due()
    assert events == ["waited"]


def test_the_last_row_of_a_curve_is_the_mean_of_a_whole_interval(tmp_path: Path) -> None:
    """Twenty minibatches that update both networks; whatever the interval, no row is the mean of a rest of one."""
    for interval, lengths in ((3, [5, 3, 3, 3, 3, 3]), (7, [13, 7]), (19, [20]), (20, [20]), (50, [20])):
        run = make_run(tmp_path / str(interval), plan=replace(PLAN, curve_interval=interval), schedule="both")
        ends: list[int] = []
        run.on_row = lambda row, ends=ends: ends.append(int(row["images"]) // 8)
        run.complete("test")
        assert np.diff(ends, prepend=0).tolist() == lengths
        assert run.summary()["d_loss"] == run.curves[-1]["d_loss"]


def test_damaged_and_foreign_checkpoints_are_set_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoints = Checkpoints(tmp_path, "digest")
    checkpoints.save({"a": torch.ones(3)}, {"minibatches": 1})
    assert Checkpoints(tmp_path, "another").load() is None
    assert (tmp_path / "checkpoint.foreign").exists()
    checkpoints.save({"a": torch.ones(3)}, {"minibatches": 1})
    for damage in (lambda content: content[:-5], lambda content: content[:-3] + b"\x01" + content[-2:]):
        checkpoints.save({"a": torch.ones(3)}, {"minibatches": 1})
        tensors, progress = checkpoints.load() or ({}, {})
        assert torch.equal(tensors["a"], torch.ones(3)) and progress == {"minibatches": 1}
        checkpoints.path.write_bytes(damage(checkpoints.path.read_bytes()))
        assert checkpoints.load() is None
        (tmp_path / "checkpoint.corrupt").unlink()
        assert "beginning again" in capsys.readouterr().err


def test_a_run_that_is_killed_while_it_tidies_up_starts_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies beside a checkpoint belongs to it: the checkpoint goes first."""
    checkpoints = Checkpoints(tmp_path / "run", "digest")
    checkpoints.save({"a": torch.ones(3)}, {"minibatches": 1})
    for name in ("frames", "kept", "samples"):
        (tmp_path / "run" / name).mkdir()

    def killed(_: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dcgan.core.checkpoints.shutil.rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoints.clear()
    assert checkpoints.load() is None


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


def test_a_checkpoint_from_before_trouble_is_kept_as_it_was_until_the_run_is_well(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "digest")
    for minibatches in (1, 2, 3):
        if minibatches > 1:
            checkpoints.keep_good()
        checkpoints.save({"a": torch.ones(3)}, {"minibatches": minibatches})
    kept = checkpoints.newest_good()
    assert kept is not None
    kept.replace(checkpoints.path)
    _, progress = checkpoints.load() or ({}, {})
    assert progress == {"minibatches": 1}


def spoil(run: TrainingRun, after_rows: int) -> None:
    """Makes the discriminator's weights NaN once the run has so many rows."""

    def break_weights(_: dict[str, float]) -> None:
        if len(run.curves) == after_rows:
            with torch.no_grad():
                run.training.discriminator.convolutions[0].weight.fill_(torch.nan)

    run.on_row = break_weights


def test_a_diverging_run_stops_and_its_last_good_checkpoint_stays(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    spoil(run, after_rows=3)
    with pytest.raises(InputError, match=r"after 112 images training diverged: .*newest good checkpoint: .*checkpoint"):
        run.complete("diverging")
    tensors, progress = run.checkpoints.load() or ({}, {})
    assert progress["minibatches"] == 10, "the last one before the weights broke"
    assert all(t.isfinite().all() for name, t in tensors.items() if not name.endswith((".mean", ".variance")))


def test_a_diverging_run_goes_on_where_it_shall(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path, plan=replace(PLAN, watch=replace(WATCH, action="continue")))
    spoil(run, after_rows=3)
    run.complete("diverging")
    assert run.training.minibatches == run.total and run.summary()["g_loss"] is None
    assert capsys.readouterr().err.count("warning: after 112 images training diverged") == 1
    assert run.best is not None and run.best["images"] == 80, "weights kept before the end of the game"


def test_a_checkpoint_from_before_a_collapse_outlives_those_after_it(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    with pytest.raises(InputError, match="collapsed"):
        collapsing = make_run(tmp_path, plan=replace(PLAN, checkpoint_seconds=0.0))
        collapsing.on_row = lambda row: row.update(spread=0.0) if row["images"] >= 72 else None
        collapsing.complete("collapsing")
    assert run.checkpoints.newest_good() == run.checkpoints.path
    going_on = make_run(tmp_path / "on", plan=replace(PLAN, watch=replace(WATCH, action="continue")))
    going_on.on_row = lambda row: row.update(spread=0.0) if row["images"] >= 72 else None
    going_on.complete("going on")
    kept = Checkpoints(tmp_path / "on", "digest").newest_good()
    assert kept is not None and kept.name == "last_good.safetensors"
    going_on.checkpoints.clear()
    assert [path.name for path in (tmp_path / "on").iterdir()] == [kept.name]


def test_a_full_disk_is_said_plainly_and_the_last_checkpoint_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(_: object, path: Path, *__: object) -> None:
        path.write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    run = make_run(tmp_path)
    run.on_row = lambda row: monkeypatch.setattr("dcgan.core.tensor_files.save_file", no_room)
    with pytest.raises(InputError, match=r"cannot be written .*No space left on device.*last checkpoint is whole"):
        run.complete("full")
    monkeypatch.undo()
    tensors, progress = run.checkpoints.load() or ({}, {})
    assert progress["minibatches"] == 4 and tensors
    files_left = {path.name for path in tmp_path.rglob("*.*")}
    assert files_left == {"checkpoint.safetensors", "epoch-0001.png"}, "no half file is left"
    resumed, whole = make_run(tmp_path), make_run(tmp_path / "whole")
    resumed.complete("with room again")
    whole.complete("whole")
    assert_same_end(whole, resumed)


def test_the_learning_rate_falls_at_the_end_of_epochs_as_in_the_published_code() -> None:
    assert [PLAN.learning_rate_share(epoch) for epoch in range(4)] == [1, 1, 1, 0.5]
    published = replace(PLAN, epochs=200, decay_epochs=100)
    assert [published.learning_rate_share(epoch) for epoch in (0, 100, 101, 199)] == [1, 1, 0.99, 0.01]
    assert replace(PLAN, decay_epochs=0).learning_rate_share(3) == 1


def test_a_run_trains_at_the_falling_rate(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    rates: list[tuple[float, ...]] = []

    def note_rates() -> bool:
        optimizers = (run.training.g_optimizer, run.training.d_optimizer)
        rates.append(tuple(optimizer.param_groups[0]["lr"] for optimizer in optimizers))
        return False

    run.stop_requested = note_rates
    run.complete("falling")
    assert rates == [(0.0002, 0.0002)] * 15 + [(0.0001, 0.0001)] * 4


def test_grids_are_of_the_same_z_at_any_time(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    before = run.draw_samples()
    run.training.minibatches = 7
    assert np.array_equal(run.draw_samples(), before)


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


def test_what_a_kill_left_half_written_is_no_output(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "state", {})
    for name in ("epoch-0001.png", ".epoch-0002.png.99.partial"):
        (tmp_path / "state/samples").mkdir(parents=True, exist_ok=True)
        (tmp_path / "state/samples" / name).write_bytes(b"some")
    snapshots.deliver("samples", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["epoch-0001.png"]
    Checkpoints(tmp_path / "state", "digest").load()
    assert [path.name for path in (tmp_path / "state/samples").iterdir()] == ["epoch-0001.png"]


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
