"""Pages escape whatever they show."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from dcgan.core.pixels import write_png
from workflow.engines.dag import Stage
from workflow.report.collect import render

ROOT = Path(__file__).parents[2]
SCRIPT = "<script>alert(1)</script>"


BROKEN_OUT = [
    SCRIPT,
    '"><img src=x onerror=alert(1)>',
    "' onload='alert(1)",
    "</style></svg><b>",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("text", BROKEN_OUT)
def test_the_report_escapes_whatever_it_shows(tmp_path: Path, text: str) -> None:
    """Titles, stages' names, file names, metrics, curves and parameters."""
    YAML().dump({"run": {"seed": text}, text: {text: text}}, tmp_path / "params.yaml")
    name = text.replace("/", "_")
    for folder in ("metrics", "curves", f"figures/{name}"):
        (tmp_path / "results" / folder).mkdir(parents=True)
    (tmp_path / f"results/metrics/{name}.json").write_text(json.dumps({text: text, "error": 0.5, "published": 0.4}))
    (tmp_path / f"results/curves/{name}.csv").write_text("epoch,d_loss,g_loss\n1,0.5,0.6\n2,0.4,0.7\n")
    write_png(tmp_path / f"results/figures/{name}/{name}.png", np.zeros((8, 8, 3), np.uint8))
    outputs = [f"results/metrics/{name}.json", f"results/curves/{name}.csv", f"results/figures/{name}"]
    stages = {}
    for number, base in enumerate(("train_dcgan", text)):
        one = f"{base}@{text}"
        stages[one] = Stage(one, text, text, [], [], [], outputs[number:], {text: text}, 1, 0, 1, 1, False)
    page = Elements(render(tmp_path, stages, text))
    assert page.found & {"script", "b"} == set()
    assert all(image.startswith(("data:image/png;base64,", "data:image/webp;base64,")) for image in page.images)
    assert page.images
    assert [name for name in page.attributes if name.startswith("on")] == []
    assert [link for link in page.links if not link.startswith(("#", "data:"))] == []


class Elements(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()
        self.images: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes.update(name for name, _ in attributes)
        self.images += [value or "" for name, value in attributes if tag == "img" and name == "src"]
        self.links += [value or "" for name, value in attributes if name in ("href", "action", "formaction")]


def test_no_page_switches_escaping_off() -> None:
    """All pages come out of one environment; a template or a module that marks text as safe would get around it."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "workflow").rglob("*.py")}
    made = [line for text in texts.values() for line in text.splitlines() if " Environment(" in line]
    assert len(made) == 1 and "autoescape=True" in made[0]
    texts |= {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "workflow/report/templates").iterdir()}
    marks = re.compile(
        r"\|\s*safe\b|Markup|autoescape\s+false|autoescape=False"
        r"|innerHTML|outerHTML|insertAdjacentHTML|document\.write"  # and scripts that would parse text as HTML
    )
    assert [name for name, text in texts.items() if marks.search(text)] == []
    # Besides: the formulas of workload.py, whose sandbox makes numbers and no page.
    assert {name for name, text in texts.items() if "Environment(" in text} == {"page.py", "workload.py"}
    assert "ImmutableSandboxedEnvironment(" in texts["workload.py"]
