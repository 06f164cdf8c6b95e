"""What the report shows first, in which order the rest comes, and what captions say of claims that do not hold."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcgan.core.pixels import write_png
from tests.unit.conftest import leave_sidecar, stage
from workflow.claims.judge import judge_all, read_registry
from workflow.claims.words import Line
from workflow.description import FOLDER, describe
from workflow.engines.dag import Stage
from workflow.report.collect import render
from workflow.report.first_screen import PICTURES, in_small, trained
from workflow.report.results import chapters, outcome_of
from workflow.report.run_history import account_of

REAL = "run: {seed: 42}\nexport: {source: data/raw/bedrooms}\nreport: {title: Test}\n"


@pytest.fixture
def training(results: Path) -> dict[str, Stage]:
    """A network that has been trained on what is left of an LSUN archive, and one of which nothing is known."""
    metrics = {"images_seen": 18 * 480, "minibatches": 18 * 15}
    (results / "results/metrics/train_bedrooms.json").write_text(json.dumps(metrics))
    shard, unique = "data/bedrooms/shards/0", "data/bedrooms/unique.h5"
    found = [
        replace(stage("export_lsun@0", [shard]), parameters={"export": {"source": "data/raw/lmdb", "shards": [0]}}),
        replace(stage("drop_duplicates", [unique]), inputs=[shard]),
        replace(
            stage("train_dcgan@bedrooms", ["data/networks/bedrooms", "results/metrics/train_bedrooms.json"]),
            inputs=[unique],
            parameters={"train.bedrooms": {"epochs": 18, "images": unique}},
        ),
        replace(stage("train_dcgan@svhn", ["results/metrics/train_svhn.json"]), parameters={"train.svhn": {}}),
    ]
    return {one.name: one for one in found}


def test_what_was_trained_on_what_data_and_how_long(results: Path, training: dict[str, Stage]) -> None:
    rooms, digits = trained(results, training, training)
    assert (rooms.name, rooms.sources, rooms.training) == ("bedrooms", ["data/raw/lmdb"], "18 epochs of 480 images")
    assert (digits.name, digits.sources, digits.training) == ("svhn", [], "not yet")
    (rooms, _) = trained(results, training, {})
    assert rooms.training == "not with these parameters"


def pictures_of(results: Path, names: list[str]) -> dict[str, Stage]:
    """Stages that have drawn a picture each."""
    found = {}
    for name in names:
        path = f"results/figures/{name.replace('@', '_')}.png"
        write_png(results / path, np.full((600, 900, 3), 90, np.uint8))
        found[name] = stage(name, [path])
    return found


def test_the_rest_comes_in_the_order_of_the_paper(results: Path) -> None:
    """Sections first, then figures and tables by their numbers, then what the paper does not have."""
    names = ["fit_face_classifier@faces", "draw_turn@faces", "draw_walk@bedrooms", "draw_nearest@bedrooms"]
    names += ["draw_samples@svhn", "draw_samples@imagenet", "draw_samples@faces", "draw_samples@bedrooms"]
    names += ["evaluate_neighbours@mnist", "evaluate_svm@cifar10_few", "evaluate_svm@svhn", "drop_duplicates@bedrooms"]
    found = chapters(results, pictures_of(results, names), {}, [], 101)
    assert [[result.place for result in results] for results in found.values()] == [
        ["Section 4.1.1"],
        ["Figure 3", "Figure 10", "Figure 11", ""],
        ["Table 2", "Table 3, Figure 9", ""],
        ["Section 4.1", "Figure 4", "Figure 8", ""],
    ]


def unfit_to_be_small(results: Path) -> dict[str, Stage]:
    """Stages whose pictures move, or are drawings in black on white."""
    frames = [Image.new("RGB", (90, 60), (shade, 0, 0)) for shade in (0, 99)]
    frames[0].save(results / "results/figures/moving.png", save_all=True, append_images=frames[1:], duration=100)
    Image.new("RGBA", (90, 60), "white").save(results / "results/figures/drawing.png")
    names = {"animate_training@bedrooms": "moving", "evaluate_svm@cifar10": "drawing"}
    return {name: stage(name, [f"results/figures/{file}.png"]) for name, file in names.items()}


def test_four_pictures_of_these_parameters_are_shown_in_small(results: Path) -> None:
    names = ["draw_walk@bedrooms", "draw_samples@bedrooms", "draw_samples@faces", "draw_windows@bedrooms"]
    names += ["draw_turn@faces"]
    stages = pictures_of(results, names) | unfit_to_be_small(results)
    small = in_small(chapters(results, stages, {"draw_turn@faces": "a reason"}, [], 101))
    assert [one.result.stage for one in small] == names[1:4] + names[:1]  # as README has them, then what else there is
    assert PICTURES == 4 and {(one.width, one.height) for one in small} == {(480, 320)}
    assert len(in_small(chapters(results, stages, {}, [], 101))) == 4


def test_a_caption_says_when_the_claim_about_it_does_not_hold(tmp_path: Path) -> None:
    def claims(verdict: str) -> list[Line]:
        return [Line("heads_turn", verdict, "Figure 8", "A turn vector turns any face", (), "")]  # type: ignore[arg-type]

    def outcome(name: str, found: list[Line]) -> str:
        return outcome_of(tmp_path, stage(name, []), found)

    said = {verdict: outcome("draw_turn@faces", claims(verdict)) for verdict in ("holds", "fails", "undecided")}
    assert said["holds"] == "" and "fails in this run" in said["fails"] and "is undecided" in said["undecided"]
    assert outcome("draw_walk@bedrooms", claims("holds")) == "This run has not measured whether it does."
    assert outcome("draw_samples@faces", claims("fails")) == outcome("draw_turn@faces", []) == ""


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({"error": 0.2, "random_weights_error": 0.5}, ""),
        ({"error": 0.2, "random_weights_error": None}, ""),
        ({"error": 0.5}, ""),
        (
            {"error": 0.2625, "random_weights_error": 0.225},
            "This run does not show it: error (0.2625) is not below random weights error (0.225).",
        ),
    ],
)
def test_a_caption_says_when_metrics_are_not_as_it_expects(results: Path, metrics: dict[str, float], said: str) -> None:
    (results / "results/metrics/svm_svhn.json").write_text(json.dumps(metrics))
    assert outcome_of(results, stage("evaluate_svm@svhn", ["results/metrics/svm_svhn.json"]), []) == said


def test_the_caption_stands_in_the_report_with_what_has_become_of_it(results: Path) -> None:
    """Faces turn less often than along random directions."""
    import pandas as pd

    wrong = np.asarray(np.arange(400) < 380, np.float32)[None]
    rows = judge_all(read_registry(), {"turn_faces": {"turned": 1 - wrong, "random_direction": wrong}}, 1)
    pd.DataFrame(rows).to_csv(results / "results/claims.csv", index=False)
    stages = pictures_of(results, ["draw_turn@faces"]) | {"judge_claims": stage("judge_claims", ["results/claims.csv"])}
    text = render(results, stages, "Test")
    assert "Heads should turn evenly to the right. The claim about it fails in this run.</figcaption>" in text


def test_claims_of_descriptions_are_in_the_registry() -> None:
    about = {path.stem: describe(path.stem).claim for path in FOLDER.glob("*.yaml")}
    named = {claim for claim in about.values() if claim}
    assert len(named) >= 7 and named <= {claim.id for claim in read_registry()}
    assert all(describe(kind).caption for kind, claim in about.items() if claim)
    expected = {path.stem: describe(path.stem).expects for path in FOLDER.glob("*.yaml")}
    assert {kind for kind, text in expected.items() if len(text.split(" < ")) == 2} == {
        "evaluate_svm",
        "animate_training",
    }


def test_numbers_of_stand_ins_are_said_to_be_incomparable(results: Path, stages: dict[str, Stage]) -> None:
    text = render(results, stages, "Test")
    assert re.search(r"<td>\s*80\.0", text) and "cannot be compared" in text
    (results / "params.yaml").write_text(REAL)
    assert "cannot be compared" not in render(results, stages, "Test")


def test_it_links_to_the_page_with_the_generators_if_that_is_there(results: Path, stages: dict[str, Stage]) -> None:
    """From results/report.html alone: the page of the DAG lies elsewhere."""
    link = '<a href="explore.html">'
    stages["explore_networks"] = stage("explore_networks", ["results/explore.html"])
    assert link not in render(results, stages, "Test", account_of(results, stages))
    (results / "results/explore.html").write_text("<html>")
    for one in stages.values():
        leave_sidecar(results, one)
    assert link in render(results, stages, "Test", account_of(results, stages))
    assert link not in render(results, stages, "Test")
    (results / "results/explore.html").write_text("<html> of another run")
    assert link not in render(results, stages, "Test", account_of(results, stages))
