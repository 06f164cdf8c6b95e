"""README's picture out of the report: `make overview` writes docs/images/overview.jpg.

Input: the report of the last run, data/report.html, which has to be of the demo: pictures of real people, and of
networks that learned from them, stay out of the repository. Output: one JPEG, a screenshot by headless Chromium of some
of the report's figures, with their headings and what was measured.
"""

import argparse
from pathlib import Path

from dcgan.core.files import InputError, replace_when_done
from workflow.engines.stage import run_stage
from workflow.params.load import load_params
from workflow.params.sections import Params
from workflow.report.browser import browser
from workflow.report.page import TEMPLATES, anchor

DEMO = "data/demo/"
WIDTH = 1280  # of the page, in CSS pixels; GitHub shows the picture at about 850
SCALE = 1.25  # pixels of the picture for a CSS pixel
QUALITY = 80  # of the JPEG
# Stages whose results are shown, in the order of the report, and the classes that overview.css lays them out by.
FIGURES = {
    "draw_samples@bedrooms": "overview",
    "draw_samples@faces": "overview",
    "draw_windows@bedrooms": "overview wide",
    "draw_arithmetic@faces": "overview",
    "draw_turn@faces": "overview",
}
# Marks the article of each stage, whose heading has the stage's place in the page, and tells of which there is none.
CHOOSE = """figures => Object.entries(figures).filter(([place, kind]) => {
  const article = document.getElementById(place)?.closest('article');
  if (!article?.querySelector('img')) return true;
  article.className = kind;
  return false;
}).map(([place]) => place)"""


def main(arguments: list[str] | None = None) -> None:
    """Takes the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", type=Path, default=Path("data/report.html"), help="(default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("docs/images/overview.jpg"), help="(default: %(default)s)")
    parser.add_argument(
        "--params", type=Path, default=Path("params.yaml"), help="its parameters (default: %(default)s)"
    )
    args = parser.parse_args(arguments)
    check_demo(load_params(args.params))
    if not args.report.is_file():
        raise InputError(f"{args.report}: no such report; `make repro` makes it")
    content = screenshot(args.report)
    with replace_when_done(args.out) as partial:
        partial.write_bytes(content)


def check_demo(params: Params) -> None:
    """Raises InputError where the figures are of real bedrooms or real people."""
    real = [source for source in (params.export.source, params.crop_faces.source) if not source.startswith(DEMO)]
    if real:
        raise InputError(f"README is of the demo, this run is of {' and '.join(real)}")


def screenshot(report: Path) -> bytes:
    """The chosen figures of a report as a JPEG; raises InputError where one is missing, or Chromium is."""
    with browser() as started:
        page = started.new_page(
            viewport={"width": WIDTH, "height": 800}, device_scale_factor=SCALE, color_scheme="light"
        )
        page.goto(report.resolve().as_uri())
        missing = page.evaluate(CHOOSE, {anchor(stage): kind for stage, kind in FIGURES.items()})
        if missing:
            raise InputError(f"{report}: no figure of {', '.join(missing)} in it")
        page.add_style_tag(path=TEMPLATES / "overview.css")
        return bytes(page.locator("main").screenshot(type="jpeg", quality=QUALITY))


if __name__ == "__main__":
    run_stage(main)
