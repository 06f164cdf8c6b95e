"""The training stage as a process: it stops when it is told to, goes on, and ends with the bytes of a whole run."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from dcgan.core.checkpoints import Checkpoints
from dcgan.core.files import InputError
from dcgan.core.seeding import torch_generator
from dcgan.data.image_store import ImageStore, StoreWriter
from dcgan.models.architectures import ARCHITECTURES
from dcgan.models.batch_norm import BatchNorm, Statistics
from dcgan.models.networks import Discriminator, Generator
from stages.train_dcgan import check_fit, main
from tests.conftest import digests_below
from tests.dag.demo import DEMO
from tests.simulated_gpu.simulation import any_gpu
from tests.stages.forked import Forked
from workflow.params.load import load_params


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store of noise and parameters that train the demo's network on it for some seconds."""
    parameters = YAML(typ="safe").load(DEMO.read_text())
    parameters["run"] |= {"threads": 1, "device": "cpu"}
    parameters["train"]["bedrooms"] |= {
        "epochs": 6,
        "batch_size": 8,
        "held_out": 10,
        "sample_epochs": [1, 6],
        "frame_images": 200,
        "keep_images": 300,
        "curve_interval": 2,
        "checkpoint_seconds": 0.05,
    }
    with (tmp_path / "params.yaml").open("w") as file:
        YAML().dump(parameters, file)
    with StoreWriter(tmp_path / "images.h5", (32, 32, 3), {}) as store:
        images = np.random.default_rng(0).integers(0, 256, (90, 32, 32, 3), np.uint8)
        store.append(images, [f"{n:03}" for n in range(90)])
    return tmp_path


def options(folder: Path, out: str) -> list[str]:
    paths = {"images": f"{folder}/images.h5", "out": f"{folder}/{out}", "params": f"{folder}/params.yaml"}
    paths |= {name: f"{folder}/{out}/{name}" for name in ("samples", "frames")}
    paths |= {"curves": f"{folder}/{out}/curves.csv", "metrics": f"{folder}/{out}/metrics.json", "name": "bedrooms"}
    return [word for name, path in paths.items() for word in (f"--{name}", path)]


def change_parameters(folder: Path, run: dict[str, object] | None = None, **changes: object) -> None:
    path = folder / "params.yaml"
    parameters = YAML(typ="safe").load(path.read_text())
    parameters["train"]["bedrooms"] |= changes
    parameters["run"] |= run or {}
    with path.open("w") as file:
        YAML().dump(parameters, file)


STAGE = Forked("train_dcgan")


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    """Ends what starts the stage after the last test."""
    yield
    STAGE.server.communicate()


def start(folder: Path, out: str, *changes: str) -> None:
    STAGE.start(folder, [*options(folder, out), *changes])


def run(folder: Path, out: str) -> str:
    """Runs the stage as a process of its own; what it printed."""
    start(folder, out)
    status, errors = STAGE.end()
    assert status == 0, errors
    return errors


def run_until_warned(folder: Path, out: str, warning: signal.Signals) -> str:
    """Runs the stage until it gets a signal, which is when some hundred images were trained on; what it printed."""
    start(folder, out)
    while not list(folder.glob("state/*/frames/*.png")):
        STAGE.signal(0)  # an error if it has ended
        time.sleep(0.02)
    STAGE.signal(warning)
    status, errors = STAGE.end()
    assert status == 75, errors
    return errors


