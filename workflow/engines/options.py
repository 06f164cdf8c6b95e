"""What stage scripts share in reading their command line and their section of params.yaml."""

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, cast

from dcgan.core.files import InputError
from workflow.engines.stage import stage_parser
from workflow.params.types import Section

AnySection = TypeVar("AnySection")
AnySettings = TypeVar("AnySettings")
INPUTS = {
    "generator": "a generator's network file",
    "networks": "folder of a network's files, with weights kept during training, if any",
    "discriminator": "a discriminator's network file",
    "images": "image store",
    "frames": "folder of grids of samples, frame-<images>.png",
    "autoencoder": "the de-duplication's autoencoder",
    "annotator": "attribute classifier, or a JSON of annotations by hand",
    "truth": "CSV of the ground truth of the images",
    "detections": "CSV of detections, whose kept rows are the images in order",
}
OUTPUTS = {
    "figure": "PNG to write",
    "out": "network to write",
    "outcomes": "HDF5 to write: what came out for each unit in each draw",
    "weights": "JSON to write: what the regression learned of each feature map",
    "metrics": "JSON to write",
}


def figure_parser(description: str | None, *options: str) -> argparse.ArgumentParser:
    """A parser that knows --params, --name, and a path for each of the named inputs and outputs."""
    parser = stage_parser(description)
    parser.add_argument("--name", required=True, help="which sub-section of params.yaml to run, e.g. bedrooms")
    for option in options:
        parser.add_argument(f"--{option}", type=Path, required=True, help=(INPUTS | OUTPUTS)[option])
    return parser


def section_named(sections: Mapping[str, AnySection], name: str, where: str) -> AnySection:
    """The sub-section of a name; raises InputError if there is none."""
    if name not in sections:
        raise InputError(f"{where}.{name}: no such section; there are {', '.join(sections) or 'none'}")
    return sections[name]


def settings_from(section: Section, kind: type[AnySettings], **others: Any) -> AnySettings:
    """A library's dataclass of settings: `others`, and of each further field what a section has under the same name."""
    names = {field.name for field in fields(cast(Any, kind))} - others.keys()
    return kind(**{name: getattr(section, name) for name in names}, **others)


@contextmanager
def naming(key: str, advice: str = "") -> Iterator[None]:
    """Puts a key of params.yaml before the message of any InputError, and advice behind it.

    The library raises plain errors, because it does not know the keys.
    """
    try:
        yield
    except InputError as error:
        raise InputError(f"{key}: {error}{'; or ' if advice else ''}{advice}") from error
