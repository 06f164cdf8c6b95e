"""Chromium, without a window: for README's picture and for the tests of pages.

Debian's package `chromium`, or Chrome, driven through playwright; playwright's own downloads are not used.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dcgan.core.files import InputError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Without a sandbox, because containers run as root; what is opened are this project's own pages.
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def chromium() -> str:
    """Where the browser is; raises InputError where there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise InputError("no Chromium on this machine (Debian: `apt-get install chromium`)")
    return found


@contextmanager
def browser() -> Iterator["Browser"]:
    """A running browser; raises InputError where there is none."""
    path = chromium()
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise InputError("no playwright in this environment; `make setup` installs it") from error
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield started
        started.close()
