"""Limits that keys of params.yaml set each other are exact: the last value that is allowed, and the next one."""

from typing import Any

import pytest

from dcgan.core.files import InputError
from tests.dag.demo import preset_values
from tests.dag.test_params import change
from workflow.params.load import check_params


def check_with(key: str, value: Any) -> None:
    """Checks the preset `demo` with another value of a key."""
    check_params(change(preset_values(), key, value), "params.yaml")


@pytest.mark.parametrize(
    ("key", "allowed", "refused", "by"),
    [
        ("crop_faces.image_size", 32, 33, "crop_faces.image_size: 33"),  # crop_faces.resize is 32
        ("train.bedrooms.decay_epochs", 27, 28, "train.bedrooms.decay_epochs: 28"),  # of as many epochs
        ("train.bedrooms.held_out", 2, 1, "train.bedrooms.keep_images: 30000"),
        ("supervised.shards", [0, 1, 2, 3], [0, 1, 2, 3, 4], "supervised.shards: "),  # of four trials
        ("kmeans.cifar10.centroids", 20000, 20001, "kmeans.cifar10.centroids: 20001"),
        ("svm.svhn.learn_validation", False, True, "svm.svhn.learn_validation: True"),
    ],
)
def test_a_limit_is_exact(key: str, allowed: Any, refused: Any, by: str) -> None:
    check_with(key, allowed)
    with pytest.raises(InputError) as error:
        check_with(key, refused)
    assert by in str(error.value)
