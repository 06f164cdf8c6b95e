"""The project's pages in a real browser: on a phone and on a desk, by day and by night, by keyboard."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from tests.browser import SCREENS, faint_texts
from workflow.claims.seeds import by_seed, over_seeds
from workflow.claims.words import CLAIMS, lines, read_claims
from workflow.engines.dag import Stage
from workflow.experiments.compare import rows_of
from workflow.experiments.revisions import Revision
from workflow.report.collect import charts_of, render
from workflow.report.page import fill_template
from workflow.report.run_history import account_of


@pytest.fixture
def pages(results: Path, stages: dict[str, Stage], tmp_path: Path) -> dict[str, Path]:
    """A report with an account of its run, and a comparison with a long name, a missing picture and many columns."""
    folder = results / "results/provenance"
    folder.mkdir()
    record = {"command": "true", "parameters": {}, "seconds": 5, "packages": {"torch": "2.14.0"}}
    for name in stages:
        (folder / f"{name}.json").write_text(json.dumps(record))
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
        claims=rows_of([{"heads_turn": verdict} for verdict in ("holds", "fails", "undecided")]),
        parameters=rows_of(values),
        groups={"quality": rows_of(values), "same": rows_of([{"a": 1}] * 3)},
        charts=list(charts_of(results, stages["train_dcgan@bedrooms"])),
        grids=[{"same": False, "title": "Samples", "latents": "Cell by cell the same z.", "shown": [absent] * 3}],
    )
    claims = pd.concat([read_claims(results / CLAIMS).assign(seed=seed) for seed in (1, 2)])
    over = fill_template("replicates.html.j2", title="Claims", claims=lines(over_seeds(claims)), seeds=by_seed(claims))
    found = {
        "replicates": over,
        "report": render(results, stages, "Test", account_of(results, stages.values())),
        "compare": comparison,
    }
    for name, text in found.items():
        (tmp_path / f"{name}.html").write_text(text)
    return {name: tmp_path / f"{name}.html" for name in found}


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
