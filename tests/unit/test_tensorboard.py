"""TensorBoard's files hold the rows of the curves, and a run that goes on overrules its predecessor."""

from pathlib import Path

import pytest

from dcgan.core.files import InputError
from dcgan.training.tensorboard import tensorboard_writer

ROWS = [{"images": float(n), "d_loss": 1.0 / n, "spread": 40.0 + n} for n in (100, 200, 300)]


def scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator").EventAccumulator(str(folder))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_rows_are_scalars_over_images_seen(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    killed, resumed = tensorboard_writer(tmp_path), tensorboard_writer(tmp_path)
    for row in ROWS:
        killed(row | {"d_loss": 9.0})
    for row in ROWS[1:]:
        resumed(row)
    assert scalars(tmp_path, "d_loss") == [(100, 9.0), (200, pytest.approx(1 / 200)), (300, pytest.approx(1 / 300))]
    assert scalars(tmp_path, "spread")[-1] == (300, 340.0)


def test_without_the_package_its_installation_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match="pip install tensorboard"):
        tensorboard_writer(tmp_path)
