"""The report: tables beside the paper's, only what the DAG made, one self-contained page, the same bytes again."""

import base64
import io
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dcgan.core.files import InputError
from dcgan.core.pixels import write_png
from tests.unit.conftest import SVM, leave_sidecar, stage
from workflow.description import Curves, describe
from workflow.engines.dag import Stage
from workflow.params.sections import Report
from workflow.report.charts import chart, series_of
from workflow.report.collect import render, stand_ins
from workflow.report.page import QUALITIES, picture
from workflow.report.results import charts_of
from workflow.report.run_history import account_of, in_words
from workflow.report.summary import sentence_lines
from workflow.report.table_rows import TABLES, Size, lines_of, pairs, tables_of
from workflow.report.write import write_report

WINDOWS = {"share_with_window": 0.6, "share_with_window_without_maps": 0.1, "maps_dropped": 20, "maps": 64}
WINDOWS |= {"share_with_window_without_random_maps": 0.5, "annotated_by": "classifier", "samples_measured": 300}
WINDOWS |= {"share_with_window_without_maps_least": 0.05, "share_with_window_without_maps_most": 0.2, "draws": 10}
WINDOWS |= {"windows_difference_low": 0.3, "windows_difference_high": 0.5}
PLAN = describe("train_dcgan").charts[0]


