"""A very small world in which every stage has run once, in this process; see tests/dag/tiny.py."""

import contextlib
import gc
from dataclasses import dataclass
from pathlib import Path

import torch
from ruamel.yaml import YAML

from dcgan.models.architectures import ARCHITECTURES
from dcgan.models.networks import Discriminator
from tests.dag.demo import demo_project
from tests.dag.reads import written_at
from tests.dag.tiny import run_all, tiny_params
from tests.published import write_arrays
from workflow.params.load import read_yaml

# Stages that the demo has none of, by their sections in params.yaml.
FURTHER = {
    "published": {"svhn": {"arrays": "arrays", "architecture": "svhn32"}},
    "onnx": {"svhn": {"statistics": "estimated", "statistics_batches": 1}},
}


@dataclass(frozen=True)
class World:
    """Its folder, and by stage the keys of params.yaml that the stage read."""

    folder: Path
    read: dict[str, set[str]]


def make_world(folder: Path) -> World:
    """Runs every stage in a folder, which has to be empty."""
    demo_project(folder)
    tiny_params(folder / "params.yaml")
    YAML(typ="safe").dump(read_yaml(folder / "params.yaml") | FURTHER, folder / "params.yaml")
    (folder / "arrays").mkdir()
    write_arrays(folder / "arrays", Discriminator(ARCHITECTURES["svhn32"]).initialize(torch.Generator().manual_seed(1)))
    with contextlib.chdir(folder):
        read = run_all(folder)
    content = read_yaml(folder / "params.yaml")
    places = {name: {place for key in keys for place in written_at(key, content)} for name, keys in read.items()}
    # Tables that no one closed yet would still be open in every child, and HDF5 would not look at the file again.
    gc.collect()
    return World(folder, places)
