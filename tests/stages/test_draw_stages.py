"""The stages that look inside networks, on small files: a picture, outcomes, a JSON, and a sentence that it makes."""

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from dcgan.core.files import InputError, read_json
from dcgan.core.outcomes import read_outcomes
from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.core.splits import training_rows
from dcgan.data.image_store import ImageStore, StoreWriter
from dcgan.dedup.autoencoder import Autoencoder
from dcgan.internals.attribute_classifiers import (
    AttributeClassifier,
    FaceClassifier,
    WindowClassifier,
    train_classifier,
)
from dcgan.models.architectures import ARCHITECTURES
from dcgan.models.networks import Discriminator, Generator
from stages import draw_guided, draw_walk
from tests.dag.tiny import tiny_params
from tests.simulated_gpu.simulation import any_gpu
from workflow.annotation.file import Drawing, empty_annotations
from workflow.description import describe
from workflow.params.load import load_params

N_IMAGES = 80
STAGES = {
    "draw_samples": ("bedrooms", "generator images"),
    "draw_walk": ("bedrooms", "generator images autoencoder"),
    "draw_nearest": ("bedrooms", "networks images"),
    "draw_guided": ("bedrooms", "discriminator images"),
    "draw_windows": ("bedrooms", "generator windows"),
    "draw_arithmetic": ("faces", "generator images faces"),
    "draw_turn": ("faces", "generator faces"),
}
# Draws and units of each outcome, as the parameters have them, and the metric that is its mean.
OUTCOMES = {
    "draw_walk": {
        "walk": (1, 2, "roughness"),
        "memorized": (1, 2, "roughness_if_memorized"),
        "largest_share": (1, 2, "largest_share"),
    },
    "draw_nearest": {
        "copied": (1, 24, "copied_share"),
        "copied_first": (1, 24, "copied_share_first"),
        "copied_real": (1, 12, "copied_share_real"),
        "close": (1, 24, "close_share"),
        "close_real": (1, 12, "close_share_real"),
        "distorted": (1, 24, "distorted_share"),
        "distorted_real": (1, 12, "distorted_share_real"),
    },
    "draw_guided": {"trained": (1, 8, "likeness"), "random": (1, 8, "likeness_random")},
    "draw_windows": {
        "left": (2, 24, "share_with_window_without_maps"),
        "left_random": (2, 24, "share_with_window_without_random_maps"),
        "change": (2, 24, "change_outside_boxes"),
        "change_random": (2, 24, "change_outside_boxes_random_maps"),
    },
    "draw_arithmetic": {
        "mean": (1, 8, "mean_success"),
        "single": (1, 8, "single_success"),
        "pixels": (1, 8, "pixel_success"),
        "chance": (1, 8, None),  # of as many samples; the metric is of all of them
        "nearness_mean": (1, 8, "mean_nearness"),
        "nearness_single": (1, 8, "single_nearness"),
        "nearness_pixels": (1, 8, "pixel_nearness"),
    },
    "draw_turn": {
        "turned": (1, 8, "monotone_share"),
        "random_direction": (1, 8, "monotone_share_random_direction"),
    },
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained networks and classifiers, and a store of random images with recorded truth."""
    folder = tmp_path_factory.mktemp("inputs")
    tiny_params(folder / "params.yaml")
    architecture = ARCHITECTURES["demo32"]
    Generator(architecture).initialize(torch_generator(1, "g")).save(folder / "generator", {})
    write_networks(folder / "networks", (20, 100))
    Discriminator(architecture).initialize(torch_generator(1, "d")).save(folder / "discriminator", {})
    autoencoder = Autoencoder((32, 32, 3), 128, False)
    autoencoder.initialize(torch_generator(1, "a"))
    autoencoder.save(folder / "autoencoder")
    WindowClassifier(32, 4, 8).initialize(torch_generator(2, "w")).save(folder / "windows")
    classifier = FaceClassifier(32, 4, ["glasses", "smile", "long_hair"], 30.0)
    classifier.initialize(torch_generator(1, "f")).save(folder / "faces")
    keys = [f"{number:040x}" for number in range(N_IMAGES)]
    images = numpy_generator(1, "images").integers(0, 256, (N_IMAGES, 32, 32, 3), dtype=np.uint8)
    with StoreWriter(folder / "images", (32, 32, 3), {}) as store:
        store.append(images, keys)
    boxes = pd.DataFrame({"key": keys[::2], "x": 60, "y": 60, "width": 90, "height": 90})
    boxes.assign(image_width=300, image_height=256).to_csv(folder / "windows.csv", index=False)
    faces = pd.DataFrame({"photo": keys, "x": 0, "y": 0, "width": 50, "height": 50, "glasses": 0, "smile": 1})
    faces.assign(pose=12.5, hair=["long", "short"] * 40).to_csv(folder / "faces.csv", index=False)
    found = faces[["photo", "x", "y", "width", "height"]].rename(columns={"photo": "key"})
    found.assign(score=1.0, kept=True, reason="").to_csv(folder / "detections.csv", index=False)
    return folder


def write_networks(folder: Path, kept: Sequence[int]) -> None:
    """A folder as a training leaves it: a generator, and one for each number of images that weights were kept at."""
    for number, name in enumerate(["generator", *(f"kept/generator-{images:010d}" for images in kept)]):
        generator = Generator(ARCHITECTURES["demo32"]).initialize(torch_generator(number, "kept"))
        generator.save(folder / f"{name}.safetensors", {})


def run(stage: str, name: str, inputs: Path, out: Path, **options: str) -> dict[str, Any]:
    """Runs a stage with files of `inputs`; returns its metrics."""
    arguments = ["--params", str(inputs / "params.yaml"), "--name", name, "--metrics", str(out / "metrics.json")]
    for option, file in options.items():
        arguments += [f"--{option}", str(inputs / file)]
    if stage in OUTCOMES:
        arguments += ["--outcomes", str(out / "outcomes.h5")]
    if stage == "draw_windows":
        arguments += ["--weights", str(out / "weights.json")]
    product = "--out" if stage.startswith("fit") else "--figure"
    importlib.import_module(f"stages.{stage}").main([*arguments, product, str(out / "product")])
    assert (out / "product").is_file()
    metrics: dict[str, Any] = json.loads((out / "metrics.json").read_text())
    return metrics


@pytest.mark.parametrize("stage", STAGES)
def test_a_picture_and_a_sentence(stage: str, inputs: Path, tmp_path: Path) -> None:
    name, files = STAGES[stage]
    options = {"annotator" if file in {"windows", "faces"} else file: file for file in files.split()}
    metrics = run(stage, name, inputs, tmp_path, **options)
    picture = cv2.imread(str(tmp_path / "product"))
    assert picture is not None and picture.std() > 5
    assert len(describe(f"{stage}@{name}").measured(metrics)) > 20
    found = read_outcomes(tmp_path / "outcomes.h5") if stage in OUTCOMES else {}
    assert {key: array.shape for key, array in found.items()} == {
        key: expected[:2] for key, expected in OUTCOMES.get(stage, {}).items()
    }
    for key, (_, _, metric) in OUTCOMES.get(stage, {}).items():
        assert metric is None or metrics[metric] == pytest.approx(found[key].mean(dtype=np.float64), rel=1e-6)
    again = run(stage, name, inputs, tmp_path, **options)
    assert again == metrics


def test_early_copies_are_those_of_the_first_generator_that_was_kept(inputs: Path, tmp_path: Path) -> None:
    """Not the last one, which is the result itself; none if no other was kept."""
    for kept, expected in (((20, 100), True), ((100,), False), ((), False)):
        folder = tmp_path / f"{len(kept)}"
        write_networks(folder / "networks", kept)
        (folder / "images").write_bytes((inputs / "images").read_bytes())
        (folder / "params.yaml").write_bytes((inputs / "params.yaml").read_bytes())
        if kept:
            (folder / f"networks/kept/generator-{kept[-1]:010d}.safetensors").write_text("never read")
        metrics = run("draw_nearest", "bedrooms", folder, folder, networks="networks", images="images")
        assert ("copied_first" in read_outcomes(folder / "outcomes.h5")) is expected
        assert ("early in training" in describe("draw_nearest@bedrooms").measured(metrics)) is expected


def test_an_image_of_a_walk_depends_on_no_other_point(inputs: Path, tmp_path: Path) -> None:
    """A walk through more points begins at the same one: with batch statistics its image would be another."""
    first = []
    for points in (2, 9):
        tiny_params(tmp_path / "params.yaml", {"figures": {"walk": {"bedrooms": {"points": points}}}})
        for name in ("generator", "images", "autoencoder"):
            (tmp_path / name).write_bytes((inputs / name).read_bytes())
        run(
            "draw_walk",
            "bedrooms",
            tmp_path,
            tmp_path,
            generator="generator",
            images="images",
            autoencoder="autoencoder",
        )
        first.append(cv2.imread(str(tmp_path / "product"))[:64, :64])
    assert first[0].std() > 5 and np.array_equal(*first)


def test_a_walk_of_nearest_training_images_takes_none_that_was_held_out(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched, found = [], draw_walk.nearest

    def watched(queries: Any, references: Any, rows: Any, k: int) -> Any:
        searched.append(rows.tolist())
        return found(queries, references, rows, k)

    monkeypatch.setattr(draw_walk, "nearest", watched)
    tiny_params(tmp_path / "params.yaml")
    for name in ("generator", "images", "autoencoder"):
        (tmp_path / name).write_bytes((inputs / name).read_bytes())
    options = {name: name for name in ("generator", "images", "autoencoder")}
    run("draw_walk", "bedrooms", tmp_path, tmp_path, **options)
    params = load_params(tmp_path / "params.yaml")
    n, held_out = len(ImageStore(inputs / "images")), params.train["bedrooms"].held_out
    assert searched and held_out > 0
    expected = training_rows(n, held_out, params.run.seed)[0].tolist()
    assert all(rows == expected for rows in searched) and len(expected) == n - held_out


def test_random_filters_are_on_the_left_as_in_the_paper() -> None:
    page = draw_guided.figure(random=np.zeros((20, 200, 3), np.uint8), trained=np.full((20, 200, 3), 200, np.uint8))
    assert page[-1, 50].tolist() == [0, 0, 0, 255] and page[-1, -50].tolist() == [200, 200, 200, 255]


@pytest.fixture
def by_hand(inputs: Path, tmp_path: Path) -> Path:
    """Inputs whose Figures 6 to 8 rest on a person; nobody has chosen yet."""
    annotator = {"annotator": "annotations.json"}
    sums = [{"plus": "smiling woman", "minus": "woman", "other": "man"}]
    figures = {
        "windows": {"bedrooms": annotator},
        "arithmetic": {"faces": {**annotator, "sums": sums}},
        "turn": {"faces": annotator},
    }
    tiny_params(tmp_path / "params.yaml", {"figures": figures})
    for name in ("generator", "images"):
        (tmp_path / name).write_bytes((inputs / name).read_bytes())
    (tmp_path / "annotations.json").write_text("{}\n")
    return tmp_path


def annotate(folder: Path) -> None:
    """Annotations of the generator's samples as a person would leave them."""
    drawing = Drawing(seed=42, samples=30, statistics_batches=1)
    boxes = [{"image": image, "x": 4, "y": 6.5, "width": 12, "height": 10} for image in range(9)]
    concepts = {"smiling woman": [1, 2, 3], "woman": [4, 5, 6, 7], "man": [8, 9, 10]}
    concepts |= {"looking left": [11, 12, 13, 14], "looking right": [15, 16, 17, 18]}
    nothing = empty_annotations(folder / "generator", 32, drawing)
    nothing.changed(boxes=boxes, concepts=concepts).save(folder / "annotations.json")


@pytest.mark.parametrize("stage", ["draw_windows", "draw_arithmetic", "draw_turn"])
def test_figures_by_hand_first_name_what_is_missing_and_then_are_drawn(stage: str, by_hand: Path) -> None:
    name = STAGES[stage][0]
    options = {"generator": "generator", "annotator": "annotations.json"}
    options |= {"images": "images"} if stage == "draw_arithmetic" else {}
    unfinished = run(stage, name, by_hand, by_hand, **options)
    assert "make annotate" in describe(f"{stage}@{name}").measured(unfinished)
    assert read_outcomes(by_hand / "outcomes.h5") == {}, "what nobody chose has not been measured"
    first = (by_hand / "product").read_bytes()
    annotate(by_hand)
    finished = run(stage, name, by_hand, by_hand, **options)
    assert finished["annotated_by"] == "hand" and "by hand" in describe(f"{stage}@{name}").measured(finished)
    assert (by_hand / "product").read_bytes() != first
    # Trained again: the annotations of the other one's samples count for nothing, and stop nothing.
    Generator(ARCHITECTURES["demo32"]).initialize(torch_generator(2, "g")).save(by_hand / "generator", {})
    assert "make annotate" in describe(f"{stage}@{name}").measured(run(stage, name, by_hand, by_hand, **options))


def test_what_is_measured_by_hand(by_hand: Path) -> None:
    options = {"generator": "generator", "annotator": "annotations.json"}
    run("draw_windows", "bedrooms", by_hand, by_hand, **options)
    assert read_json(by_hand / "weights.json") == {"layer": -3, "weights": []}
    annotate(by_hand)
    windows = run("draw_windows", "bedrooms", by_hand, by_hand, **options)
    assert (windows["samples"], windows["boxes"], windows["share_with_window"]) == (30, 9, 0.3)
    weights = np.array(read_json(by_hand / "weights.json")["weights"])
    assert weights.shape == (windows["maps"],) and 0 < (weights > 0).sum() < windows["maps"]
    assert windows["change_inside_boxes"] > 0 and "share_with_window_without_maps" not in windows
    outcomes = read_outcomes(by_hand / "outcomes.h5")
    assert {name: array.shape for name, array in outcomes.items()} == {"change": (2, 30), "change_random": (2, 30)}
    sums = run("draw_arithmetic", "faces", by_hand, by_hand, images="images", **options)
    # A sum of three means has the length of one z, a sum of single z the square root of three times as much.
    assert sums["mean_length"] == pytest.approx(1, abs=0.25)
    assert sums["single_length"] == pytest.approx(3**0.5, abs=0.25)
    outcomes = read_outcomes(by_hand / "outcomes.h5")
    # Nine of the panel, the three sums of single z, and of pixels these and that of the means.
    shapes = {"nearness_mean": (1, 9), "nearness_single": (1, 3), "nearness_pixels": (1, 4)}
    assert {name: array.shape for name, array in outcomes.items()} == shapes
    turn = run("draw_turn", "faces", by_hand, by_hand, **options)
    assert {name: array.shape for name, array in read_outcomes(by_hand / "outcomes.h5").items()} == {
        "turned": (1, 8),
        "random_direction": (1, 8),
    }
    assert turn["turned_share"] > 0.5 > abs(turn["turned_share_random_direction"])


CLASSIFIERS = {
    "fit_window_classifier": ("bedrooms", {"images": "images", "truth": "windows.csv"}),
    "fit_face_classifier": ("faces", {"images": "images", "truth": "faces.csv", "detections": "detections.csv"}),
}


@pytest.mark.parametrize("stage", CLASSIFIERS)
def test_a_classifier_and_a_sentence(stage: str, inputs: Path, tmp_path: Path) -> None:
    name, files = CLASSIFIERS[stage]
    metrics = run(stage, name, inputs, tmp_path, **files)
    assert "never saw" in describe(f"{stage}@{name}").measured(metrics)


@pytest.mark.parametrize("stage", CLASSIFIERS)
def test_a_classifier_is_fitted_on_the_device_of_the_run(
    stage: str, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, places = importlib.import_module(f"stages.{stage}"), set()

    def watched(classifier: AttributeClassifier, *rest: Any) -> None:
        places.update(weights.device.type for weights in classifier.parameters())
        train_classifier(classifier, *rest)

    monkeypatch.setattr(module, "prepare", lambda _: torch.device("cuda", 0))
    monkeypatch.setattr(module, "train_classifier", watched)
    name, files = CLASSIFIERS[stage]
    with any_gpu():
        run(stage, name, inputs, tmp_path, **files)
    assert places == {"cuda"}


@pytest.mark.parametrize("stage", ["draw_turn", "draw_windows", "draw_arithmetic"])
def test_classifiers_answer_on_the_device_of_the_run(
    stage: str, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places, predict = set(), AttributeClassifier.predict

    def watched(classifier: AttributeClassifier, images: Any) -> Any:
        places.update(weights.device.type for weights in classifier.parameters())
        return predict(classifier, images)

    monkeypatch.setattr(importlib.import_module(f"stages.{stage}"), "prepare", lambda _: torch.device("cuda", 0))
    monkeypatch.setattr(AttributeClassifier, "predict", watched)
    name, files = STAGES[stage]
    options = {"annotator" if file in {"windows", "faces"} else file: file for file in files.split()}
    with any_gpu():
        run(stage, name, inputs, tmp_path, **options)
    assert places == {"cuda"}


def test_crops_that_do_not_fit_their_detections(inputs: Path, tmp_path: Path) -> None:
    pd.read_csv(inputs / "detections.csv").iloc[1:].to_csv(inputs / "fewer.csv", index=False)
    with pytest.raises(InputError, match="79 kept detections, but .* has 80 crops"):
        run(
            "fit_face_classifier", "faces", inputs, tmp_path, images="images", detections="fewer.csv", truth="faces.csv"
        )


def test_windows_of_other_images(inputs: Path, tmp_path: Path) -> None:
    windows = pd.read_csv(inputs / "windows.csv")
    windows.assign(key=windows["key"] + ".jpg").to_csv(inputs / "others.csv", index=False)
    with pytest.raises(InputError, match="others.csv: none of its windows is in an image of"):
        run("fit_window_classifier", "bedrooms", inputs, tmp_path, images="images", truth="others.csv")


def test_a_section_that_is_not_there(inputs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="figures.walk.attics: no such section; there are bedrooms"):
        run("draw_walk", "attics", inputs, tmp_path, generator="generator", images="images", autoencoder="autoencoder")


def test_arithmetic_beside_images_of_another_size(inputs: Path, tmp_path: Path) -> None:
    with StoreWriter(inputs / "small", (28, 28, 1), {}) as store:
        store.append(np.zeros((4, 28, 28, 1), np.uint8), ["a", "b", "c", "d"])
    with pytest.raises(InputError, match=r"small: images are \(28, 28, 1\), results are compared with \(32, 32, 3\)"):
        run("draw_arithmetic", "faces", inputs, tmp_path, generator="generator", images="small", annotator="faces")
