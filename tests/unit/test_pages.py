"""The project's pages in a real browser: on a phone and on a desk, by day and by night, by keyboard."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from PIL import Image

from dcgan.core.files import read_json, write_json
from dcgan.core.pixels import tile, write_png
from dcgan.internals.figure_layout import title
from tests.browser import SCREENS, faint_texts
from tests.dag.demo import DEMO, ROOT, demo_stages
from tests.unit.conftest import leave_sidecar, make_results, make_stages
from workflow.claims.seeds import by_seed, over_seeds
from workflow.claims.words import CLAIMS, lines, read_claims
from workflow.description import describe, item_of
from workflow.experiments.compare import claims_side_by_side, rows_of
from workflow.experiments.revisions import Revision
from workflow.report.collect import EXPLORE, render
from workflow.report.page import fill_template
from workflow.report.reference import METRICS, SEEDS
from workflow.report.results import charts_of
from workflow.report.run_history import Account, account_of


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A report with an account of its run, and a comparison with a long name, a missing picture and many columns."""
    results, stages = make_results(tmp_path_factory.mktemp("results")), make_stages()
    small, large = [1.1e-4, 1.4e-4, 1.75e-4], [1, 60_000, 120_000]
    curves = pd.DataFrame({"epoch": large, "d_loss": small, "g_loss": small, "spread": large})
    curves.to_csv(results / "results/curves/bedrooms.csv", index=False)
    image = np.full((1, 100, 100, 3), 200, np.uint8)
    write_png(results / "results/figures/walk_bedrooms.png", title("samples", tile(image, 1, padding=20)))
    drawing = Image.new("RGBA", (1440, 380), "white")  # as matplotlib writes them
    drawing.save(results / "results/figures/svm_cifar10.png")
    svm = stages["evaluate_svm@cifar10"]
    stages[svm.name] = replace(svm, outputs=[*svm.outputs, "results/figures/svm_cifar10.png"])
    for one in stages.values():
        leave_sidecar(results, one, packages={"torch": "2.14.0"})
    names = ["HEAD", "an-experiment-with-a-rather-long-name", "workspace"]
    values: list[dict[str, Any]] = [
        {"train.bedrooms.learning_rate": 0.1 * number, "run.seed": 42} for number in (1, 2, 3)
    ]
    absent = {"picture": None, "absence": "Not at hand.", "revision": names[1], "epoch": ""}
    comparison = fill_template(
        "compare.html.j2",
        title=" and ".join(names),
        states=[
            (Revision(name, "0" * 40, "2020-01-01", {}, None), "2020-01-01", ["dcgan/training/loop.py"])
            for name in names
        ],
        claims=claims_side_by_side([{"heads_turn": "holds"}, {}, {"heads_turn": "undecided"}]),
        unjudged=[names[1]],
        parameters=rows_of(values),
        groups={"quality": rows_of(values), "same": rows_of([{"a": 1}] * 3)},
        charts=list(charts_of(results, stages["train_dcgan@bedrooms"])),
        grids=[{"same": False, "title": "Samples", "latents": "Cell by cell the same z.", "shown": [absent] * 3}],
    )
    claims = pd.concat([read_claims(results / CLAIMS).assign(seed=seed) for seed in (1, 2)])
    over = fill_template("replicates.html.j2", title="Claims", claims=lines(over_seeds(claims)), seeds=by_seed(claims))
    expected = {"heads_turn": ["holds in 4 of 5 seeds", "steady turns against random directions: 60.0 % to 70.0 %"]}
    found = {
        "replicates": over,
        "report": render(results, stages, "Test", account_of(results, stages), expected=expected),
        "compare": comparison,
        "demo": report_of_the_demo(tmp_path_factory.mktemp("demo")),
    }
    for name, text in found.items():
        (results / f"{name}.html").write_text(text)
    return {name: results / f"{name}.html" for name in found}


def report_of_the_demo(root: Path) -> str:
    """A report with the claims and metrics of the reference run, and grey pictures where README's are."""
    (root / "params.yaml").write_text(DEMO.read_text())
    for name, found in read_json(ROOT / METRICS).items():
        write_json(root / f"results/metrics/{name}.json", found)
    claims = pd.read_csv(ROOT / SEEDS)
    claims[claims.seed == 1].drop(columns=["seed", "parameters"]).to_csv(root / CLAIMS, index=False)
    stages = demo_stages()
    for stage in stages.values():
        for path in stage.outputs:
            if path.endswith(".png") and item_of(stage.name) in describe(stage.name).pictured:
                write_png(root / path, np.full((400, 900, 3), 90, np.uint8))
    (root / EXPLORE).write_text("<html>")
    return render(root, stages, "DCGAN, the whole paper", Account({}, {}))