def test_killed_at_ten_random_moments_a_run_ends_with_the_bytes_of_a_whole_one(folder: Path) -> None:
    random = np.random.default_rng(11)
    start(folder, "whole")
    started = time.monotonic()
    assert STAGE.end()[0] == 0
    seconds = time.monotonic() - started
    assert not list((folder / "state").iterdir()), "a finished run leaves no checkpoint behind"
    kills = 0
    while kills < 10:
        start(folder, "parts")
        time.sleep(random.uniform(0, 0.6 * seconds))
        with suppress(ProcessLookupError):  # on a busy machine it may have ended before
            STAGE.signal(signal.SIGKILL)
        status, _ = STAGE.end()
        assert status in (0, -signal.SIGKILL)
        kills += status == -signal.SIGKILL
    run(folder, "parts")
    assert digests_below(folder / "whole") == digests_below(folder / "parts")
    assert set(digests_below(folder / "whole")) == {
        "generator.safetensors",
        "discriminator.safetensors",
        "kept.csv",
        *(f"kept/{role}-{seen:010d}.safetensors" for seen in (304, 480) for role in ("generator", "discriminator")),
        *(f"frames/frame-{seen:010d}.png" for seen in (200, 400, 480)),
        "samples/epoch-0001.png",
        "samples/epoch-0006.png",
        "curves.csv",
        "metrics.json",
    }
    assert Generator.from_file(folder / "whole/generator.safetensors").sample(2, seed=1).shape == (2, 32, 32, 3)
    Discriminator.from_file(folder / "whole/discriminator.safetensors")


@pytest.mark.parametrize("deliver", ["last", "best"])
def test_the_delivered_generator_is_the_last_or_the_nearest_to_held_out_images(folder: Path, deliver: str) -> None:
    """Rates at which distances go up and down, so that the best is not the last."""
    change_parameters(folder, deliver=deliver, learning_rate=0.02, keep_images=80, sample_epochs=[], frame_images=None)
    main(options(folder, "out"))
    kept = pd.read_csv(folder / "out/kept.csv")
    assert [path.name for path in (folder / "out/samples").iterdir()] == ["epoch-0006.png"], "always of the last"
    assert len(kept) == 6 and kept.sliced_wasserstein.argmin() != len(kept) - 1
    chosen = kept.images[kept.sliced_wasserstein.argmin()] if deliver == "best" else kept.images.max()
    delivered, expected = (
        Generator.from_file(folder / "out" / name)
        for name in ("generator.safetensors", f"kept/generator-{chosen:010d}.safetensors")
    )
    weights = [parameters_to_vector(generator.parameters()) for generator in (delivered, expected)]
    assert torch.equal(*weights)
    assert delivered.is_estimated and not expected.is_estimated
    assert np.array_equal(delivered.sample(3, seed=1), expected.sample(3, seed=1)), "statistics of the same z"


@pytest.mark.parametrize("warning", [signal.SIGTERM, signal.SIGUSR1])
def test_a_warned_run_writes_a_checkpoint_and_asks_to_be_started_again(folder: Path, warning: signal.Signals) -> None:
    change_parameters(folder, checkpoint_seconds=1000.0, epochs=500, sample_epochs=[500], curve_interval=100_000)
    assert "goes on from there" in run_until_warned(folder, "out", warning)
    assert len(list(folder.glob("state/*/checkpoint.safetensors"))) == 1
    assert not (folder / "out").exists()


# A short run without a game: Adam turns the sign of a gradient that rounds to either side of 0 into a whole step, and a
# game magnifies it; a small learning rate keeps that from growing over the ten minibatches.
SHORT = {"epochs": 1, "sample_epochs": [1], "frame_images": None, "keep_images": None, "learning_rate": 0.00001}


def assert_same_training(folder: Path, one: str, two: str) -> None:
    """Two runs of ten minibatches have the same curves, and weights that moved alike, within rounding."""
    curves = [pd.read_csv(folder / out / "curves.csv") for out in (one, two)]
    assert len(curves[0]) == 5 and np.allclose(curves[0], curves[1], rtol=1e-4)
    for network in (Generator, Discriminator):
        role = network.__name__.lower()
        first, second = (network.from_file(folder / out / f"{role}.safetensors") for out in (one, two))
        begin = network(first.architecture).initialize(torch_generator(42, role))
        weights = [parameters_to_vector(of.parameters()).detach() for of in (begin, first, second)]
        assert (weights[1] - weights[2]).norm() < 0.01 * (weights[1] - weights[0]).norm(), role


def test_two_processes_that_share_batches_end_where_one_does(folder: Path) -> None:
    change_parameters(folder, **SHORT)
    run(folder, "one")
    change_parameters(folder, processes=2)
    run(folder, "two")
    assert_same_training(folder, "one", "two")
    assert digests_below(folder / "one") != digests_below(folder / "two"), "two processes add in another order"


