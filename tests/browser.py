"""Chromium without a window, driven through playwright, for README's picture and the tests of pages.

Debian's package `chromium`, or Chrome; playwright's own downloads are not used.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dcgan.core.files import InputError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Without a sandbox, because containers run as root; only this project's own pages are opened.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]

SCREENS = [(width, scheme) for width in (390, 1280) for scheme in ("light", "dark")]
LEAST_CONTRAST = 4.5  # WCAG 2, level AA, text of any size
# How each text stands out from the first background that is painted behind it.
CONTRASTS = """() => {
  const parsed = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => { const [r, g, b] = parsed(colour).slice(0, 3).map(part => part / 255).map(
    part => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = element => { for (let e = element; e; e = e.parentElement) {
    const colour = getComputedStyle(e).backgroundColor, parts = parsed(colour);
    if (parts.length < 4 || parts[3] > 0) return colour; } return 'rgb(255, 255, 255)'; };
  return [...document.querySelectorAll('body *')].filter(e => [...e.childNodes].some(
    n => n.nodeType === 3 && n.textContent.trim()) && e.getClientRects().length).map(e => {
      const style = getComputedStyle(e), text = e instanceof SVGElement ? style.fill : style.color;
      const [a, b] = [light(text), light(behind(e))].sort((x, y) => y - x);
      return [(a + 0.05) / (b + 0.05), e.tagName + ': ' + e.textContent.trim().slice(0, 40)]; });
}"""


@contextmanager
def browser() -> Iterator["Browser"]:
    """A running browser; raises InputError if there is none."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        raise InputError("no Chromium on this machine (Debian: `apt-get install chromium`)")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise InputError("no playwright in this environment; `make setup` installs it") from error
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        started.close()


def faint_texts(page: Any) -> list[str]:
    """Texts of an open page that do not stand out from what is behind them."""
    return [text for contrast, text in page.evaluate(CONTRASTS) if contrast < LEAST_CONTRAST]
