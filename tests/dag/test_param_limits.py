"""Limits that keys of params.yaml set each other are exact: the last value that is allowed, and the next one."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from dcgan.core.files import InputError
from tests.dag.demo import DEMO
from workflow.params.load import load_params, read_yaml


def load_with(folder: Path, key: str, value: Any) -> None:
    """Loads the preset `demo` with another value of a key."""
    params = read_yaml(DEMO)
    *sections, name = key.split(".")
    section = params
    for part in sections:
        section = section[part]
    section[name] = value
    YAML(typ="safe").dump(params, folder / "params.yaml")
    load_params(folder / "params.yaml")


@pytest.mark.parametrize(
    ("key", "allowed", "refused", "by"),
    [
        ("crop_faces.image_size", 32, 33, "crop_faces.image_size: 33"),  # crop_faces.resize is 32
        ("train.bedrooms.decay_epochs", 18, 19, "train.bedrooms.decay_epochs: 19"),  # of as many epochs
        ("train.bedrooms.held_out", 2, 1, "train.bedrooms.keep_images: 20000"),
        ("supervised.shards", [0, 1, 2, 3], [0, 1, 2, 3, 4], "supervised.shards: "),  # of four trials
        ("kmeans.cifar10.centroids", 20000, 20001, "kmeans.cifar10.centroids: 20001"),
        ("svm.svhn.learn_validation", False, True, "svm.svhn.learn_validation: True"),
    ],
)
def test_a_limit_is_exact(tmp_path: Path, key: str, allowed: Any, refused: Any, by: str) -> None:
    load_with(tmp_path, key, allowed)
    with pytest.raises(InputError) as error:
        load_with(tmp_path, key, refused)
    assert by in str(error.value)