def test_two_processes_that_are_warned_go_on_to_the_same_bytes(folder: Path) -> None:
    """Stopped in the middle of an interval, of whose figures each process has its own part."""
    change_parameters(folder, processes=2, epochs=12, sample_epochs=[12], curve_interval=7, checkpoint_seconds=1000.0)
    run(folder, "whole")
    errors = run_until_warned(folder, "parts", signal.SIGTERM)
    assert "goes on from there" in errors and "Traceback" not in errors, errors
    assert "goes on after" in run(folder, "parts")
    assert digests_below(folder / "parts") == digests_below(folder / "whole")


def test_a_gpu_ends_where_a_cpu_does(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real one or a simulated one, with each update as one graph."""
    monkeypatch.setenv("DCGAN_STATE", f"{folder}/state")
    change_parameters(folder, **SHORT)
    main(options(folder, "cpu"))
    change_parameters(folder, {"device": "auto", "capture": True})
    with any_gpu():
        main(options(folder, "gpu"))
    assert_same_training(folder, "cpu", "gpu")
    assert digests_below(folder / "cpu") != digests_below(folder / "gpu"), "the rate of a graph is a float32"


def test_a_run_leaves_nothing_of_an_earlier_one_in_its_folders(folder: Path) -> None:
    def names() -> list[str]:
        return sorted(str(path.relative_to(folder / "out")) for path in (folder / "out").rglob("*.*"))

    change_parameters(folder, epochs=2, sample_epochs=[1, 2], keep_images=80)
    run(folder, "out")
    assert {"samples/epoch-0002.png", "frames/frame-0000000160.png", "kept.csv"} <= set(names())
    (folder / "out/samples/mine.png").touch()
    change_parameters(folder, epochs=1, sample_epochs=[1], frame_images=40, keep_images=None)
    run(folder, "out")
    assert names() == [
        *("curves.csv", "discriminator.safetensors"),
        *("frames/frame-0000000040.png", "frames/frame-0000000080.png", "generator.safetensors", "metrics.json"),
        *("samples/epoch-0001.png", "samples/mine.png"),
    ]


def test_all_outputs_are_there_before_the_checkpoint_goes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is stopped between goes on from it."""
    change_parameters(folder, **SHORT)
    clear, there = Checkpoints.clear, list[dict[str, str]]()

    def look(checkpoints: Checkpoints) -> None:
        assert checkpoints.path.exists()
        there.append(digests_below(folder / "out"))
        clear(checkpoints)

    monkeypatch.setenv("DCGAN_STATE", f"{folder}/state")
    monkeypatch.setattr(Checkpoints, "clear", look)
    main(options(folder, "out"))
    assert there == [digests_below(folder / "out")] and not list(folder.glob("state/*/checkpoint*"))
    assert {"generator.safetensors", "metrics.json", "curves.csv"} <= there[0].keys()


def test_without_frames_and_samples_their_folders_are_made(folder: Path) -> None:
    """Both engines take a missing output for a failure, and the training would be lost."""
    change_parameters(folder, epochs=1, sample_epochs=[], frame_images=None)
    run(folder, "out")
    assert list((folder / "out" / "frames").iterdir()) == []
    assert [path.name for path in (folder / "out" / "samples").iterdir()] == ["epoch-0001.png"], "the last, always"


def test_checkpoints_of_other_parameters_are_named(folder: Path) -> None:
    change_parameters(folder, checkpoint_seconds=1000.0, epochs=500, sample_epochs=[500])
    run_until_warned(folder, "out", signal.SIGTERM)
    change_parameters(folder, **SHORT)
    said = run(folder, "out")
    assert "checkpoint.safetensors not used: it belongs to other parameters" in said
    assert len(list(folder.glob("state/*/checkpoint.safetensors"))) == 1, "it is left for who goes back"


def test_without_synchronised_norm_each_process_normalizes_its_own_part(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two such processes end where one does that normalizes each half of a batch apart."""
    change_parameters(folder, **SHORT, processes=2, synchronised_norm=False)
    run(folder, "two")
    monkeypatch.setenv("DCGAN_STATE", f"{folder}/state")
    change_parameters(folder, processes=1)
    main(options(folder, "whole"))
    monkeypatch.setattr(BatchNorm, "forward", in_halves)
    main(options(folder, "halves"))
    assert_same_training(folder, "halves", "two")
    losses = [pd.read_csv(folder / out / "curves.csv")["d_loss"] for out in ("whole", "two")]
    assert not np.allclose(*losses, rtol=1e-3), "four images have other statistics than eight"


NORMALIZE = BatchNorm.forward


def in_halves(norm: BatchNorm, x: Tensor, statistics: Statistics) -> Tensor:
    """Batch norm of each half of the eight images of a batch apart; grids of samples stay as they are."""
    parts = x.chunk(2) if len(x) == 8 else (x,)
    return torch.cat([NORMALIZE(norm, part, statistics) for part in parts])


def test_tensorboard_gets_the_rows_of_the_curves(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever writes its files: the package itself is optional, and tests/unit/test_tensorboard.py reads them."""
    written: list[tuple[str, str, float, int]] = []

    class Writer:
        def __init__(self, log_dir: str, purge_step: int) -> None:
            self.folder = log_dir

        def add_scalar(self, name: str, value: float, step: int) -> None:
            written.append((self.folder, name, value, step))

        def flush(self) -> None:
            """Nothing waits."""

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Writer))
    monkeypatch.setenv("DCGAN_STATE", f"{folder}/state")
    change_parameters(folder, {"tensorboard": f"{folder}/board"}, **SHORT)
    main(options(folder, "out"))
    curves = pd.read_csv(folder / "out/curves.csv")
    expected = {
        (name, row.images): getattr(row, name) for row in curves.itertuples() for name in curves if name != "images"
    }
    assert {path for path, *_ in written} == {f"{folder}/board/bedrooms"}
    assert {(name, step): value for _, name, value, step in written} == pytest.approx(expected, rel=1e-6)


