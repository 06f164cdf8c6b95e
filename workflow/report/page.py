"""What the project's pages share: templates, names of places, and that a page is written whole.

Every page is one HTML file without a reference to another file, so it opens from a mail attachment and on a computer
without a network. Only the page of `explore_networks` has a script.
"""

import io
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from ruamel.yaml import YAML

from dcgan.core.files import replace_when_done

TEMPLATES = Path(__file__).parent / "templates"


def fill_template(template: str, **values: Any) -> str:
    """A page out of its template, in which all that is shown is escaped, and a missing value is an error."""
    pages = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    pages.loader, pages.filters["anchor"], pages.filters["as_yaml"] = FileSystemLoader(TEMPLATES), anchor, as_yaml
    return pages.get_template(template).render(**values)


def anchor(text: str) -> str:
    """A text as the name of a place in the page."""
    return "".join(letter.lower() if letter.isalnum() else "-" for letter in text)


def as_yaml(value: Any) -> str:
    """A value of params.yaml as text, without its comments."""
    stream, writer = io.StringIO(), YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.dump(value, stream)
    return stream.getvalue().removesuffix("...\n").rstrip()


def write_page(path: Path, page: str) -> None:
    """Writes a page as UTF-8, whole or not at all."""
    with replace_when_done(path) as partial:
        partial.write_bytes(page.encode())
