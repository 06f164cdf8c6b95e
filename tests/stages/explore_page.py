"""The page of generators to test: networks with random weights, how a browser opens it, what Python draws."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ruamel.yaml import YAML

from dcgan.core.files import write_json
from dcgan.core.seeding import torch_generator
from dcgan.internals.figure_layout import draw_candidates
from dcgan.models.architectures import ARCHITECTURES
from dcgan.models.networks import Generator
from stages.explore_networks import main
from tests.dag.demo import DEMO
from workflow.annotation.file import possible_tasks
from workflow.params.load import load_params, read_yaml

# Strides of 1, normal z, a conditional network, even kernels: as real ones, but narrower.
NETWORKS = {
    "faces": ARCHITECTURES["demo32_narrow"],
    "imagenet": replace(
        ARCHITECTURES["demo_imagenet32"], projection=(32, 4), generator_layers=((16, 2), (16, 1), (8, 2), (3, 2))
    ),
    "svhn": replace(ARCHITECTURES["demo_svhn32"], projection=(32, 4), generator_layers=((16, 2), (8, 2), (3, 2))),
    "mnist": ARCHITECTURES["demo_mnist28"],
    "bedrooms": replace(
        ARCHITECTURES["tutorial64"], projection=(32, 4), generator_layers=((16, 2), (16, 2), (8, 2), (3, 2))
    ),
}
BATCHES = 2
TASKS = {task.network: task for task in possible_tasks(load_params(DEMO))}
WEIGHTS = [0.5, -1.0, 2.0, 0.0, 0.25, -0.5, 3.0, 1e-3]  # of the eight maps of the bedrooms' highest hidden layer
DONE = "!working && drawn > 0 && location.hash === hashOf(state)"


def write_params(folder: Path, **changes: Any) -> Path:
    params = read_yaml(DEMO)
    params["run"].update(threads=1, device="cpu")
    params["explore"].update({"networks": list(NETWORKS), "statistics_batches": BATCHES, "count": 12, **changes})
    YAML().dump(params, folder / "params.yaml")
    return folder / "params.yaml"


def make_page(folder: Path, generators: Path, **changes: Any) -> Path:
    out = folder / "explore.html"
    paths = {"params": write_params(folder, **changes), "networks": generators, "weights": generators / "window_maps"}
    main([part for name, path in {**paths, "out": out}.items() for part in (f"--{name}", str(path))])
    return out


def write_networks(folder: Path) -> Path:
    """A folder of generators with random weights, whose pictures use all grey levels."""
    for number, (name, architecture) in enumerate(NETWORKS.items()):
        generator = Generator(architecture).initialize(torch.Generator().manual_seed(number))
        with torch.no_grad():
            generator.convolutions[-1].weight.mul_(10)
        (folder / name).mkdir()
        generator.save(folder / name / "generator.safetensors", metadata(name))
    write_json(folder / "window_maps/bedrooms.json", {"layer": -2, "weights": WEIGHTS})
    return folder


def metadata(name: str, **changes: Any) -> dict[str, Any]:
    """What a training leaves in the file of a network of the preset `demo`, with other parameters of `train`."""
    params = load_params(DEMO)
    return {"train": {**params.train[name].model_dump(), **changes}, "run": params.run.model_dump()}


@contextmanager
def page_opener(browser: Any, explore: Path) -> Iterator[Callable[..., Any]]:
    """Opens the page at a place, without a network; what the browser complains of or asks for fails the test."""
    complaints: list[str] = []
    contexts = []

    def opened(place: str = "", width: int = 1280, scheme: str = "light") -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        beyond = ("data:", explore.as_uri())
        page.on("request", lambda asked: None if asked.url.startswith(beyond) else complaints.append(asked.url))
        page.goto(f"{explore.as_uri()}{place}")
        page.wait_for_function(DONE)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def trained(networks: Path, name: str) -> Generator:
    """A generator with the statistics that the stage estimates, or with which samples to annotate are drawn."""
    generator, params = Generator.from_file(networks / name / "generator.safetensors"), load_params(DEMO)
    if task := TASKS.get(name):
        draw_candidates(generator, **task.drawing.model_dump())
    else:
        generator.estimate(BATCHES, torch_generator(params.run.seed, "explore", name))
    return generator


POINTS = "Array.from({ length: 12 }, (_, n) => samplePoint(sampleId(n)))"


def points(page: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
    """z and labels of the samples in view."""
    found = page.evaluate(f"{POINTS}.map(point => [[...point.z], [...point.label]])")
    z, labels = (torch.tensor([pair[part] for pair in found]) for part in (0, 1))
    return z, labels if labels.shape[1] else None


def pixels(page: Any, script: str, channels: int) -> np.ndarray:
    """(N, H, W, C) uint8 of a script that gives pictures as the page draws them, RGBA."""
    found = np.array(page.evaluate(f"{script}.map(picture => [...picture])"), np.uint8)
    side = int((found.shape[1] / 4) ** 0.5)
    return found.reshape(-1, side, side, 4)[..., :channels]


def picture_of(page: Any, selector: str) -> list[int]:
    return page.evaluate(
        "selector => { const found = document.querySelector(selector);"
        "return [...found.getContext('2d').getImageData(0, 0, found.width, found.height).data]; }",
        selector,
    )
