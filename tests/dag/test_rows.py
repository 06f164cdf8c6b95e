"""What asks for more images than there are, or for splits that there are not, is told before any work."""

from typing import Any

import pytest

from tests.dag.demo import cached_preset, preset_values
from tests.dag.test_params import change
from workflow.params.consistency import broken
from workflow.params.load import check_params
from workflow.params.rows import PackedRows, asks_too_much

SETS = {
    "data/packed/imagenet": PackedRows({"train": 12_500}, 20),
    "data/packed/cifar10": PackedRows({"train": 4000, "test": 800}, 10),
    "data/packed/svhn": PackedRows({"train": 5000, "test": 1250}, 10),
    "data/packed/mnist": PackedRows({"train": 5000, "test": 1250}, 10),
}
STORES = {"data/bedrooms/unique.h5": 5450, "data/faces/crops.h5": 2468}


def problems(
    changes: dict[str, Any], sets: dict[str, PackedRows] | None = None, stores: dict[str, int] | None = None
) -> list[str]:
    """What is wrong with the demo's parameters, changed in some places, over sets and stores of other sizes."""
    params = preset_values()
    for key, value in changes.items():
        change(params, key, value)
    rules = asks_too_much(check_params(params, "params"), SETS | (sets or {}), STORES | (stores or {}))
    return list(broken(rules))


def test_the_demo_asks_for_what_it_renders() -> None:
    assert problems({}) == []


@pytest.mark.parametrize(
    ("key", "allowed", "refused", "expected"),
    [
        (
            "train.bedrooms.batch_size",
            4950,
            4951,
            "at most 4,950: data/bedrooms/unique.h5 has at most 5,450 images, 500",
        ),
        ("train.faces.held_out", 1234, 1235, "6 to 1,234, half of the images"),
        ("train.faces.held_out", 6, 5, "6 to 1,234, half of the images"),
        # Of 5,000 digits 1,000 are drawn for validation.
        ("train.svhn.batch_size", 3500, 3501, "at most 3,500: data/packed/svhn/train.h5 has at most 4,000 images"),
        (
            "pack.sets.svhn.validation",
            1300,
            5000,
            "pack.sets.svhn.validation: 5000 is not allowed (fewer than the 5,000",
        ),
        ("supervised.labels_per_class", 400, 401, "at most 400: 4,000 images of 10 classes are learned from"),
        ("svm.svhn.labels_per_class", 400, 401, "svm.svhn.labels_per_class: 401 is not allowed (at most 400"),
        # It has no split for validation: 1,000 rows of 4,000 are held out.
        ("svm.cifar10_few.labels_per_class", 300, 301, "at most 300: 3,000 images of 10 classes are learned from"),
        ("svm.kmeans_cifar10_few.labels_per_class", 300, 301, "at most 300: 3,000 images"),
        ("svm.svhn.layer_labels", 400, 401, "svm.svhn.layer_labels: 401"),
        ("svm.cifar10.curve_labels", [10, 300], [10, 301], "svm.cifar10.curve_labels: 301"),
        ("svm.cifar10.validation", 1, 0, "svm.cifar10.validation: 0 is not allowed (1 to 3,999: no split is there"),
    ],
)
def test_a_number_of_images_is_exact(key: str, allowed: Any, refused: Any, expected: str) -> None:
    assert problems({key: allowed}) == []
    found = problems({key: refused})
    assert any(expected in line for line in found), found


def test_splits_that_are_needed_and_not_there() -> None:
    assert problems({"pack.sets.svhn.validation": 0, "svm.svhn.validation": 100}) == [
        "supervised.images: 'data/packed/svhn' is not allowed (it needs train, validation, test, and has train, test; "
        "see pack.sets.svhn.validation)"
    ]
    assert problems({"features.cifar10.images": "data/packed/imagenet", "svm.cifar10.validation": 1000}) == [
        "features.cifar10.images: 'data/packed/imagenet' is not allowed (it needs train, test, and has train; "
        "see pack.sets.imagenet.test)"
    ]
    assert problems({"supervised.results": [], "supervised.shards": [], "pack.sets.svhn.validation": 0}) == [
        "svm.svhn.validation: 0 is not allowed (1 to 4,999: no split is there for it)"
    ]
    assert problems({"pack.sets.svhn.validation": 5000}) == [  # and nothing of what follows from it
        "pack.sets.svhn.validation: 5000 is not allowed (fewer than the 5,000 images for training)"
    ]
    own = {"data/packed/svhn": PackedRows({"train": 5000, "test": 1250, "validation": 500}, 10)}
    assert problems({}, own) == [
        "pack.sets.svhn.validation: 1000 is not allowed (0, as the source has a validation split)"
    ]


def test_the_sweep_over_the_guidelines_has_a_batch() -> None:
    few = {"data/packed/svhn": PackedRows({"train": 1600, "test": 1250}, 10)}
    found = problems({"guidelines.sets": ["svhn"], "guidelines.batch_size": 128}, few)
    assert (
        "guidelines.batch_size: 128 is not allowed "
        "(at most 100: data/packed/svhn/train.h5 has at most 600 images, 500 are held out)" in found
    )


def test_what_nobody_knows_is_not_judged() -> None:
    params = check_params(cached_preset("demo"), "params")
    assert list(broken(asks_too_much(params, {}, {}))) == []
