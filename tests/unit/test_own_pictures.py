"""A run on pictures of one's own: page and terminal say what was measured, and nothing of the paper's."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dcgan.core.pixels import write_png
from tests.browser import SCREENS, faint_texts
from tests.unit.conftest import leave_sidecar, stage
from workflow.claims.judge import judge_all, read_registry
from workflow.claims.words import CLAIMS
from workflow.description import describe
from workflow.engines.dag import Stage
from workflow.report.collect import render
from workflow.report.results import on_data_of_the_paper
from workflow.report.run_history import account_of
from workflow.report.summary import summary

TITLE = "A DCGAN of holidays"
COPIES = {"copied_share": 0.01, "copied_share_real": 0.012, "memorized": False, "p_value": 0.6}
WINDOWS = {"maps_dropped": 20, "maps_dropped_published": 200}


@pytest.fixture
def own(results: Path, stages: dict[str, Stage]) -> dict[str, Stage]:
    """A network of pictures of one's own: nothing is memorized, but more training has not helped."""
    copied, distance = np.zeros((1, 400), np.float32), np.arange(8, dtype=np.float32)[:, None] / 100
    outcomes = {
        "nearest_mine": dict.fromkeys(
            ("copied", "copied_real", "copied_first", "close", "close_real", "distorted", "distorted_real"), copied
        ),
        "quality_mine": {"last": 2 + distance, "first": 1 + distance},
    }
    pd.DataFrame(judge_all(read_registry(), outcomes, 1)).to_csv(results / CLAIMS, index=False)
    (results / "results/metrics/claims.json").write_text(json.dumps({"holds": 1, "heads_turn": "not run"}))
    for name, metrics in {"nearest_mine": COPIES, "windows_mine": WINDOWS}.items():
        (results / f"results/metrics/{name}.json").write_text(json.dumps(metrics))
        write_png(results / f"results/figures/{name}.png", np.full((40, 900, 3), 90, np.uint8))
    judge = stage("judge_claims", [CLAIMS.as_posix(), "results/metrics/claims.json"])
    found = [stage("train_dcgan@mine", []), judge, stages["build_report"]]
    for name in ("nearest", "windows"):
        outputs = [f"results/metrics/{name}_mine.json", f"results/figures/{name}_mine.png"]
        found.append(stage(f"draw_{name}@mine", outputs))
    return {one.name: one for one in found}


def test_the_page_has_nothing_of_the_paper(results: Path, own: dict[str, Stage]) -> None:
    text = render(results, own, TITLE)
    assert f"<h1>{TITLE}</h1>" in text and '<h2 id="claims">What was measured</h2>' in text
    assert "on other pictures than the paper&#39;s.</p>" in text or "on other pictures than the paper's.</p>" in text
    assert '<a href="#measured">1 hold, 1 fail, 0 undecided</a>' in text
    assert '<th scope="row">Samples are not copies of training images</th>' in text
    assert "copies (mine): 0.0 % against 0.0 %, difference" in text and "Figures 2 and 3: More training" not in text
    for paper in ("paper's claims", "not run", "published", 'scope="col">paper<', "Table ", "eviations", "sections "):
        assert paper not in text, paper


def test_the_terminal_lists_what_was_measured(results: Path, own: dict[str, Stage]) -> None:
    nearest = describe("draw_nearest").measured(COPIES)
    del own["draw_windows@mine"]
    (numbers, copies, judged, *claims, end) = summary(results, own, {})
    assert (numbers, copies) == ("This run's numbers:", f"  Nearest training images, mine: {nearest}")
    assert judged == "What was measured, with 95 % intervals of differences:"
    held, failed = claims
    assert held.startswith("  holds     Samples are not copies of training images; copies (mine): 0.0 % against")
    assert failed.startswith(
        "  fails     More training brings better samples and no overfitting; distance from held-out"
    )
    assert end == "1 hold, 1 fail, 0 undecided. Everything, with pictures: results/report.html"


def test_one_set_of_the_paper_brings_its_claims_back(results: Path, own: dict[str, Stage]) -> None:
    """Its own pictures beside the paper's digits: of both there is a page, with all claims."""
    assert not on_data_of_the_paper([*own, "export_lsun@0", "crop_faces@0", "evaluate_svm@mine"])
    both = own | {"train_dcgan@mnist": stage("train_dcgan@mnist", [])}
    text = render(results, both, TITLE)
    assert '<h2 id="claims">The paper' in text
    count = len(read_registry()) - 2
    assert f"1 hold, 1 fail, 0 undecided, {count} not run" in text
    assert any(line.startswith("  not run   Table 3: Samples of digits") for line in summary(results, both, {}))
    assert re.search(r"<td>20</td>\s*<td>200</td>", text.replace("\n", "")), "a published number has its column"


def test_nothing_judged_and_nothing_measured(results: Path, own: dict[str, Stage]) -> None:
    pd.DataFrame(judge_all(read_registry(), {}, 1)).to_csv(results / CLAIMS, index=False)
    few = {name: own[name] for name in ("judge_claims", "build_report")}
    assert "Not judged with these parameters" in render(results, few, TITLE)
    assert list(summary(results, few, {})) == [
        "This run's numbers:",
        "Everything, with pictures: results/report.html",
    ]


@pytest.fixture
def page(browser: Any, results: Path, own: dict[str, Stage], tmp_path: Path) -> Iterator[Any]:
    """The page of such a run with an account of it, in a browser without a network."""
    for one in own.values():
        leave_sidecar(results, one)
    (tmp_path / "own.html").write_text(render(results, own, TITLE, account_of(results, own)))
    context = browser.new_context(offline=True)
    opened = context.new_page()
    opened.goto((tmp_path / "own.html").as_uri())
    yield opened
    context.close()


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_the_page_fits_the_screen_and_every_link_leads_somewhere(page: Any, width: int, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert faint_texts(page) == []
    lost = "[...document.querySelectorAll('a[href^=\"#\"]')].filter(a => !document.getElementById(a.hash.slice(1)))"
    assert page.evaluate(f"{lost}.length") == 0 and page.locator("nav a").count() > 5
    labels = page.locator("[role=region]").evaluate_all("all => all.map(one => one.ariaLabel)")
    assert len(labels) == len(set(labels))
