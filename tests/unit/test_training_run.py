"""A run survives being stopped, killed, a full disk and its own collapse, and writes what its plan says."""

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dcgan.core.checkpoints import Checkpoints
from dcgan.core.distributed import Group
from dcgan.core.files import InputError
from dcgan.core.signals import Stopped
from dcgan.data.minibatches import Batches
from dcgan.training.adversarial import AdversarialTraining
from dcgan.training.loop import GROUP_CHECK_MINIBATCHES, Plan, TrainingRun
from dcgan.training.snapshots import Snapshots
from tests.unit.test_adversarial import CPU, PLAN, SETTINGS, SMALLEST, WATCH, images


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


def test_what_a_kill_left_half_written_is_no_output(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "state", {})
    for name in ("epoch-0001.png", ".epoch-0002.png.99.partial"):
        (tmp_path / "state/samples").mkdir(parents=True, exist_ok=True)
        (tmp_path / "state/samples" / name).write_bytes(b"some")
    snapshots.deliver("samples", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["epoch-0001.png"]
    Checkpoints(tmp_path / "state", "digest").load()
    assert [path.name for path in (tmp_path / "state/samples").iterdir()] == ["epoch-0001.png"]
