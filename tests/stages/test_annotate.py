"""Annotating by hand, end to end in a real browser: draw boxes, choose samples, reload, and the figures are drawn."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
from werkzeug.test import Client

from tests.annotating import CONCEPTS, N_SAMPLES, drag, make_project, says, served
from workflow.annotation.annotate import open_app
from workflow.description import describe


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parameters whose Figures 6 to 8 rest on a person, and untrained generators."""
    return make_project(tmp_path_factory.mktemp("project"))


@pytest.fixture
def address(project: Path) -> Iterator[str]:
    with served(project) as address:
        yield address


def draw_figure(stage: str, name: str, project: Path) -> dict[str, Any]:
    """Runs a stage on what has been annotated; its metrics, once a picture and a sentence have come of it."""
    annotator, out = project / f"{name}.json", project / stage
    arguments = ["--params", str(project / "params.yaml"), "--name", name, "--annotator", str(annotator)]
    arguments += ["--generator", str(project / f"networks/{name}/generator.safetensors")]
    arguments += ["--images", str(project / "images.h5")] if stage == "draw_arithmetic" else []
    arguments += ["--figure", str(out / "figure.png"), "--metrics", str(out / "metrics.json")]
    arguments += ["--outcomes", str(out / "outcomes.h5")]
    arguments += ["--weights", str(out / "weights.json")] if stage == "draw_windows" else []
    importlib.import_module(f"stages.{stage}").main(arguments)
    assert cv2.imread(str(out / "figure.png")).std() > 5
    metrics: dict[str, Any] = json.loads((out / "metrics.json").read_text())
    assert metrics["annotated_by"] == "hand"
    return {**metrics, "sentence": describe(f"{stage}@{name}").measured(metrics)}


def annotate(page: Any, address: str) -> None:
    """Two boxes with the mouse, of which the keys move one; three samples by mouse and keys; then a reload."""
    page.goto(address)
    drag(page, 0, (0.25, 0.25), (0.75, 0.5))
    drag(page, 2, (0.5, 0.5), (1.2, 1.2))  # beyond the edge: cut off there
    page.keyboard.press("ArrowLeft")
    says(page, "Saved")
    page.get_by_role("button", name="faces", exact=True).click()
    page.get_by_role("button", name="smiling woman: 0 of 3").click()
    page.locator(".sample").nth(4).click()
    page.keyboard.press("2")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.keyboard.press("3")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.get_by_text("The figures still need looking left: 0 of 1; looking right: 0 of 1.").wait_for()
    page.reload()
    says(page, "All changes are saved")


def test_what_is_drawn_and_chosen_is_there_after_a_reload_and_figures_rest_on_it(
    browser: Any, project: Path, address: str
) -> None:
    wrong: list[str] = []
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    annotate(page, address)
    boxes = page.locator(".sample svg").evaluate_all("all => all.map(one => one.querySelectorAll('.box').length)")
    assert boxes == [1, 0, 1] + [0] * (N_SAMPLES - 3)
    page.get_by_role("button", name="faces", exact=True).click()
    page.get_by_role("button", name="sample 5, smiling woman").wait_for()
    words = page.locator(".sample .words").all_inner_texts()
    assert [words[4], words[5], words[6]] == list(CONCEPTS)
    for width in (390, 1200):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    page.close()
    assert wrong == []
    annotations = [json.loads((project / f"{name}.json").read_text()) for name in ("bedrooms", "faces")]
    assert [(box["image"], round(box["x"]), round(box["width"])) for box in annotations[0]["boxes"]] == [
        (0, 8, 16),
        (2, 15, 16),
    ]
    assert annotations[1]["concepts"] == dict(zip(CONCEPTS, ([4], [5], [6]), strict=True))
    assert "2 boxes on 17 %" in draw_figure("draw_windows", "bedrooms", project)["sentence"]
    assert draw_figure("draw_arithmetic", "faces", project)["sums_drawn"] == 1
    assert "still to be chosen: looking left: 0 of 1" in draw_figure("draw_turn", "faces", project)["sentence"]