@pytest.fixture
def shown(browser: Any, pages: dict[str, Path]) -> Iterator[Callable[..., Any]]:
    """Opens a page without a network; what the browser complains of, or asks for beside the page, fails the test."""
    complaints: list[str] = []
    contexts = []

    def show(name: str, width: int, scheme: str) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if wanted(request.url, pages) else None)
        page.goto(pages[name].as_uri())
        return page

    yield show
    for context in contexts:
        context.close()
    assert complaints == []


def wanted(url: str, pages: dict[str, Path]) -> bool:
    """Whether a request goes beyond the page itself."""
    return not url.startswith("data:") and url not in {path.as_uri() for path in pages.values()}


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
@pytest.mark.parametrize("name", ["report", "compare", "replicates"])
def test_page_fits_the_screen_and_can_be_read(shown: Callable[..., Any], name: str, width: int, scheme: str) -> None:
    """Nothing is wider than the screen, every picture is there, all text stands out, the screenshot is not blank."""
    page = shown(name, width, scheme)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert page.evaluate("[...document.images].filter(image => !image.naturalWidth).length") == 0
    assert faint_texts(page) == []
    pixels = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None and pixels.shape[1] == width and pixels.std() > 5
    assert (float(pixels.mean()) > 128) == (scheme == "light")


@pytest.mark.parametrize("name", ["report", "compare", "replicates"])
def test_page_can_be_used_by_keyboard_and_by_ear(shown: Callable[..., Any], name: str) -> None:
    page = shown(name, 390, "light")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the results"
    page.keyboard.press("Enter")
    page.wait_for_url("**#content")
    landmarks = page.evaluate("['header', 'nav', 'main', 'h1'].map(name => document.querySelectorAll(name).length)")
    assert landmarks == [1, 1, 1, 1]
    # What can be scrolled sideways can be reached by keyboard and has a name.
    assert page.evaluate(
        "[...document.querySelectorAll('*')].filter(one => one.scrollWidth > one.clientWidth + 1 && "
        "['auto', 'scroll'].includes(getComputedStyle(one).overflowX))"
        ".every(one => one.tabIndex === 0 && one.ariaLabel)"
    )


IN_VIEW = """place => { const {top, bottom} = document.getElementById(place).getBoundingClientRect();
  return top >= 0 && bottom <= innerHeight; }"""
SEEN = "place => document.getElementById(place).checkVisibility({contentVisibilityAuto: true})"


def test_first_screen_says_what_was_run_what_holds_and_shows_pictures(shown: Callable[..., Any]) -> None:
    page = shown("report", 1280, "light")
    assert [page.evaluate(IN_VIEW, place) for place in ("sets", "claims", "pictures")] == [True] * 3
    assert page.locator(".verdicts td").first.text_content() == "holds"
    assert [image.bounding_box()["y"] < 900 for image in page.locator(".small img").all()] == [True] * 2


def test_first_screen_of_the_demo_has_all_its_verdicts(shown: Callable[..., Any]) -> None:
    """As many claims, networks and words as the reference run has."""
    page = shown("demo", 1280, "light")
    rows = page.locator(".verdicts tbody tr")
    assert rows.count() == 13 and page.get_by_text("This run uses stand-in data").is_visible()
    assert [page.evaluate(IN_VIEW, place) for place in ("sets", "claims", "pictures")] == [True] * 3
    beyond = [row.inner_text() for row in rows.all() if row.bounding_box()["y"] + row.bounding_box()["height"] > 900]
    assert beyond == []
    assert [image.bounding_box()["y"] < 900 for image in page.locator(".small img").all()] == [True] * 4


def test_chapters_are_folded_and_open_by_click_and_by_link(shown: Callable[..., Any]) -> None:
    """A page of 36,000 pixels was too long to be read; numbers stay closed in an open chapter."""
    page = shown("report", 390, "light")
    assert page.evaluate("document.documentElement.scrollHeight") < 3_500
    assert page.locator("details[open]").count() == 0 and not page.evaluate(SEEN, "draw-walk-bedrooms")
    page.click("summary:has(#title-training)")
    assert page.evaluate(SEEN, "train-dcgan-bedrooms") and page.locator("details[open]").count() == 1
    page.goto(f"{page.url.partition('#')[0]}#draw-walk-bedrooms")
    assert page.evaluate(SEEN, "draw-walk-bedrooms") and page.evaluate(IN_VIEW, "draw-walk-bedrooms")
    page.evaluate("scrollTo(0, 0)")
    page.click("nav a[href='#representations']")
    assert page.evaluate(SEEN, "tables") and page.evaluate(IN_VIEW, "title-representations")
    assert page.locator("details[open] details[open]").count() == 0