def test_the_distribution_of_z_is_a_parameter(folder: Path) -> None:
    change_parameters(folder, latent="normal", epochs=1, sample_epochs=[1], frame_images=None, keep_images=None)
    run(folder, "out")
    generator = Generator.from_file(folder / "out" / "generator.safetensors")
    z = generator.draw_latents(100, torch_generator(1, "z"))
    assert z.abs().max() > 2 and abs(float(z.std()) - 1) < 0.05  # the demo's uniform z has 1 and 0.58


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--name", "kitchens"], "train.kitchens: no such section"),
        (["--images", "nowhere.h5"], "nowhere.h5: not a readable image store"),
        (["--name", "mnist"], "network demo_mnist28 needs (28, 28, 1)"),
    ],
)
def test_what_cannot_work_is_said_in_one_line(folder: Path, changes: list[str], message: str) -> None:
    start(folder, "out", *changes)
    status, errors = STAGE.end()
    assert status == 2
    assert message in errors and errors.count("\n") == 1


def test_a_store_that_does_not_fit_the_network_is_refused(folder: Path) -> None:
    section = load_params(folder / "params.yaml").train["bedrooms"]
    digits = ARCHITECTURES["demo_mnist28"]
    images, keys = np.zeros((40, 28, 28, 1), np.uint8), [str(number) for number in range(40)]
    one = np.zeros(40, np.int64)
    for labels, message in (
        (None, "has no labels"),
        (one, "all labels are 0"),
        (np.arange(40) % 11, "up to 10, network demo_mnist28 knows 10"),
    ):
        with StoreWriter(folder / "digits.h5", (28, 28, 1), {}) as store:
            store.append(images, keys, labels)
        with pytest.raises(InputError, match=f"digits.h5: .*{message}"):
            check_fit(ImageStore(folder / "digits.h5"), digits, section)


def test_pixels_of_another_type_are_never_trained_on(folder: Path) -> None:
    with h5py.File(folder / "images.h5", "w") as file:
        file["images"] = np.zeros((90, 32, 32, 3), np.float32)
        file["keys"] = [str(number) for number in range(90)]
    with pytest.raises(InputError, match="images.h5: not a readable image store"):
        main(options(folder, "out"))