def test_hostile_text_is_shown_as_text(browser: Any, tmp_path: Path) -> None:
    """What a person is to look for is a parameter, and may come from somebody else."""
    hostile = ["<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", '"><svg onload=alert(3)> & co']
    with served(make_project(tmp_path, hostile)) as address:
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        alerts: list[str] = []
        page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
        page.goto(address)
        page.get_by_role("button", name="faces", exact=True).click()
        for number, text in enumerate(hostile):
            page.get_by_role("button", name=f"{text}: 0 of 3").click()
            page.locator(".sample").nth(number).click()
            page.get_by_role("button", name=f"{text}: 1 of 3").wait_for()
        says(page, "Saved")
        assert page.locator(".sample .words").all_inner_texts()[:3] == hostile
        assert alerts == []
        assert page.locator("img[src=x], [onload], [onerror]").count() == 0
        assert page.locator("script:not([type])").count() == 1
        page.close()
    assert json.loads((tmp_path / "faces.json").read_text())["concepts"] == {
        text: [number] for number, text in enumerate(hostile)
    }


def test_the_mouse_moves_a_box_and_drags_its_corner(browser: Any, project: Path, address: str) -> None:
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    page.goto(address)
    for start, end in (((0.25, 0.25), (0.75, 0.5)), ((0.5, 0.375), (0.625, 0.5)), ((0.875, 0.625), (0.9375, 0.75))):
        with page.expect_response("**/boxes/5"):
            drag(page, 5, start, end)
    page.close()
    annotations = json.loads((project / "bedrooms.json").read_text())["boxes"]
    (box,) = [box for box in annotations if box["image"] == 5]
    # Drawn at 8, 8 with 16 x 8 pixels; moved by 4, 4; its lower right corner dragged by 2, 4.
    assert [box[key] for key in ("x", "y", "width", "height")] == pytest.approx([12, 12, 18, 12], abs=0.5)


def test_a_new_start_shows_the_same_samples_and_their_annotations(project: Path) -> None:
    """The file holds the seed of the samples, not the samples: they are drawn again."""
    (project / "bedrooms.json").unlink(missing_ok=True)
    box = {"x": 2.0, "y": 3.5, "width": 10.0, "height": 4.0}
    here = {"Host": "127.0.0.1:8765", "Origin": "http://127.0.0.1:8765"}
    before = Client(open_app(project / "params.yaml", project / "networks"))
    assert before.put("/desks/0/boxes/3", json={"boxes": [box], "before": []}, headers=here).status_code == 200
    after = Client(open_app(project / "params.yaml", project / "networks"))
    annotations = [client.get("/desks/0", headers=here).json for client in (before, after)]
    assert annotations[0] == annotations[1] and annotations[1]["boxes"]
    samples = [client.get("/desks/0/samples/3.png", headers=here).data for client in (before, after)]
    assert samples[0] == samples[1] != after.get("/desks/0/samples/4.png", headers=here).data
    (project / "bedrooms.json").unlink()


def test_a_finger_draws_on_the_chosen_sample_only(browser: Any, project: Path, address: str) -> None:
    """Elsewhere it scrolls; what cannot be saved is told and sent again."""
    (project / "bedrooms.json").unlink(missing_ok=True)
    page = browser.new_page(viewport={"width": 390, "height": 800}, has_touch=True)
    page.goto(address)
    says(page, "All changes are saved")
    samples = page.locator(".sample svg")
    styles = [samples.nth(n).evaluate("one => getComputedStyle(one).touchAction") for n in (0, 1)]
    assert styles == ["none", "auto"]
    page.locator(".sample").nth(1).tap()
    assert samples.nth(1).evaluate("one => getComputedStyle(one).touchAction") == "none"
    touch(page, 1, (0.25, 0.25), (0.75, 0.75))
    says(page, "Saved")
    assert [box["image"] for box in json.loads((project / "bedrooms.json").read_text())["boxes"]] == [1]
    page.route("**/boxes/*", lambda route: route.abort())
    page.keyboard.press("Delete")
    page.get_by_text("Not saved yet").wait_for()
    page.unroute("**/boxes/*")
    says(page, "Saved")
    page.close()
    assert json.loads((project / "bedrooms.json").read_text())["boxes"] == []


def touch(page: Any, number: int, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draws with a finger, through the browser's own input."""
    frame = page.locator(".sample svg").nth(number).bounding_box()
    points = [{"x": frame["x"] + x * frame["width"], "y": frame["y"] + y * frame["height"]} for x, y in (start, end)]
    input_of_browser = page.context.new_cdp_session(page)
    for kind, at in (("touchStart", points[:1]), ("touchMove", points[1:]), ("touchEnd", [])):
        input_of_browser.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})
