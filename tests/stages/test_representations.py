"""The stages of sections 5 and 8.1 on a few handwritten digits: every output, what it says, the same bytes again."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from dcgan.core.files import InputError
from dcgan.core.outcomes import Outcomes, read_outcomes
from dcgan.core.pixels import Images
from dcgan.core.seeding import torch_generator
from dcgan.data.image_store import ImageStore, StoreWriter
from dcgan.models.architectures import ARCHITECTURES
from dcgan.models.networks import Discriminator, Generator
from dcgan.representation.feature_tables import FeatureTable
from dcgan.representation.features import DiscriminatorFeatures, estimate_on_images
from dcgan.representation.kmeans import KmeansFeatures, KmeansSettings, fit_features
from stages.evaluate_neighbours import summary
from tests.dag.tiny import tiny_params
from workflow.description import describe
from workflow.params.load import read_yaml
from workflow.presets.merge import preset_params

ROOT = Path(__file__).parents[2]
SPLITS = {"train": slice(0, 300), "validation": slice(300, 360), "test": slice(360, 460)}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained networks; packed sets of enlarged digits, in colour and grey."""
    folder = tmp_path_factory.mktemp("inputs")
    tiny_params(folder / "params.yaml")
    x, labels = load_digits(return_X_y=True)
    grey = (x * 15).astype(np.uint8).reshape(-1, 8, 8)
    large = np.repeat(np.kron(grey, np.ones((1, 4, 4), np.uint8))[..., None], 3, axis=3)
    small = np.pad(np.kron(grey, np.ones((1, 3, 3), np.uint8)), ((0, 0), (2, 2), (2, 2)))[..., None]
    for name, images in (("svhn", large), ("cifar10", large), ("mnist", small)):
        for split, rows in SPLITS.items():
            if split == "validation" and name != "svhn":
                continue
            with StoreWriter(folder / name / f"{split}.h5", images.shape[1:], {}) as writer:
                keys = [f"{row}" for row in range(rows.start, rows.stop)]
                writer.append(images[rows], keys, labels[rows])
    for name in ("demo_imagenet32", "demo_svhn32"):
        network = Discriminator(ARCHITECTURES[name]).initialize(torch_generator(1, name))
        network.save(folder / f"{name}.safetensors", {})
    generator = Generator(ARCHITECTURES["demo_mnist28"]).initialize(torch_generator(1, "mnist"))
    generator.save(folder / "generator.safetensors", {})
    return folder


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCGAN_STATE", str(tmp_path / "state"))


def run(stage: str, inputs: Path, **options: object) -> None:
    arguments = ["--params", str(inputs / "params.yaml")]
    for option, value in options.items():
        arguments += [f"--{option}", str(value)]
    importlib.import_module(f"stages.{stage}").main(arguments)


