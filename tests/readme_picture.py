"""README's picture out of the report: `make overview` writes docs/images/overview.jpg.

Input: the report of the last run, data/report.html, which has to be of the demo. Output: one JPEG, a screenshot by
headless Chromium of the figures that descriptions name, with their headings and what was measured.
"""

from collections.abc import Iterable
from pathlib import Path

from dcgan.core.files import InputError, replace_when_done
from tests.browser import browser
from workflow.description import describe, kind_of
from workflow.engines.dag import resolved_stages
from workflow.engines.stage import run_stage
from workflow.params.load import load_params
from workflow.params.sections import Params
from workflow.report.page import anchor

DEMO = "data/demo/"
REPORT, PICTURE = "data/report.html", "docs/images/overview.jpg"
STYLE = Path(__file__).with_suffix(".css")
WIDTH = 1280  # of the page, in CSS pixels; GitHub shows the picture at about 850
SCALE = 1.25  # pixels of the picture for a CSS pixel
QUALITY = 80  # of the JPEG
# Leaves nothing but the article of each stage, whose heading has the stage's place, and tells which are missing.
CHOOSE = """figures => {
  const found = Object.entries(figures).map(([place, kind]) => {
    const article = document.getElementById(place)?.closest('article');
    if (article) article.className = kind;
    return [place, article];
  });
  document.querySelector('main').replaceChildren(...found.map(([, article]) => article).filter(Boolean));
  return found.filter(([, article]) => !article?.querySelector('img')).map(([place]) => place);
}"""


def check_demo(params: Params) -> None:
    """Raises InputError if results are of real bedrooms or real people, which stay out of the repository."""
    real = [source for source in (params.export.source, params.crop_faces.source) if not source.startswith(DEMO)]
    if real:
        raise InputError(f"README is of the demo, this run is of {' and '.join(real)}")


def main() -> None:
    """Takes the picture in the checkout one stands in."""
    root = Path.cwd()
    check_demo(load_params(root / "params.yaml"))
    content = screenshot(root / REPORT, chosen(resolved_stages(root)))
    with replace_when_done(root / PICTURE) as partial:
        partial.write_bytes(content)


def chosen(stages: Iterable[str]) -> dict[str, str]:
    """Stages whose results are shown, and the classes that STYLE lays them out by."""
    kinds = {kind: describe(kind) for kind in map(kind_of, stages)}
    return {
        f"{k}@{item}": "wide" if about.pictured_wide else "half"
        for k, about in kinds.items()
        for item in about.pictured
    }


def screenshot(report: Path, figures: dict[str, str]) -> bytes:
    """The chosen figures of a report as a JPEG; raises InputError if one is missing, or Chromium is."""
    if not report.is_file():
        raise InputError(f"{report}: no such report; `make repro` makes it")
    with browser() as started:
        page = started.new_page(
            viewport={"width": WIDTH, "height": 800}, device_scale_factor=SCALE, color_scheme="light"
        )
        page.goto(report.resolve().as_uri())
        missing = page.evaluate(CHOOSE, {anchor(stage): kind for stage, kind in figures.items()})
        if missing:
            raise InputError(f"{report}: no figure of {', '.join(missing)} in it")
        page.add_style_tag(path=STYLE)
        return bytes(page.locator("main").screenshot(type="jpeg", quality=QUALITY))


if __name__ == "__main__":
    run_stage(main)
