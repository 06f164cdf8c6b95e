"""The page of annotating in two windows, after a reload, without a server, and with the generators beside it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dcgan.core.seeding import torch_generator
from dcgan.models.architectures import ARCHITECTURES
from dcgan.models.networks import Generator
from stages.explore_networks import main
from tests.annotating import CONCEPTS, N_SAMPLES, drag, make_project, says, served
from tests.browser import SCREENS, faint_texts
from workflow.annotation.file import annotation_tasks, empty_annotations, read_annotations
from workflow.params.load import load_params

CONFLICT = "Not saved: sample 1 was changed elsewhere meanwhile; this is what is there now"
CENTRE = ((0.25, 0.25), (0.75, 0.75))
COUNT_BOXES = "all => all.map(one => one.querySelectorAll('.box').length)"
DRAWN = "async () => { while (working) await new Promise(done => setTimeout(done, 10)); }"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def address(project: Path) -> Iterator[str]:
    with served(project) as address:
        yield address


@pytest.fixture(scope="module")
def file(project: Path) -> str:
    """The address of the page that opens without a server."""
    out = project / "explore.html"
    paths = {"params": "params.yaml", "networks": "networks", "weights": "window_maps"}
    main([*(part for name, path in paths.items() for part in (f"--{name}", str(project / path))), "--out", str(out)])
    return out.as_uri()


@pytest.fixture(autouse=True)
def nothing_annotated(project: Path) -> None:
    for name in ("bedrooms", "faces"):
        (project / f"{name}.json").unlink(missing_ok=True)


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    """A browser of its own, of 1280 x 900 pixels; what it complains of fails the test."""
    complaints: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.on("console", lambda message: complaints.append(message.text))
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    yield context
    context.close()
    assert [text for text in complaints if "409 (CONFLICT)" not in text] == []


def opened(context: Any, address: str) -> Any:
    page = context.new_page()
    page.goto(address)
    says(page, "All changes are saved")
    return page


def boxes_on(page: Any) -> list[int]:
    found: list[int] = page.locator(".sample svg").evaluate_all(COUNT_BOXES)
    return found


def images_in(path: Path) -> list[int]:
    return sorted(box["image"] for box in json.loads(path.read_text())["boxes"])


def test_a_window_that_is_behind_loses_nothing_and_shows_what_is_there(
    context: Any, address: str, project: Path
) -> None:
    one, two = opened(context, address), opened(context, address)
    two.evaluate("load = async () => {}")  # it does not look again when it gets the focus
    drag(one, 0, *CENTRE)
    says(one, "Saved")
    kept = (project / "bedrooms.json").read_bytes()
    drag(two, 0, (0.1, 0.1), (0.3, 0.3))
    says(two, CONFLICT)
    assert (project / "bedrooms.json").read_bytes() == kept and boxes_on(two)[:2] == [1, 0]
    two.keyboard.press("u")
    says(two, "Nothing to undo")
    drag(two, 1, *CENTRE)  # of another sample
    says(two, "Saved")
    drag(one, 2, *CENTRE)  # this window has not seen that one yet
    says(one, "Saved")
    assert images_in(project / "bedrooms.json") == [0, 1, 2] and boxes_on(one)[:4] == [1, 1, 1, 0]


def test_undo_outlives_a_reload_but_not_another_windows_change(context: Any, address: str, project: Path) -> None:
    page = opened(context, address)
    for number in (0, 1):
        drag(page, number, *CENTRE)
    says(page, "Saved")
    page.reload()
    says(page, "All changes are saved")
    page.get_by_role("button", name="Undo").click()
    says(page, "Saved")
    assert images_in(project / "bedrooms.json") == [0]
    other = opened(context, address)
    drag(other, 0, (0.5, 0.5), (0.6, 0.6))  # moves it
    says(other, "Saved")
    page.reload()
    says(page, "All changes are saved")
    page.keyboard.press("u")
    says(page, CONFLICT)
    assert images_in(project / "bedrooms.json") == [0] and boxes_on(page)[0] == 1


@pytest.mark.parametrize("place", ["address", "file"])
def test_undo_goes_back_to_the_beginning(context: Any, place: str, request: pytest.FixtureRequest) -> None:
    page = opened(context, request.getfixturevalue(place))
    drag(page, 3, *CENTRE)
    page.get_by_role("button", name="faces", exact=True).click()
    page.keyboard.press("2")
    page.locator(".sample").nth(7).click()
    page.reload()
    for network in ("bedrooms", "faces"):
        page.get_by_role("button", name=network, exact=True).click()
        assert page.evaluate("undoable.length") == 1
        page.get_by_role("button", name="Undo").click()
        says(page, "Saved")
        assert page.evaluate("[annotations.boxes, Object.values(annotations.concepts).flat()]") == [[], []]


def test_progress_counts_what_the_paper_had(context: Any, address: str) -> None:
    page = opened(context, address)
    missing = page.locator("#missing")
    assert missing.inner_text() == "The figures still need window boxes: 0 of 1."
    drag(page, 0, *CENTRE)
    page.get_by_role("button", name="window boxes: 1 of 52", exact=True).wait_for()
    assert missing.inner_text() == "The figures can be drawn. The paper had more: window boxes: 1 of 52."
    page.evaluate("setBoxes(1, Array.from({ length: 51 }, (_, n) => ({ x: n / 2, y: 1, width: 2, height: 2 })))")
    page.get_by_role("button", name="window boxes: 52 of 52", exact=True).wait_for()
    assert missing.inner_text() == "Nothing is missing: as many as the paper had."
    page.get_by_role("button", name="faces", exact=True).click()
    page.get_by_role("button", name="looking left: 0 of 4", exact=True).wait_for()
    needs = [f"{concept}: 0 of 1" for concept in (*CONCEPTS, "looking left", "looking right")]
    assert missing.inner_text() == f"The figures still need {'; '.join(needs)}."


def test_exemplars_are_played_with_and_what_is_played_with_becomes_exemplars(
    context: Any, address: str, project: Path
) -> None:
    page = opened(context, address)
    page.get_by_role("button", name="faces", exact=True).click()
    for number, concept in enumerate(CONCEPTS):
        page.keyboard.press(str(number + 1))
        page.locator(".sample").nth(3 * number + 1).click()
        page.get_by_role("button", name=f"{concept}: 1 of 3").wait_for()
    page.get_by_role("button", name=f"Show {CONCEPTS[0]} \u2212 {CONCEPTS[1]} + {CONCEPTS[2]}").click()
    assert page.evaluate("[state.network, state.a, state.b, state.c]") == ["faces", ["hand.1"], ["hand.4"], ["hand.7"]]
    page.evaluate(DRAWN)
    assert page.locator("#panel canvas").count() == 9
    assert page.locator("#grid .cell").count() == 6 and page.evaluate("sampleId(0)") == "hand.0"
    page.locator("#grid .cell").nth(5).click()  # into A, as a second one
    keep = page.get_by_role("button", name=f"Keep A, B, C as {', '.join(CONCEPTS)}")
    keep.click()
    page.locator("#keep-a").get_by_text("Saved").wait_for()
    concepts = json.loads((project / "faces.json").read_text())["concepts"]
    assert concepts == dict(zip(CONCEPTS, ([1, 5], [4], [7]), strict=True))
    page.get_by_label("new", exact=True).check()
    page.locator("#grid .cell").first.click()
    keep.click()
    page.locator("#keep-a").get_by_text(
        "Not kept: choose one or more of the 12 samples of faces to annotate"
    ).wait_for()
    assert json.loads((project / "faces.json").read_text())["concepts"] == concepts


def test_the_page_draws_the_very_samples_that_are_annotated(context: Any, address: str) -> None:
    """To within one grey level: weights are float16 in the page, and the server's pixels are the network's own."""
    page = opened(context, address)
    for number, name in enumerate(("bedrooms", "faces")):
        page.evaluate(f"location.hash = '#network={name}&draw=hand&seed=2'; fromAddress()")
        page.evaluate(DRAWN)
        ids = page.evaluate("[...find('grid').children].map((_, index) => sampleId(index))")
        assert ids == [f"hand.{index}" for index in range(6, 12)]
        drawn = np.array(page.evaluate("[6, 11].map(n => [...samplePixels(`hand.${n}`)])"), np.uint8)
        for pixels, sample in zip(drawn.reshape(2, 32, 32, 4), (6, 11), strict=True):
            png = page.request.get(f"{address}desks/{number}/samples/{sample}.png").body()
            own = cv2.cvtColor(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
            assert np.abs(pixels[..., :3].astype(int) - own).max() <= 1 and own.std() > 1


def test_without_a_server_the_page_offers_the_same_file(context: Any, file: str, project: Path) -> None:
    context.set_offline(True)
    page, other = opened(context, file), opened(context, file)
    drag(page, 0, (0.25, 0.25), (0.75, 0.5))
    says(page, "Saved")
    drag(other, 1, *CENTRE)
    says(other, "Saved")
    other.evaluate("annotations = { boxes: [], concepts: {} }")  # a window that is behind
    drag(other, 0, *CENTRE)
    says(other, CONFLICT)
    page.reload()
    says(page, "All changes are saved")
    assert boxes_on(page) == [1, 1] + [0] * (N_SAMPLES - 2)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download bedrooms.json").click()
    assert download.value.suggested_filename == "bedrooms.json"
    download.value.save_as(project / "bedrooms.json")
    drawing = annotation_tasks(load_params(project / "params.yaml"))[0].drawing
    empty = empty_annotations(project / "networks/bedrooms/generator.safetensors", 32, drawing)
    found = read_annotations(project / "bedrooms.json", empty)
    assert [(box.image, round(box.x), round(box.width)) for box in found.boxes] == [(0, 8, 16), (1, 8, 16)]
    context.set_offline(False)
    with served(project) as address:
        assert boxes_on(opened(context, address))[:3] == [1, 1, 0]


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
@pytest.mark.parametrize("place", ["address", "file"])
def test_the_page_fits_the_screen_and_can_be_read(
    browser: Any, place: str, width: int, scheme: str, request: pytest.FixtureRequest
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(request.getfixturevalue(place))
    says(page, "All changes are saved")
    drag(page, 0, *CENTRE)
    page.get_by_role("button", name="faces", exact=True).click()
    says(page, "All changes are saved")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert faint_texts(page) == []
    page.close()


def test_buttons_say_what_they_are_and_whether_they_are_pressed(context: Any, address: str) -> None:
    page = opened(context, address)
    page.get_by_role("button", name="faces", exact=True).click()
    page.keyboard.press("2")
    page.locator(".sample").nth(2).click()
    says(page, "Saved")
    tree = page.locator("#annotating").aria_snapshot().replace("'", "")
    for line in (
        'group "Network to annotate"',
        'button "faces" [pressed]',
        'group "What to do"',
        'button "smiling woman: 0 of 3"',
        'button "neutral woman: 1 of 3" [pressed]',
        'slider "Size"',
        'button "Undo"',
        'group "Samples to annotate"',
        'button "sample 3, neutral woman" [pressed]',
        'button "sample 4"',
    ):
        assert f"- {line}\n" in tree or f"- {line}:" in tree, f"{line} in {tree}"
    assert "Remove box" not in tree and "Download" not in tree
    page.get_by_role("button", name="bedrooms", exact=True).click()
    page.locator(".sample").first.focus()
    page.keyboard.press("n")
    says(page, "Saved")
    tree = page.locator("#annotating").aria_snapshot()
    assert (
        '- button "sample 1, 1 box, box 1 chosen"' in tree
        and '- button "Remove box"\n' in tree
        and "Play with" not in tree
    ), tree


def test_samples_can_be_annotated_even_if_a_browser_cannot_draw_them(context: Any, tmp_path: Path) -> None:
    """The page then says why there is nothing to play with."""
    project = make_project(tmp_path)
    for name in ("bedrooms", "faces"):
        generator = Generator(replace(ARCHITECTURES["demo32"], resampling="pooled"))
        generator.initialize(torch_generator(3, name)).save(project / f"networks/{name}/generator.safetensors", {})
    with served(project) as address:
        page = opened(context, address)
        assert "faces is left out: demo32: only fractionally strided" in page.locator("header").inner_text()
        assert page.get_by_role("link", name="Arithmetic").count() == 0
        drag(page, 0, *CENTRE)
        says(page, "Saved")
        page.get_by_role("button", name="faces", exact=True).click()
        page.get_by_role("button", name="looking left: 0 of 4").wait_for()
        assert page.get_by_role("button", name="Show smiling woman").count() == 0
        page.close()
    assert images_in(project / "bedrooms.json") == [0]