def digests(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def evaluate(inputs: Path, name: str, features: Path, out: Path) -> dict[str, Any]:
    outputs = {"metrics": out / "m.json", "curve": out / "c.csv", "figure": out / "f.png", "outcomes": out / "o.h5"}
    run("evaluate_svm", inputs, name=name, features=features, **outputs)
    metrics: dict[str, Any] = json.loads((out / "m.json").read_text())
    right = read_outcomes(out / "o.h5")
    assert right["trained"].shape == right["random"].shape == (metrics["n_draws"], metrics["n_test"])
    assert (
        error_of(right["trained"]) == metrics["error"] and error_of(right["random"]) == metrics["random_weights_error"]
    )
    return metrics


def error_of(right: Outcomes) -> float:
    """The share of zeros, within rounding, in an array of nothing but zeros and ones."""
    assert set(np.unique(right)) <= {0, 1}
    return pytest.approx(1 - right.mean(dtype=np.float64))  # type: ignore[no-any-return]


def test_features_and_their_svm(inputs: Path, tmp_path: Path) -> None:
    out, network = tmp_path / "features", inputs / "demo_svhn32.safetensors"
    run("extract_features", inputs, set="svhn", discriminator=network, images=inputs / "svhn", out=out)
    table = FeatureTable(out / "trained" / "test.h5")
    assert table.shape == (100, 3584) and table.labels is not None
    assert (out / "random" / "validation.h5").exists()
    assert not Discriminator.from_file(out / "discriminator.safetensors").norms[0].mean.isnan().any()
    assert not list((tmp_path / "state").glob("*"))

    metrics = evaluate(inputs, "svhn", out, tmp_path)
    assert metrics["error"] < 0.6 and metrics["n_features"] == 3584 and metrics["n_draws"] == 2
    assert 0 < metrics["random_weights_error"] < 0.6
    curves = pd.read_csv(tmp_path / "c.csv")
    assert set(curves.curve) == {"cost", "alone", "cumulative"}
    assert cv2.imread(str(tmp_path / "f.png")).std() > 5
    assert "random weights" in describe("evaluate_svm@svhn").measured(metrics)

    again = tmp_path / "again"
    run("extract_features", inputs, set="svhn", discriminator=network, images=inputs / "svhn", out=again)
    assert digests(again) == digests(out)
    evaluate(inputs, "svhn", again, again)
    made = ("m.json", "c.csv", "f.png", "o.h5")
    assert all((again / name).read_bytes() == (tmp_path / name).read_bytes() for name in made)


def test_what_a_killed_extraction_computed_outlives_its_outputs(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed as the second network begins, its outputs deleted by the engine: the first network is not run again."""
    options = {"set": "svhn", "discriminator": inputs / "demo_svhn32.safetensors", "images": inputs / "svhn"}
    run("extract_features", inputs, **options, out=tmp_path / "whole")
    original, computed, images = DiscriminatorFeatures.__call__, [], sum(s.stop - s.start for s in SPLITS.values())

    def counted(features: DiscriminatorFeatures, images_uint8: Images) -> Tensor:
        if sum(computed) == images and not (tmp_path / "killed").exists():
            (tmp_path / "killed").touch()
            raise KeyboardInterrupt
        computed.append(len(images_uint8))
        return original(features, images_uint8)

    monkeypatch.setattr(DiscriminatorFeatures, "__call__", counted)
    with pytest.raises(KeyboardInterrupt):
        run("extract_features", inputs, **options, out=tmp_path / "f")
    shutil.rmtree(tmp_path / "f", ignore_errors=True)
    run("extract_features", inputs, **options, out=tmp_path / "f")
    assert sum(computed) == 2 * images
    assert digests(tmp_path / "f") == digests(tmp_path / "whole")


def test_statistics_see_every_class_of_a_store_that_is_in_the_order_of_its_classes(
    inputs: Path, tmp_path: Path
) -> None:
    """Black images first, white ones behind: the first 100 alone would hardly vary."""
    images = np.repeat(np.uint8([0, 255]), 100)[:, None, None, None] * np.ones((1, 32, 32, 3), np.uint8)
    for split in ("train", "test"):
        with StoreWriter(tmp_path / "images" / f"{split}.h5", (32, 32, 3), {}) as writer:
            writer.append(images, [str(row) for row in range(200)], np.repeat([0, 1], 100))
    tiny_params(tmp_path / "params.yaml", {"features": {"svhn": {"statistics_images": 100, "statistics_batch": 50}}})
    network = inputs / "demo_svhn32.safetensors"
    run("extract_features", tmp_path, set="svhn", discriminator=network, images=tmp_path / "images", out=tmp_path / "f")
    black, mixed = Discriminator.from_file(network), Discriminator.from_file(tmp_path / "f/discriminator.safetensors")
    estimate_on_images(black, images[:100], 50)
    assert (mixed.norms[0].variance / black.norms[0].variance).median() > 2


def test_without_a_validation_split_rows_are_held_out(inputs: Path, tmp_path: Path) -> None:
    network = inputs / "demo_imagenet32.safetensors"
    stale = tmp_path / "f/random/validation.h5"  # of an earlier run, over a set with such a split
    stale.parent.mkdir(parents=True)
    stale.touch()
    run("extract_features", inputs, set="cifar10", discriminator=network, images=inputs / "cifar10", out=tmp_path / "f")
    assert not stale.exists()
    metrics = evaluate(inputs, "cifar10", tmp_path / "f", tmp_path)
    assert metrics["error"] < 0.5 and metrics["n_draws"] == 2 and metrics["interval"] == 0


def test_kmeans_features_are_evaluated_alike(inputs: Path, tmp_path: Path) -> None:
    stale = tmp_path / "f/trained/validation.h5"  # of an earlier run, over a set with such a split
    stale.parent.mkdir(parents=True)
    stale.touch()
    run("fit_kmeans", inputs, set="cifar10", images=inputs / "cifar10", out=tmp_path / "f")
    assert not stale.exists()
    metrics = evaluate(inputs, "kmeans_cifar10", tmp_path / "f", tmp_path)
    assert metrics["error"] < 0.5 and metrics["n_features"] == 32 and metrics["n_maps"] == 8


def test_the_error_beside_the_published_one_is_that_of_as_many_samples() -> None:
    """The paper's 2.98 % are of 50,000; of 10 million it has another number."""
    section = preset_params("paper").neighbours["mnist"]
    rows = [{"source": "samples", "n": n, "error": e} for n, e in ((1000, 0.05), (50_000, 0.03), (10_000_000, 0.02))]
    rows += [{"source": source, "n": 1000, "error": 0.5} for source in ("real", "random weights")]
    metrics = summary(rows, section, 10_000)
    assert (metrics["error"], metrics["n_samples"], metrics["error_10000000"]) == (0.03, 50_000, 0.02)


def test_kmeans_features_are_scaled_on_drawn_images(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as were asked for, from all over the store, whose first images may all be of one class."""
    seen: list[Images] = []
    original = KmeansFeatures.fit_scale

    def watched(features: KmeansFeatures, batches: Iterable[Images]) -> None:
        seen[:] = list(batches)
        original(features, seen)

    monkeypatch.setattr(KmeansFeatures, "fit_scale", watched)
    store = ImageStore(inputs / "cifar10/train.h5")
    settings = KmeansSettings(
        side=6, patches=200, centroids=8, iterations=1, statistics_images=100, batch_size=64, seed=1
    )
    fit_features(store.images, settings, torch.device("cpu"))
    numbers = {image.tobytes(): number for number, image in enumerate(store.images)}
    drawn = [numbers[image.tobytes()] for batch in seen for image in batch]
    assert len(drawn) == len(set(drawn)) == 100 and min(drawn) < 50 and max(drawn) > 250


def test_nearest_neighbours_of_samples(inputs: Path, tmp_path: Path) -> None:
    outputs = {"metrics": tmp_path / "m.json", "curve": tmp_path / "c.csv", "figure": tmp_path / "f.png"}
    options = {"generator": inputs / "generator.safetensors", "images": inputs / "mnist", **outputs}
    run("evaluate_neighbours", inputs, name="mnist", outcomes=tmp_path / "o.h5", **options)
    metrics = json.loads((tmp_path / "m.json").read_text())
    right = read_outcomes(tmp_path / "o.h5")
    assert {name: array.shape for name, array in right.items()} == dict.fromkeys(
        ("samples", "real", "random"), (1, 100)
    )
    errors = {"samples": "error_60", "real": "real_error", "random": "random_weights_error"}
    assert {name: metrics[error] for name, error in errors.items()} == {name: error_of(right[name]) for name in errors}
    flat, own = (np.reshape(ImageStore(inputs / f"mnist/{split}.h5").images, (-1, 784)) for split in ("train", "test"))
    theirs = KNeighborsClassifier(1).fit(flat.astype(float), ImageStore(inputs / "mnist/train.h5").labels)
    expected = theirs.predict(own.astype(float)) == ImageStore(inputs / "mnist/test.h5").labels
    np.testing.assert_array_equal(right["real"][0], expected)
    assert metrics["real_error"] < 0.2 < metrics["error"] and metrics["n_samples"] == 60
    assert metrics["error"] == metrics["error_60"]
    curve = pd.read_csv(tmp_path / "c.csv")
    assert curve[curve.source == "samples"].n.tolist() == [20, 60]
    assert curve[curve.source == "real"].n.tolist() == [20, 60, 300]
    assert "60 samples" in describe("evaluate_neighbours@mnist").measured(metrics)
    picture = cv2.imread(str(tmp_path / "f.png"))
    assert picture.shape[0] == 2 * (10 * 30 + 2)


def run_shared(
    stage: str, inputs: Path, section: str, key: str, processes: int, changes: dict[str, object], **options: object
) -> None:
    """Runs a stage with changes in one of its sections, shared by so many processes; one is this process."""
    params = read_yaml(inputs / "params.yaml")
    params[section][key] |= changes | {"processes": processes}
    YAML(typ="safe").dump(params, inputs / "shared.yaml")
    arguments = ["--params", str(inputs / "shared.yaml")]
    arguments += [word for name, value in options.items() for word in (f"--{name}", str(value))]
    if processes == 1:
        importlib.import_module(f"stages.{stage}").main(arguments)
    else:
        command = [sys.executable, "-m", f"stages.{stage}", *arguments]
        subprocess.run(command, cwd=ROOT, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


def test_processes_that_share_the_samples_find_the_same(inputs: Path, tmp_path: Path) -> None:
    """Errors, curve, picture and outcomes of one and three processes are the same bytes."""
    made = {}
    for processes in (1, 3):
        outputs = {name: tmp_path / f"{processes}.{name}" for name in ("metrics", "curve", "figure", "outcomes")}
        changes: dict[str, object] = {"batch_size": 7}
        given = {"generator": inputs / "generator.safetensors", "images": inputs / "mnist", "name": "mnist"}
        run_shared("evaluate_neighbours", inputs, "neighbours", "mnist", processes, changes, **given, **outputs)
        made[processes] = [path.read_bytes() for path in outputs.values()]
    assert made[3] == made[1]


def test_processes_that_share_the_images_make_the_same_features(inputs: Path, tmp_path: Path) -> None:
    """Tables and network of one and three processes, one of which has no images, are the same bytes."""
    made = {}
    for processes in (1, 3):
        changes: dict[str, object] = {"batch_size": 150, "statistics_batch": 32}
        given = {"discriminator": inputs / "demo_svhn32.safetensors", "images": inputs / "svhn", "set": "svhn"}
        run_shared(
            "extract_features", inputs, "features", "svhn", processes, changes, **given, out=tmp_path / str(processes)
        )
        made[processes] = digests(tmp_path / str(processes))
        assert not list((tmp_path / "state").glob("*"))
    assert len(made[1]) == 7 and made[3] == made[1]


def test_supervised_search_takes_the_best_of_all_shards(inputs: Path, tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    tiny_params(params, {"supervised": {"trials": 3}})
    for shard in (0, 1):
        search(inputs, params, shard, tmp_path / "trials")
    outputs = {"metrics": tmp_path / "m.json", "curve": tmp_path / "c.csv", "outcomes": tmp_path / "o.h5"}
    run("select_supervised_cnn", tmp_path, trials=tmp_path / "trials", **outputs)
    metrics, trials = json.loads((tmp_path / "m.json").read_text()), pd.read_csv(tmp_path / "c.csv")
    assert trials.trial.tolist() == [0, 1, 2] and metrics["error"] == trials.validation_error.min()
    assert trials.best_so_far.is_monotonic_decreasing
    right = read_outcomes(tmp_path / "o.h5")
    assert {name: array.shape for name, array in right.items()} == {"best": (1, 100), "validation": (1, 60)}
    assert metrics["test_error"] == error_of(right["best"]) and metrics["error"] == error_of(right["validation"])
    assert len(set(trials.validation_error)) == len(set(trials.test_error)) == 3, "else one could stand for another"
    # A shard of an earlier run with more of them lies there still.
    shutil.copy(tmp_path / "trials/1.csv", tmp_path / "trials/2.csv")
    run("select_supervised_cnn", tmp_path, trials=tmp_path / "trials", **outputs)
    assert json.loads((tmp_path / "m.json").read_text()) == metrics
    (tmp_path / "trials" / "1.csv").write_bytes((tmp_path / "trials" / "0.csv").read_bytes())
    with pytest.raises(InputError, match=r"expected the trials 0 to 2, found \[0, 0, 2, 2\]"):
        run("select_supervised_cnn", tmp_path, trials=tmp_path / "trials", **outputs)
    for spoilt, told in (("", "not a readable table"), ("epoch\n1\n", "has no column trial")):
        (tmp_path / "trials" / "1.csv").write_text(spoilt)
        with pytest.raises(InputError, match=rf"1\.csv: .*{told}"):
            run("select_supervised_cnn", tmp_path, trials=tmp_path / "trials", **outputs)
    (tmp_path / "trials" / "1.csv").unlink()
    with pytest.raises(InputError, match=r"1\.csv: no such shard"):
        run("select_supervised_cnn", tmp_path, trials=tmp_path / "trials", **outputs)


def search(inputs: Path, params: Path, shard: int, folder: Path) -> None:
    """One shard of the search: a CSV and outcomes in a folder."""
    arguments = ["--params", str(params), "--images", str(inputs / "svhn"), "--shard", str(shard)]
    arguments += ["--out", str(folder / f"{shard}.csv"), "--outcomes", str(folder / f"{shard}.h5")]
    importlib.import_module("stages.search_supervised_cnn").main(arguments)


def test_a_search_goes_on_behind_its_last_finished_trial_and_finds_the_same_in_any_number_of_shards(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("stages.search_supervised_cnn")
    original, ran = module.run_trial, []

    def interrupted(*given: Any) -> Any:
        if ran:
            raise KeyboardInterrupt
        ran.append(given)
        return original(*given)

    params = inputs / "one_shard.yaml"
    tiny_params(params, {"supervised": {"shards": [0]}})
    monkeypatch.setattr(module, "run_trial", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search(inputs, params, 0, tmp_path / "whole")
    assert len(ran) == 1 and not (tmp_path / "whole").exists()
    monkeypatch.setattr(module, "run_trial", lambda *given: ran.append(given) or original(*given))
    search(inputs, params, 0, tmp_path / "whole")
    assert len(ran) == 2
    assert not [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    for shard in (0, 1):
        search(inputs, inputs / "params.yaml", shard, tmp_path)
    in_shards = pd.concat([pd.read_csv(tmp_path / f"{shard}.csv") for shard in (0, 1)], ignore_index=True)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "whole/0.csv"), in_shards, check_exact=True)
    whole, *parts = (read_outcomes(tmp_path / name) for name in ("whole/0.h5", "0.h5", "1.h5"))
    for name, size in (("validation", 60), ("test", 100)):
        assert whole[name].shape == (2, size)
        np.testing.assert_array_equal(whole[name], np.concatenate([part[name] for part in parts]))


@pytest.mark.parametrize(
    ("stage", "options", "message"),
    [
        ("extract_features", {"set": "svhn", "discriminator": "demo_svhn32.safetensors", "images": "mnist"}, "needs"),
        ("extract_features", {"set": "x", "discriminator": "y", "images": "svhn"}, "no such section"),
        ("extract_features", {"set": "svhn", "discriminator": "generator.safetensors", "images": "svhn"}, "expected a"),
        ("fit_kmeans", {"set": "cifar10", "images": "nowhere"}, "no train.h5"),
        ("search_supervised_cnn", {"shard": "7", "images": "svhn"}, "one of supervised.shards"),
    ],
)
def test_wrong_input_is_named(stage: str, options: dict[str, str], message: str, inputs: Path, tmp_path: Path) -> None:
    paths = {name: inputs / value if name in ("discriminator", "images") else value for name, value in options.items()}
    if stage == "search_supervised_cnn":
        paths["outcomes"] = tmp_path / "o.h5"
    with pytest.raises(InputError, match=message):
        run(stage, inputs, **paths, out=tmp_path / "out")
