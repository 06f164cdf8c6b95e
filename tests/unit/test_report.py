"""The report: tables beside the paper's, only what the DAG made, one self-contained page, the same bytes again."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from dcgan.files import InputError
from dcgan.pixels import write_png
from workflow.comparison import compare, pairs
from workflow.curves import chart
from workflow.dag import Stage
from workflow.findings import sentence
from workflow.published import TABLES
from workflow.report import render, stand_ins
from workflow.summary import finding_lines, table_lines

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PARAMS = "run: {seed: 42}\nexport: {source: data/demo/bedrooms}\nreport: {title: Test}\n"
DEVIATIONS = "# Title\n\n| what | here |\n|---|---|\n| seed | `run: 42`, <always> |\n"
WINDOWS = {"share_with_window": 0.6, "share_with_window_without_maps": 0.1, "maps_dropped": 20, "maps": 64}
WINDOWS |= {"share_with_window_without_random_maps": 0.5, "judged_by": "judge"}
SVM = {"error": 0.2, "interval": 0.01, "published": 0.172, "random_weights_error": 0.5, "n_features": 3584}


def stage(name: str, outputs: list[str], caption: str = "") -> Stage:
    return Stage(name, f"Does {name}", "true", [], [], outputs, {}, 1, 0, 100, 10, False, caption)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder as a run leaves it, with a stale picture in it."""
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/deviations.md").write_text(DEVIATIONS)
    for folder in ("metrics", "figures/training/bedrooms", "curves"):
        (tmp_path / "results" / folder).mkdir(parents=True)
    (tmp_path / "results/metrics/svm_cifar10.json").write_text(json.dumps(SVM))
    picture = np.full((40, 900, 3), 200, np.uint8)
    for name in ("walk_bedrooms", "stale", "training/bedrooms/epoch-0001", "training/bedrooms/epoch-0005"):
        write_png(tmp_path / f"results/figures/{name}.png", picture)
    curve = pd.DataFrame({"epoch": [1, 2, 3], "d_loss": [1.2, 1.0, None], "g_loss": [0.7, 0.9, 1.1]})
    curve.to_csv(tmp_path / "results/curves/bedrooms.csv", index=False)
    return tmp_path


@pytest.fixture
def stages() -> dict[str, Stage]:
    found = [
        stage("train_dcgan@bedrooms", ["results/figures/training/bedrooms", "results/curves/bedrooms.csv"]),
        stage("evaluate_svm@cifar10", ["results/metrics/svm_cifar10.json"]),
        stage("draw_walk@bedrooms", ["results/figures/walk_bedrooms.png"], "As Figure 4: <one> strip & more"),
        stage("build_report", ["results/report.html"]),
    ]
    return {one.name: one for one in found}


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
        if tag not in {"meta", "link", "img", "line", "polyline", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_holds_what_the_dag_made_and_nothing_else(results: Path, stages: dict[str, Stage]) -> None:
    page = Page(render(results, stages, "Test"))
    assert len(page.images) == 3
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
    assert all(image["alt"] for image in page.images)
    assert page.headings[0] == 1 and page.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(page.headings, page.headings[1:], strict=False))
    assert len(page.identifiers) == len(set(page.identifiers))
    assert 'lang="en"' in text and text.count("<th scope=") > 10 and text.count("<caption>") >= 3


def test_text_of_others_is_escaped(results: Path, stages: dict[str, Stage]) -> None:
    text = render(results, stages, "A <b> title")
    assert "As Figure 4: &lt;one&gt; strip &amp; more" in text
    assert "<title>A &lt;b&gt; title</title>" in text


def test_deviations_are_in_it(results: Path, stages: dict[str, Stage]) -> None:
    text = render(results, stages, "Test")
    assert "<td><code>run: 42</code>, &lt;always&gt;</td>" in text
    (results / "docs/deviations.md").write_text("no table")
    with pytest.raises(InputError, match="no table"):
        render(results, stages, "Test")


def test_the_judge_s_accuracy_stands_beside_the_figure(results: Path, stages: dict[str, Stage]) -> None:
    (results / "results/metrics/windows_bedrooms.json").write_text(json.dumps(WINDOWS))
    (results / "results/metrics/judge.json").write_text(json.dumps({"image_accuracy": 0.987, "images": 800}))
    stages |= {
        name: stage(name, [f"results/metrics/{file}.json"])
        for name, file in (("draw_windows@bedrooms", "windows_bedrooms"), ("fit_window_judge@bedrooms", "judge"))
    }
    assert "The judge:" not in render(results, stages, "Test")  # a figure that rests on a person's annotations
    by_judge = replace(stages["draw_windows@bedrooms"], dependencies=["results/metrics/judge.json"])
    text = render(results, stages | {by_judge.name: by_judge}, "Test")
    assert "60 % of samples have a window" in text
    assert "The judge: right about a window in 98.7 % of 800 real images" in text


