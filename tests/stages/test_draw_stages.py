"""The stages that look inside networks, on small files: a picture, a JSON, and a sentence that can be made of it."""

import importlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from dcgan.core.files import InputError
from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.data.image_store import StoreWriter
from dcgan.dedup.autoencoder import Autoencoder
from dcgan.internals.attribute_classifiers import FaceClassifier, WindowClassifier
from dcgan.models.architectures import ARCHITECTURES
from dcgan.models.networks import Discriminator, Generator
from tests.dag.tiny import tiny_params
from workflow.annotation.file import Drawing, empty_annotations
from workflow.description import describe

N_IMAGES = 80
STAGES = {
    "draw_samples": ("bedrooms", "generator images"),
    "draw_walk": ("bedrooms", "generator images autoencoder"),
    "draw_nearest": ("bedrooms", "generator images"),
    "draw_guided": ("bedrooms", "discriminator images"),
    "draw_windows": ("bedrooms", "generator windows"),
    "draw_arithmetic": ("faces", "generator faces"),
    "draw_turn": ("faces", "generator faces"),
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained networks and classifiers, and a store of random images with recorded truth."""
    folder = tmp_path_factory.mktemp("inputs")
    tiny_params(folder / "params.yaml")
    architecture = ARCHITECTURES["demo32"]
    Generator(architecture).initialize(torch_generator(1, "g")).save(folder / "generator", {})
    Discriminator(architecture).initialize(torch_generator(1, "d")).save(folder / "discriminator", {})
    autoencoder = Autoencoder((32, 32, 3), 128, False)
    autoencoder.initialize(torch_generator(1, "a"))
    autoencoder.save(folder / "autoencoder")
    WindowClassifier(32, 4, 8).initialize(torch_generator(1, "w")).save(folder / "windows")
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


def run(stage: str, name: str, inputs: Path, out: Path, **options: str) -> dict[str, Any]:
    """Runs a stage with files of `inputs`; returns its metrics."""
    arguments = ["--params", str(inputs / "params.yaml"), "--name", name, "--metrics", str(out / "metrics.json")]
    for option, file in options.items():
        arguments += [f"--{option}", str(inputs / file)]
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
    again = run(stage, name, inputs, tmp_path, **options)
    assert again == metrics


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
    (tmp_path / "generator").write_bytes((inputs / "generator").read_bytes())
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
    unfinished = run(stage, name, by_hand, by_hand, **options)
    assert "make annotate" in describe(f"{stage}@{name}").measured(unfinished)
    first = (by_hand / "product").read_bytes()
    annotate(by_hand)
    finished = run(stage, name, by_hand, by_hand, **options)
    assert finished["annotated_by"] == "hand" and "by hand" in describe(f"{stage}@{name}").measured(finished)
    assert (by_hand / "product").read_bytes() != first
    # Trained again: the annotations of the other one's samples count for nothing, and stop nothing.
    Generator(ARCHITECTURES["demo32"]).initialize(torch_generator(2, "g")).save(by_hand / "generator", {})
    assert "make annotate" in describe(f"{stage}@{name}").measured(run(stage, name, by_hand, by_hand, **options))


def test_what_is_measured_by_hand(by_hand: Path) -> None:
    annotate(by_hand)
    options = {"generator": "generator", "annotator": "annotations.json"}
    windows = run("draw_windows", "bedrooms", by_hand, by_hand, **options)
    assert (windows["samples"], windows["boxes"], windows["share_with_window"]) == (30, 9, 0.3)
    assert windows["change_inside_boxes"] > 0 and "share_with_window_without_maps" not in windows
    sums = run("draw_arithmetic", "faces", by_hand, by_hand, **options)
    # A sum of three means has the length of one z, a sum of single z the square root of three times as much.
    assert sums["mean_length"] == pytest.approx(1, abs=0.25)
    assert sums["single_length"] == pytest.approx(3**0.5, abs=0.25)
    turn = run("draw_turn", "faces", by_hand, by_hand, **options)
    assert turn["turned_share"] > 0.5 > abs(turn["turned_share_random_direction"])


@pytest.mark.parametrize(("stage", "name"), [("fit_window_classifier", "bedrooms"), ("fit_face_classifier", "faces")])
def test_a_classifier_and_a_sentence(stage: str, name: str, inputs: Path, tmp_path: Path) -> None:
    files = {"truth": f"{name.replace('bedrooms', 'windows')}.csv", "images": "images"}
    if stage == "fit_face_classifier":
        files["detections"] = "detections.csv"
    metrics = run(stage, name, inputs, tmp_path, **files)
    assert "never saw" in describe(f"{stage}@{name}").measured(metrics)


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