def test_chapters_are_open_in_print_and_numbers_closed(shown: Callable[..., Any]) -> None:
    page = shown("report", 1280, "light")
    page.emulate_media(media="print")
    places = page.locator(".inside").evaluate_all("all => all.map(one => one.id)")
    assert len(places) >= 6 and [page.evaluate(SEEN, place) for place in places] == [True] * len(places)
    assert page.get_by_label("Numbers of").first.is_hidden()


@pytest.mark.parametrize("name", ["report", "compare"])
def test_labels_of_charts_are_whole(shown: Callable[..., Any], name: str) -> None:
    """The last tick of 120,000 images, and small losses of seven characters."""
    page = shown(name, 1280, "light")
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    labels = page.evaluate("""[...document.querySelectorAll('.chart > svg text')].map(text => {
      const {x, y, width, height} = text.getBBox(), {width: w, height: h} = text.ownerSVGElement.viewBox.baseVal;
      return [text.textContent, x >= 0 && y >= 0 && x + width <= w && y + height <= h]; })""")
    assert {"0.00012", "100000"} <= {text for text, _ in labels}
    assert [text for text, whole in labels if not whole] == []


def test_what_is_wider_than_the_phone_fades_where_there_is_more(shown: Callable[..., Any]) -> None:
    page = shown("report", 390, "light")
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    sides = """one => ['--before', '--after'].map(side => parseFloat(getComputedStyle(one).getPropertyValue(side)))"""
    regions = {one.get_attribute("aria-label"): one for one in page.locator(".scroll").all()}
    table = regions["The paper's claims"]
    assert table.evaluate("one => one.scrollWidth > one.clientWidth") and table.evaluate(sides) == [0, 48]
    table.evaluate("one => { one.scrollLeft = one.scrollWidth / 2 - one.clientWidth / 2 }")
    page.wait_for_function(
        "one => parseFloat(getComputedStyle(one).getPropertyValue('--before')) == 48", arg=table.element_handle()
    )
    assert table.evaluate(sides) == [48, 48]
    table.evaluate("one => { one.scrollLeft = one.scrollWidth }")
    page.wait_for_function(
        "one => parseFloat(getComputedStyle(one).getPropertyValue('--after')) == 0", arg=table.element_handle()
    )
    narrow = [one for one in regions.values() if one.evaluate("one => one.scrollWidth <= one.clientWidth")]
    assert narrow and [one.evaluate(sides) for one in narrow] == [[0, 0]] * len(narrow)


def test_no_number_is_judged_by_a_colour(shown: Callable[..., Any]) -> None:
    """The page calls them incomparable; verdicts of claims alone have colours."""
    page = shown("demo", 1280, "light")
    colours = (
        "selector => [...new Set([...document.querySelectorAll(selector)].map(one => getComputedStyle(one).color))]"
    )
    rows = ".paper td, details details td:not(:has(.holds, .fails, .undecided, .not-run))"
    assert page.locator(".paper td").count() > 20 and len(page.evaluate(colours, rows)) == 1
    assert len(page.evaluate(colours, ".verdicts td span")) > 1


def test_drawings_and_grounds_are_dark_by_night_and_images_as_they_are(shown: Callable[..., Any]) -> None:
    def grey_levels(scheme: str, place: str) -> npt.NDArray[np.uint8]:
        page = shown("report", 1280, scheme)
        page.goto(f"{page.url.partition('#')[0]}#{place}")
        content = page.locator(f"article:has(#{place}) img").first.screenshot()
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert pixels is not None
        return np.asarray(pixels, np.uint8)

    light, dark = (grey_levels(scheme, "evaluate-svm-cifar10") for scheme in ("light", "dark"))
    assert np.median(light) > 250 and np.median(dark) < 40
    light, dark = (grey_levels(scheme, "draw-walk-bedrooms") for scheme in ("light", "dark"))
    assert light.shape == dark.shape
    assert light[94, 70] == dark[94, 70] == 200 and (light[34, 70], dark[34, 70]) == (255, 0)
    assert light[:24].min() < 150 and dark[:24].max() > 100, "letters are seen on both"