class Page(HTMLParser):
    """Counts what matters for readers who do not see, and what would need the net."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.images: list[dict[str, str | None]] = []
        self.headings: list[int] = []
        self.links: list[str] = []
        self.identifiers: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        if tag == "img":
            self.images.append(values)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        self.links += [value for name in ("src", "href", "action") if (value := values.get(name))]
        if identifier := values.get("id"):
            self.identifiers.append(identifier)
        if tag not in {"meta", "link", "img", "br"} and self.get_starttag_text()[-2:] != "/>":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_holds_what_the_dag_made_and_nothing_else(results: Path, stages: dict[str, Stage]) -> None:
    page = Page(render(results, stages, "Test"))
    assert len([image for image in page.images if "in small" not in str(image["alt"])]) == 3
    assert not any("stale" in str(image["alt"]) for image in page.images)
    assert page.open == []


def test_page_is_whole_and_offline(results: Path, stages: dict[str, Stage]) -> None:
    text = render(results, stages, "Test")
    page = Page(text)
    assert all(link.startswith(("data:", "#")) for link in page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.identifiers)
    assert "<script" not in text and "url(" not in text and "@import" not in text


def test_page_can_be_read_by_ear(results: Path, stages: dict[str, Stage]) -> None:
    text = render(results, stages, "Test")
    page = Page(text)
    assert len({image["alt"] for image in page.images}) == len(page.images)
    seen = "As Figures 2 and 3 (bedrooms): samples of the same z after some of the epochs"
    assert f"Training: bedrooms, epoch 5: {seen}" in {image["alt"] for image in page.images}
    assert page.headings[0] == 1 and page.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(page.headings, page.headings[1:], strict=False))
    assert len(page.identifiers) == len(set(page.identifiers))
    assert 'lang="en"' in text and text.count("<th scope=") > 10 and text.count("<caption>") >= 3


def test_text_of_others_is_escaped(results: Path, stages: dict[str, Stage]) -> None:
    walk = replace(stages["draw_walk@bedrooms"], name="paint@bedrooms", description="One <strip> & more")
    text = render(results, stages | {walk.name: walk}, "A <b> title")
    assert "<small>One &lt;strip&gt; &amp; more</small>" in text and 'bedrooms: One &lt;strip&gt; &amp; more"' in text
    assert "<title>A &lt;b&gt; title</title>" in text


def test_the_classifiers_accuracy_stands_beside_the_figure(results: Path, stages: dict[str, Stage]) -> None:
    (results / "results/metrics/windows_bedrooms.json").write_text(json.dumps(WINDOWS))
    (results / "results/metrics/classifier.json").write_text(json.dumps({"image_accuracy": 0.987, "images": 800}))
    stages |= {
        name: stage(name, [f"results/metrics/{file}.json"])
        for name, file in (
            ("draw_windows@bedrooms", "windows_bedrooms"),
            ("fit_window_classifier@bedrooms", "classifier"),
        )
    }
    assert "The classifier:" not in render(results, stages, "Test")  # a figure that rests on a person's annotations
    by_classifier = replace(stages["draw_windows@bedrooms"], dependencies=["results/metrics/classifier.json"])
    text = render(results, stages | {by_classifier.name: by_classifier}, "Test")
    assert "60 % of 300 new samples have a window" in text
    assert "The classifier: right about a window in 98.7 % of 800 real images" in text


def test_same_results_give_the_same_bytes_anywhere(
    results: Path, stages: dict[str, Stage], tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "copy"
    shutil.copytree(results, elsewhere)
    text = render(results, stages, "Test")
    assert render(elsewhere, stages, "Test") == text
    assert str(results) not in text


def test_table_has_our_value_beside_the_quoted_one() -> None:
    lines = lines_of(TABLES[0], {"svm_cifar10": SVM})
    line = next(line for line in lines if line.model == "DCGAN + L2-SVM")
    first, second = line.cells
    assert (first.quoted, first.ours, first.interval) == ("82.8", "80.0", "1.0")
    assert (second.quoted, second.quoted_interval, second.ours) == ("73.8", "0.4", "")
    maps, columns = "feature maps in the highest layer", "columns in all"
    assert line.sizes == [Size(maps, "512", "128"), Size(columns, "28,672", "3,584")]
    kmeans = next(line for line in lines if line.model == "1-layer K-means")
    assert kmeans.sizes == [Size("centroids", "4,800", ""), Size(columns, "19,200", "")]
    assert [other.model for other in lines if other.has_ours] == ["DCGAN + L2-SVM"]
    assert not any(line.has_ours for line in lines_of(TABLES[0], {}))
    few = lines_of(TABLES[0], {"svm_cifar10_few": {"accuracy": 0.54321, "interval": 0.0123}})[-1].cells[1]
    assert (few.quoted, few.quoted_interval, few.ours, few.interval) == ("73.8", "0.4", "54.3", "1.2")


def test_sizes_stand_in_the_unit_of_the_paper(results: Path, stages: dict[str, Stage]) -> None:
    text = render(results, stages, "Test")
    assert "<small>512 feature maps in the highest layer; here 128</small>" in text
    assert "<small>28,672 columns in all; here 3,584</small>" in text
    assert "<small>3,200 centroids</small>" in text


def test_the_authors_weights_have_a_line_of_their_own() -> None:
    partial = {"accuracy": 0.78, "n_features": 12_288}
    lines = lines_of(TABLES[0], {"svm_cifar10": SVM, "svm_cifar10_published": partial})
    ours, authors = lines[-2:]
    assert (ours.model, authors.model) == ("DCGAN + L2-SVM", "DCGAN + L2-SVM, the authors' weights")
    assert authors.cells[0].ours == "78.0"
    assert [size.ours for size in authors.sizes] == ["", "12,288"]


def test_errors_stand_in_the_column_of_their_number_of_samples() -> None:
    """The figures of the paper in the place of ours."""
    ours = {"error": 0.0298, "error_50000": 0.0298, "error_10000000": 0.0148}
    (line,) = [line for line in lines_of(TABLES[2], {"neighbours_mnist": ours}) if line.model == "DCGAN"]
    assert [cell.ours for cell in line.cells] == [cell.quoted for cell in line.cells] == ["2.98", "1.48"]
    del ours["error_10000000"]
    (line,) = [line for line in lines_of(TABLES[2], {"neighbours_mnist": ours}) if line.model == "DCGAN"]
    assert [cell.ours for cell in line.cells] == ["2.98", ""]


def test_tables_without_a_number_of_this_run_are_left_out() -> None:
    assert [table["number"] for table, _ in tables_of({"svm_svhn": SVM, "svm_mine": SVM})] == [2]
    assert tables_of({"svm_mine": SVM}) == []


def test_published_values_stand_beside_ours() -> None:
    metrics = {"error": 0.25, "published": 0.2248, "n_draws": 100, "maps_dropped": 30, "maps_dropped_published": 200}
    assert list(pairs(metrics)) == [("error", "0.25", "0.2248"), ("n draws", "100", ""), ("maps dropped", "30", "200")]


def test_curves_end_where_their_values_do(results: Path) -> None:
    table = pd.read_csv(results / "results/curves/bedrooms.csv")
    drawing = chart(PLAN, series_of(table, PLAN))
    assert drawing is not None
    assert [curve.name for curve in drawing.curves] == ["d loss", "g loss"]
    assert [len(curve.points.split()) for curve in drawing.curves] == [2, 3]
    heights = [float(point.split(",")[1]) for point in drawing.curves[1].points.split()]
    assert heights == sorted(heights, reverse=True)
    assert drawing.curves[1].last == "1.1"
    assert chart(PLAN, {}) is None
    single = chart(PLAN, series_of(table[:1], PLAN))
    assert single is not None
    first, again = single.curves[0].points.split()
    assert first == again, "a line to itself is drawn as a dot, a single point is not"
    assert series_of(table, replace(PLAN, columns=("absent",))) == {}


def test_a_damaged_table_is_named(results: Path, stages: dict[str, Stage]) -> None:
    (results / "results/curves/bedrooms.csv").write_text('a,b\n"')
    with pytest.raises(InputError, match="bedrooms.csv: not a readable table"):
        list(charts_of(results, stages["train_dcgan@bedrooms"]))


def test_a_column_can_name_the_curves_and_choose_the_rows() -> None:
    rows = pd.DataFrame(
        {"set": ["a", "a", "b", "c"], "kind": ["x", "x", "x", "y"], "n": [1, 2, 1, 1], "e": [3, 4, 5, 6]}
    )
    found = series_of(rows, Curves(title="", horizontal="n", columns=("e",), by="set", where={"kind": "x"}))
    assert {name: dict(one) for name, one in found.items()} == {"a": {1: 3, 2: 4}, "b": {1: 5}}
    assert series_of(rows.drop(columns=["set"]), Curves(title="", horizontal="n", columns=("e",), by="set")) == {}
    assert series_of(rows, Curves(title="", horizontal="n", columns=("e",), where={"absent": "x"})) == {}


def test_what_is_known_of_the_run_is_in_it(results: Path, stages: dict[str, Stage]) -> None:
    """Two stages of this run, one of another command; the rest has left nothing."""
    record: dict[str, Any] = {"git_revision": "0123456789abcdef", "git_dirty": True}
    record["machine"] = {"processor": "A processor", "cores": 4, "threads": 2, "accelerator": None, "system": "Linux"}
    stages["train_dcgan@bedrooms"] = replace(
        stages["train_dcgan@bedrooms"],
        parameters={"train.bedrooms": {"epochs": 3}},
        dependencies=["data/unique.h5", "data/<b>.h5"],
    )
    for name, further in {
        "train_dcgan@bedrooms": {
            "seconds": 250.4,
            "packages": {"torch": "2.14.0"},
            "inputs": {"data/unique.h5": "md5:0a1b", "data/<b>.h5": "unread: 3 GB"},
        },
        "evaluate_svm@cifar10": {"seconds": 3, "packages": {"torch": "2.13.0"}},
        "draw_walk@bedrooms": {"seconds": 99, "command": "false"},
    }.items():
        leave_sidecar(results, stages[name], **record, **further)
    (results / "results/provenance/build_report.json").write_text("{")
    account = account_of(results, stages)
    seconds = {name: record["seconds"] for name, record in account.records.items()}
    assert seconds == {"train_dcgan@bedrooms": 250.4, "evaluate_svm@cifar10": 3}
    assert (account.total, account.time("draw_walk@bedrooms")) == ("4 min 13 s", "not known")
    text = render(results, stages, "Test", account)
    for part in (
        "A processor, 4 cores, no accelerator, Linux",
        "0123456789ab with changes",
        "2 of 5 stages say how long they took: 4 min 13 s",
        "2.14.0, 2.13.0",
        "<code>data/unique.h5</code> md5:0a1b",
        "<code>results/curves/bedrooms.csv</code> md5:",
        "data/&lt;b&gt;.h5",
        "train.bedrooms:\n  epochs: 3",
        '<tr id="stage-train-dcgan-bedrooms" class="described">',
        'Made by <a href="#stage-train-dcgan-bedrooms"><code>train_dcgan@bedrooms</code></a>',
    ):
        assert part in text
    assert "results/report.html" in render(results, stages, "Test")
    assert "No stage has left an account" in render(results, stages, "Test", account_of(results, {}))


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (61, "1 min 01 s"), (7260, "2 h 01 min")]
)
def test_durations_as_words(seconds: float, text: str) -> None:
    assert in_words(seconds) == text


def test_pictures_give_way_until_the_page_can_be_mailed(
    results: Path, stages: dict[str, Stage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    write_png(results / "results/figures/walk_bedrooms.png", noise)
    path = tmp_path / "out.html"
    size = len(render(results, stages, "Test").encode()) / 1e6
    write_report(path, results, stages, Report(title="Test", max_megabytes=size))
    assert "WebP" not in path.read_text()
    write_report(path, results, stages, Report(title="Test", max_megabytes=size / 2))
    text = path.read_text()
    assert "image/png" not in text and "(WebP, quality" in text and path.stat().st_size <= 1e6 * size / 2
    with pytest.raises(InputError, match=r"the report has 0\.\d MB however its pictures are compressed"):
        write_report(path, results, stages, Report(title="Test", max_megabytes=0.01))


def test_a_moving_picture_still_moves_when_it_is_compressed(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:], duration=[100, 100, 900], loop=0)
    found = picture((tmp_path / "a.png").read_bytes(), "animation_bedrooms.png", "Training", QUALITIES[2])
    assert (found.moves, found.name, found.width) == (True, "animation bedrooms", 8)
    with Image.open(io.BytesIO(base64.b64decode(found.uri.partition(",")[2]))) as image:
        assert image.format == "WEBP" and image.n_frames == 3
    with pytest.raises(InputError, match="a.png: not a readable PNG"):
        picture(b"GIF89a", "a.png", "")


def test_stand_ins_are_named() -> None:
    assert stand_ins({"a": {"source": "data/demo/x"}, "b": ["data/raw/y", 3, "data/demo/z"]}) == {
        "data/demo/x",
        "data/demo/z",
    }


def test_a_stage_without_a_sentence_says_nothing() -> None:
    assert describe("export_lsun@0").measured({}) == ""
    assert "20.0 % error" in describe("evaluate_svm@cifar10").measured(SVM)


@pytest.mark.parametrize(
    ("stage_name", "metrics", "text"),
    [
        ("evaluate_svm@mine", {**SVM, "cost_at_edge": False, "random_weights_error": 0.5}, "20.0 % error, 50.0 % with"),
        ("select_supervised_cnn@x", {"error": 0.2, "n_trials": 4}, "20.0 % validation error, best of 4 trials"),
        ("join_faces@mine", {"n_kept": 20, "n_photos": 30}, "20 faces from 30 photos"),
        (
            "evaluate_neighbours@mine",
            {"error": 0.2, "n_samples": 500, "real_error": 0.1, "n_real": 400},
            "20.0 % error with 500 samples, 10.0 % with 400 real images",
        ),
        (
            "drop_duplicates@mine",
            {"n_removed": 1, "n_images": 10, "share_removed": 0.1},
            "1 of 10 images dropped as duplicates, 10.0 %",
        ),
    ],
)
def test_where_nothing_was_published_nothing_is_said_of_it(
    stage_name: str, metrics: dict[str, float], text: str
) -> None:
    """Of data that are not the paper's: null in params.yaml."""
    nothing = dict.fromkeys(("published", "published_boxes", "published_share"))
    sentence = describe(stage_name).measured(metrics | nothing)
    assert sentence.startswith(text) and "published" not in sentence
    assert {published for _, _, published in pairs(metrics | nothing)} == {""}


def test_a_cost_at_the_end_of_its_grid_is_told() -> None:
    """Of trained and of random weights: a wider grid might help either."""
    edges = [
        {"cost_at_edge": one, "random_weights_cost_at_edge": other} for one, other in ((True, False), (False, True))
    ]
    said = [describe("evaluate_svm@cifar10").measured(SVM | edge) for edge in edges]
    assert said[0].index("C at the end of its grid") < said[0].index("with random weights")
    assert said[1].endswith("with random weights, C at the end of its grid") and said[1].count("C at") == 1


def test_summary_has_a_line_a_number(results: Path, stages: dict[str, Stage]) -> None:
    table_1 = "Table 1, CIFAR-10: 20.0 % error (published 17.2 %), 50.0 % with random weights"
    assert list(sentence_lines(results, stages)) == [table_1]
    (results / "results/metrics/walk.json").write_text(json.dumps({"roughness": 2, "roughness_if_memorized": 4}))
    stages["draw_walk@bedrooms"] = stage("draw_walk@bedrooms", ["results/metrics/walk.json"])
    (line,) = set(sentence_lines(results, stages)) - {table_1}
    assert line.startswith("Figure 4, latent walk: largest step 2.0 times the mean step")
