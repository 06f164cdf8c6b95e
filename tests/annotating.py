"""What the tests of annotating share: a project whose figures rest on a person, its page being served, a mouse."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.data.image_store import StoreWriter
from dcgan.models.architectures import ARCHITECTURES
from dcgan.models.networks import Generator
from tests.dag.tiny import tiny_params
from workflow.annotation.annotate import listen, open_app

CONCEPTS = ("smiling woman", "neutral woman", "neutral man")
N_SAMPLES = 12


def make_project(folder: Path, concepts: Sequence[str] = CONCEPTS) -> Path:
    """Parameters whose Figures 6 to 8 rest on a person, who is to look for some concepts, and untrained generators."""
    explore = {"networks": ["faces", "bedrooms"], "count": 6}
    tiny_params(folder / "params.yaml", {"figures": figures_by_hand(folder, concepts), "explore": explore})
    for name in ("bedrooms", "faces"):
        network = Generator(ARCHITECTURES["demo32"]).initialize(torch_generator(3, name))
        network.save(folder / f"networks/{name}/generator.safetensors", {})
    images = numpy_generator(3, "images").integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
    with StoreWriter(folder / "images.h5", (32, 32, 3), {}) as store:
        store.append(images, [f"{number}" for number in range(len(images))])
    return folder


def figures_by_hand(folder: Path, concepts: Sequence[str]) -> dict[str, Any]:
    person = {"annotator": str(folder / "faces.json"), "candidates": N_SAMPLES, "exemplars": 1}
    sums = [dict(zip(("plus", "minus", "other"), concepts, strict=True))]
    return {
        "windows": {"bedrooms": {"annotator": str(folder / "bedrooms.json"), "samples": N_SAMPLES}},
        "arithmetic": {"faces": {**person, "sums": sums}},
        "turn": {"faces": {**person, "measured": 4}},
    }


@contextmanager
def served(project: Path) -> Iterator[str]:
    """The address of a running page."""
    server = listen(open_app(project / "params.yaml", project / "networks"), 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def drag(page: Any, number: int, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draws with the mouse over a sample; places are shares of its side."""
    sample = page.locator(".sample svg").nth(number)
    sample.scroll_into_view_if_needed()
    frame = sample.bounding_box()
    points = [(frame["x"] + x * frame["width"], frame["y"] + y * frame["height"]) for x, y in (start, end)]
    page.mouse.move(*points[0])
    page.mouse.down()
    page.mouse.move(*points[1], steps=3)
    page.mouse.up()


def says(page: Any, text: str) -> None:
    """Waits until the page says exactly this about what has been saved."""
    page.locator("#status").get_by_text(text, exact=True).wait_for()
