"""What a reader sees first: what was trained on what data, and a few pictures in small."""

import base64
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from dcgan.core.files import read_json
from workflow.description import describe, item_of, kind_of
from workflow.engines.dag import Stage, in_order, needed_for
from workflow.report.results import Result, outputs

TRAINING = "train_dcgan"  # the kind of stage that trains
STAND_INS = "data/demo/"
PICTURES = 4
SIDE, QUALITY = 480, 80  # the longer side of a small picture in pixels; of its WebP


@dataclass(frozen=True)
class Trained:
    """A network, the sources of what it was trained on, and how long, in words."""

    name: str
    sources: list[str]
    training: str


@dataclass(frozen=True)
class Small:
    """A picture in small, and the result that has it."""

    uri: str
    width: int
    height: int
    result: Result


def trained(root: Path, stages: Mapping[str, Stage], current: Mapping[str, Stage]) -> Iterator[Trained]:
    """Every network of the DAG; numbers are those of the current stages alone."""
    for stage in (stage for stage in stages.values() if kind_of(stage.name) == TRAINING):
        above = in_order(needed_for([stage.name], stages))
        sources = dict.fromkeys(source for one in above for source in values_of("source", one.parameters))
        training = how_long(root, stage) if stage.name in current else "not with these parameters"
        yield Trained(item_of(stage.name), list(sources), training)


def how_long(root: Path, stage: Stage) -> str:
    """Epochs and images of a training, in words."""
    seen = next((read_json(path).get("images_seen") for path in outputs(root, stage, ".json")), None)
    epochs = next(values_of("epochs", stage.parameters), None)
    if not seen or not epochs:
        return "not yet"
    return f"{epochs} epoch{'s' * (epochs > 1)} of {seen // epochs:,} images"


def values_of(key: str, tree: Any) -> Iterator[Any]:
    """The values of a key wherever it is in a tree of parameters."""
    for name, value in tree.items() if isinstance(tree, Mapping) else ():
        if name == key and value is not None:
            yield value
        yield from values_of(key, value)


def in_small(chapters: Mapping[str, list[Result]]) -> list[Small]:
    """A few pictures of these parameters: first those that descriptions choose for README, then others that rest."""
    results = [one for found in chapters.values() for one in found if one.pictures and not one.other]
    chosen = [one for one in results if item_of(one.stage) in describe(one.stage).pictured]
    others = [
        one for one in results if one not in chosen and not one.pictures[-1].moves and not one.pictures[-1].drawing
    ]
    return [small(one) for one in (chosen + others)[:PICTURES]]


def small(result: Result) -> Small:
    """The last picture of a result, made to fit."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(result.pictures[-1].uri.partition(",")[2]))) as image:
        fitting = image.convert("RGBA")
        fitting.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        fitting.save(buffer, "WEBP", quality=QUALITY, method=4)
    return Small(f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}", *fitting.size, result)
