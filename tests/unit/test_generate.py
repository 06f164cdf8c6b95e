"""Samples in Python and on the command line: a sample does not depend on how many are drawn, when, or where from."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from dcgan.core.seeding import torch_generator
from dcgan.generate import main
from dcgan.models.architectures import ARCHITECTURES
from dcgan.models.networks import Generator
from dcgan.models.pixel_range import to_uint8

KINDS = ["demo32", "demo_svhn32", "demo_mnist28", "demo_mnist28_dense"]  # uniform and normal z, classes, no maps


def made(kind: str = "demo32") -> Generator:
    """A generator whose pixels are not all grey."""
    generator = Generator(ARCHITECTURES[kind]).initialize(torch_generator(1, kind))
    with torch.no_grad():
        for layer in (*generator.dense, *generator.convolutions):
            layer.weight *= 4
    return generator


def saved(folder: Path, kind: str = "demo32") -> Path:
    made(kind).save(folder / "generator.safetensors", {})
    return folder


def difference(one: np.ndarray, other: np.ndarray) -> int:
    """Grey levels, at most."""
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other).max())


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_does_not_depend_on_how_many_are_drawn(kind: str) -> None:
    generator = made(kind)
    many = generator.sample(131, seed=1)
    assert many.std() > 20 and difference(many[0], many[1 + generator.architecture.classes]) > 20
    for n in (1, 5, 64):
        assert difference(generator.sample(n, seed=1), many[:n]) <= 1, "rounding"
    batch = generator.sample(131, seed=1, statistics="batch")
    assert difference(generator.sample(5, seed=1, statistics="batch"), batch[:5]) > 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_z_of_a_seed_are_always_the_same(kind: str) -> None:
    generator = made(kind)
    whole = generator.latents(300, seed=3)
    assert whole.shape == (300, generator.architecture.latent_size) and len(whole.unique(dim=0)) == 300
    for n in (0, 1, 2, 127, 128, 129):
        assert torch.equal(generator.latents(n, seed=3), whole[:n])
    for n in (64, 300):
        assert torch.equal(whole[:n], generator.draw_latents(n, torch_generator(3, "sample")))


def test_batch_statistics_are_those_of_all_images_that_are_drawn() -> None:
    generator = made("demo_mnist28")
    labels = torch.arange(200) % 10
    with torch.no_grad():
        expected = to_uint8(generator(generator.latents(200, seed=2), labels, "batch"), "sigmoid")
    assert np.array_equal(generator.sample(200, seed=2, statistics="batch"), expected)


def test_a_file_without_statistics_draws_as_one_with_them(tmp_path: Path) -> None:
    without = Generator.from_file(saved(tmp_path) / "generator.safetensors")
    assert not without.is_estimated
    drawn = without.sample(3, seed=1)
    assert without.is_estimated
    without.save(tmp_path / "with.safetensors", {})
    opened = Generator.from_file(tmp_path / "with.safetensors")
    assert opened.is_estimated and np.array_equal(opened.sample(3, seed=1), drawn)


def test_a_network_in_training_estimates_anew_every_time() -> None:
    """Statistics of weights that have changed since would draw something else."""
    generator = made()
    generator.sample(2, seed=1)
    assert not generator.is_estimated
    with torch.no_grad():
        generator.convolutions[0].weight *= 3
    changed = generator.sample(2, seed=1)
    generator.estimate()
    assert difference(generator.sample(2, seed=1), changed) == 0
    assert generator.is_estimated, "what was asked for by name is kept"


def test_estimated_statistics_are_means_over_batches() -> None:
    generator = made()
    generator.estimate(2, torch_generator(9, "z"))
    random = torch_generator(9, "z")
    x = [generator.dense[0](generator.draw_latents(128, random)) for _ in range(2)]
    assert torch.allclose(generator.dense_norms[0].mean, (x[0].mean(0) + x[1].mean(0)) / 2, atol=1e-5)


def test_latents_may_be_arrays() -> None:
    generator = made()
    z = generator.latents(2, seed=1)
    assert np.array_equal(generator.draw(z.numpy().astype(np.float64)), generator.draw(z))


def test_labels_may_be_arrays_or_lists() -> None:
    generator = made("demo_mnist28")
    z, labels = generator.latents(3, seed=1), [9, 0, 4]
    expected = generator.draw(z, torch.tensor(labels))
    for given in (labels, tuple(labels), np.array(labels), np.array(labels, np.uint8), torch.tensor(labels).int()):
        assert np.array_equal(generator.draw(z, given), expected)


def picture(path: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def test_a_grid_has_the_samples_of_the_seed(tmp_path: Path) -> None:
    arguments = [str(saved(tmp_path)), "--grid", "2x3", "--seed", "5", "--out", str(tmp_path / "grid.png")]
    assert main(arguments) == 0
    drawn, samples = picture(tmp_path / "grid.png"), made().sample(6, seed=5)
    assert drawn.shape == (2 * 34 + 2, 3 * 34 + 2, 3)
    assert difference(drawn[36:68, 70:102], samples[5]) <= 1


def test_a_walk_leads_from_one_sample_to_the_next(tmp_path: Path) -> None:
    for kind, size in (("demo_svhn32", 32), ("demo_mnist28", 28)):
        out = tmp_path / f"{kind}.png"
        assert main([str(saved(tmp_path, kind)), "--walk", "7", "--out", str(out)]) == 0
        strip, generator = picture(out), made(kind)
        labels = torch.zeros(2, dtype=torch.int64) if generator.architecture.classes else None
        ends = generator.draw(generator.latents(2, seed=0), labels)
        assert strip.shape == (size + 4, 7 * (size + 2) + 2, 3)
        left, right = strip[2:-2, 2 : 2 + size], strip[2:-2, -2 - size : -2]
        assert max(difference(left, ends[0] + 0 * left), difference(right, ends[1] + 0 * right)) <= 1


def test_arrays_hold_images_z_and_labels(tmp_path: Path) -> None:
    out = tmp_path / "new/samples.npz"
    assert main([str(saved(tmp_path, "demo_mnist28")), "--npz", "5", "--label", "7", "--out", str(out)]) == 0
    with np.load(out) as arrays:
        assert set(arrays) == {"images", "z", "labels"}
        generator = made("demo_mnist28")
        assert np.array_equal(arrays["labels"], [7] * 5)
        assert np.array_equal(arrays["z"], generator.latents(5, seed=0).numpy())
        assert difference(arrays["images"], generator.sample(5, 0, torch.full((5,), 7))) <= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.safetensors"], "error: nowhere.safetensors: not a readable network"),
        (["NETWORK", "--out", "picture.jpg"], "error: --out picture.jpg: its name has to end in .png"),
        (["NETWORK", "--npz", "--out", "arrays.png"], "error: --out arrays.png: its name has to end in .npz"),
        (["NETWORK", "--label", "0"], "error: --label 0: the network has no classes"),
        (["NETWORK", "--device", "abacus"], "error: --device abacus: "),
        (["NETWORK", "--device", "meta"], "error: --device meta: "),
        (["NETWORK", "--grid", "8"], "8 is not like 8x8"),
        (["NETWORK", "--grid", "0x3"], "0 is not a whole number above 0"),
        (["NETWORK", "--npz", "-1"], "-1"),
        (["NETWORK", "--npz", "--walk"], "not allowed with argument"),
        ([], "the following arguments are required: network"),
    ],
)
def test_wrong_input_ends_with_status_2(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(saved(tmp_path)) if word == "NETWORK" else word for word in arguments]
    try:
        status = main(given)
    except SystemExit as end:
        status = end.code
    assert status == 2 and message in capsys.readouterr().err


def test_a_label_that_the_network_does_not_know(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(saved(tmp_path, "demo_mnist28")), "--label", "10"]) == 2
    assert "--label 10: classes are 0 to 9" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((-1, 1), ValueError, "-1 samples cannot be drawn"),
        ((1, "batch"), TypeError, "str"),
        ((1, 0.5), TypeError, "float"),
        ((1, 1, None, "batsh"), ValueError, "statistics are batch or estimated, not 'batsh'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments: tuple[Any, ...], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        made().sample(*arguments)


def test_no_samples_are_an_empty_array() -> None:
    assert made().sample(0, seed=1).shape == (0, 32, 32, 3)


OF_TEN = "labels must be whole numbers from 0 to 9, of 10 classes"


@pytest.mark.parametrize(
    ("kind", "z", "labels", "words"),
    [
        ("demo32", torch.zeros(2, 7), None, r"z must be \(N, 100\), is \(2, 7\)"),
        ("demo32", torch.zeros(100), None, r"z must be \(N, 100\), is \(100,\)"),
        ("demo32", torch.full((2, 100), torch.nan), None, "z must be finite numbers"),
        ("demo32", np.full((2, 100), np.inf), None, "z must be finite numbers"),
        ("demo32", torch.zeros(2, 100), torch.zeros(2, dtype=torch.int64), "labels for a network without classes"),
        ("demo_mnist28", torch.zeros(2, 100), torch.tensor([0]), r"labels must be \(2,\), are \(1,\)"),
        ("demo_mnist28", torch.zeros(2, 100), torch.tensor(0), r"labels must be \(2,\), are \(\)"),
        ("demo_mnist28", torch.zeros(2, 100), None, "needs labels"),
        ("demo_mnist28", torch.zeros(2, 100), torch.tensor([3, 10]), OF_TEN + r"; are \[3, 10\]"),
        ("demo_mnist28", torch.zeros(2, 100), np.array([-1, 0], np.int8), OF_TEN),
        ("demo_mnist28", torch.zeros(2, 100), [0, 2**62], OF_TEN),
        ("demo_mnist28", torch.zeros(2, 100), [0.0, 1.0], OF_TEN + "; are torch.float32"),
        ("demo_mnist28", torch.zeros(2, 100), np.array([True, False]), OF_TEN),
        ("demo_mnist28", torch.zeros(2, 100), ["0", "1"], "labels must be a tensor, an array or a list of numbers"),
        ("demo_mnist28", torch.zeros(2, 100), [[1], [2, 3]], "labels must be a tensor, an array or a list of numbers"),
        ("demo32", "z", None, "z must be a tensor, an array or a list of numbers"),
    ],
)
def test_z_and_labels_that_are_not_the_networks_are_refused(kind: str, z: Any, labels: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        made(kind).draw(z, labels)


@pytest.mark.parametrize("out", ["folder.png", "file/walk.png", "file/further/walk.png"])
def test_a_place_where_no_file_can_be_ends_with_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], out: str
) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_text("a file")
    assert main([str(saved(tmp_path)), "--grid", "1x2", "--out", str(tmp_path / out)]) == 2
    written = capsys.readouterr().err
    assert written.startswith(f"error: {tmp_path / out}: cannot be written (") and written.count("\n") == 1
    assert not list(tmp_path.glob(".*partial")) and (tmp_path / "file").read_text() == "a file"
