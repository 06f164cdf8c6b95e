"""Chromium without a window, driven through playwright, for README's picture and the tests of pages.

Debian's package `chromium`, or Chrome; playwright's own downloads are not used.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dcgan.core.files import InputError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Without a sandbox, because containers run as root; only this project's own pages are opened.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]


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