def test_same_results_give_the_same_bytes_anywhere(
    results: Path, stages: dict[str, Stage], tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "copy"
    shutil.copytree(results, elsewhere)
    text = render(results, stages, "Test")
    assert render(elsewhere, stages, "Test") == text
    assert str(results) not in text


def test_table_has_our_row_after_the_quoted_one_with_the_difference() -> None:
    table = compare(TABLES[0], {"svm_cifar10": SVM})
    place = next(number for number, line in enumerate(table.lines) if not line.quoted)
    assert table.lines[place - 1].model == "DCGAN + L2-SVM"
    assert table.lines[place - 1].cells[0].text == "82.8"
    first, second = table.lines[place].cells
    assert (first.text, first.difference, first.judgement) == ("80.0 ± 1.0", "−2.8", "worse")
    assert second.text == ""
    assert table.lines[place].features == "3,584"
    assert not compare(TABLES[0], {}).has_ours


def test_less_error_is_better() -> None:
    table = compare(TABLES[1], {"svm_svhn": SVM})
    ours = next(line for line in table.lines if not line.quoted)
    assert (ours.cells[0].difference, ours.cells[0].judgement) == ("−2.5", "better")


def test_published_values_stand_beside_ours() -> None:
    metrics = {"error": 0.25, "published": 0.2248, "n_draws": 100, "maps_dropped": 30, "maps_dropped_published": 200}
    assert list(pairs(metrics)) == [("error", "0.25", "0.2248"), ("n draws", "100", ""), ("maps dropped", "30", "200")]


def test_curves_end_where_their_values_do(results: Path) -> None:
    drawing = chart(results / "results/curves/bedrooms.csv", "Losses", "epoch", ("d_loss", "g_loss", "absent"))
    assert drawing is not None
    assert [curve.name for curve in drawing.curves] == ["d loss", "g loss"]
    assert [len(curve.points.split()) for curve in drawing.curves] == [2, 3]
    heights = [float(point.split(",")[1]) for point in drawing.curves[1].points.split()]
    assert heights == sorted(heights, reverse=True)
    assert drawing.curves[1].last == "1.1"
    assert chart(results / "results/curves/bedrooms.csv", "None", "epoch", ("absent",)) is None


def test_stand_ins_are_named() -> None:
    assert stand_ins({"a": {"source": "data/demo/x"}, "b": ["data/raw/y", 3, "data/demo/z"]}) == {
        "data/demo/x",
        "data/demo/z",
    }


def test_a_stage_without_a_sentence_says_nothing() -> None:
    assert sentence("export_lsun@0", {}) == ""
    assert "20.0 % error" in sentence("evaluate_svm@cifar10", SVM)


def test_summary_has_a_line_a_number(results: Path, stages: dict[str, Stage]) -> None:
    lines = [*table_lines(results, stages), *finding_lines(results, stages)]
    assert lines == ["Table 1, DCGAN + L2-SVM: accuracy 80.0 ± 1.0 % (paper: 82.8)"]


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("width", [390, 1200])
def test_page_fits_the_screen(results: Path, stages: dict[str, Stage], tmp_path: Path, width: int) -> None:
    """Nothing is wider than the screen, every picture is there, and the screenshot is not blank."""
    probe = (
        "<script>const root = document.documentElement; const images = [...document.images];"
        "document.title = JSON.stringify({wide: root.scrollWidth - root.clientWidth,"
        "broken: images.filter(image => !image.naturalWidth).length})</script></body>"
    )
    page = tmp_path / "report.html"
    page.write_text(render(results, stages, "Test").replace("</body>", probe))
    options = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    options += f" --disable-component-update --disable-sync --user-data-dir={tmp_path / 'profile'}"
    size = f"--window-size={width},2000"
    command = [str(CHROMIUM), *options.split(), size]
    command += ["--enable-logging=stderr"]
    found = subprocess.run(
        [*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=60, check=True
    )
    assert "CONSOLE" not in found.stderr
    title = re.search(r"<title>(.*?)</title>", found.stdout)
    assert title is not None and json.loads(title[1]) == {"wide": 0, "broken": 0}
    picture = tmp_path / "page.png"
    subprocess.run([*command, f"--screenshot={picture}", page.as_uri()], capture_output=True, timeout=60, check=True)
    pixels = cv2.imread(str(picture))
    assert pixels is not None and pixels.shape[1] == width and pixels.std() > 5
