"""What asks for more images than there are, or for splits that there are not, is told before any work."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from dcgan.core.seeding import numpy_generator
from dcgan.core.splits import hold_out
from dcgan.internals import memorization
from tests.dag.demo import cached_preset, preset_values
from tests.dag.test_params import change
from workflow.params import figure_rules
from workflow.params.consistency import broken
from workflow.params.load import check_params, read_params
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


def with_rare(name: str, count: int) -> dict[str, PackedRows]:
    """A set of ten classes, in any order, of which seven has so many images."""
    n = SETS[name].splits["train"]
    labels = np.array([7] * count + [label for label in range(10) if label != 7] * n)[:n]
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    shuffled = tuple(np.random.default_rng(1).permutation(labels).tolist())
    return {name: PackedRows(SETS[name].splits, 10, shuffled, names)}


def left_of_seven(labels: Sequence[int], count: int, *draw: str) -> int:
    """How many are left of class 7 when so many of all are drawn, as the stages draw them."""
    rest, _ = hold_out(len(labels), count, numpy_generator(preset_values()["run"]["seed"], *draw))
    return sum(labels[row] == 7 for row in rest)


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
        # Of 5,450 rooms 1,090 are held out, of 2,468 faces 494.
        ("classifiers.windows.bedrooms.batch_size", 4360, 4361, "at most 4,360: data/bedrooms/unique.h5 has at most"),
        (
            "classifiers.faces.faces.batch_size",
            1974,
            1975,
            "at most 1,974: data/faces/crops.h5 has at most 2,468 images",
        ),
        (
            "classifiers.faces.faces.held_out",
            0.00021,
            0.0002,
            "(a share that leaves some of at most 2,468 images to le",
        ),
        (
            "classifiers.windows.bedrooms.held_out",
            0.98,
            0.99995,
            "(a share that leaves some of at most 5,450 images to",
        ),
        ("svm.cifar10.validation", 1, 0, "svm.cifar10.validation: 0 is not allowed (1 to 3,999: no split is there"),
    ],
)
def test_a_number_of_images_is_exact(key: str, allowed: Any, refused: Any, expected: str) -> None:
    assert problems({key: allowed}) == []
    found = problems({key: refused})
    assert any(expected in line for line in found), found


@pytest.mark.parametrize(
    ("key", "allowed", "refused", "expected"),
    [
        ("arithmetic.faces.exemplars", 40, 41, "at most 40: they are among figures.arithmetic.faces.pool"),
        ("arithmetic.faces.pool", 2000, 2001, "at most 2,000: it is among figures.arithmetic.faces.candidates"),
        ("turn.faces.exemplars", 1000, 1001, "at most 1,000: half of figures.turn.faces.candidates, as many look left"),
        ("turn.faces.candidates", 8, 7, "at most 3: half of figures.turn.faces.candidates, as many look left"),
        ("guided.bedrooms.strongest", 3000, 3001, "at most 3,000: they are among figures.guided.bedrooms.searched"),
        ("guided.bedrooms.features", 128, 129, "at most 128: layer -1 of the discriminator of demo32 has no more maps"),
        ("nearest.bedrooms.shown", 500, 501, "at most 500: they are among figures.nearest.bedrooms.samples"),
        ("nearest.bedrooms.neighbours", 20, 21, "at most 20: so many are looked up"),
    ],
)
def test_numbers_of_a_figure_fit_each_other(key: str, allowed: int, refused: int, expected: str) -> None:
    assert problems({f"figures.{key}": allowed}) == []
    (line,) = problems({f"figures.{key}": refused})
    assert line.startswith("figures.") and expected in line


def test_figures_show_no_more_images_than_there_are() -> None:
    strongest = {"figures.guided.bedrooms.searched": 6000, "figures.guided.bedrooms.strongest": 5451}
    assert problems(strongest) == [
        "figures.guided.bedrooms.strongest: 5451 is not allowed (at most 5,450: data/bedrooms/unique.h5 has no more "
        "images)"
    ]
    assert problems({"figures.guided.bedrooms.layer": 0, "figures.guided.bedrooms.features": 32}) == []
    (maps,) = problems({"figures.guided.bedrooms.layer": 0, "figures.guided.bedrooms.features": 33})
    assert "(at most 32: layer 0 of the discriminator of demo32 has no more maps)" in maps
    few = "figures.nearest.bedrooms.images: 'data/bedrooms/unique.h5' is not allowed (it needs 20 images to train on, "
    for n, told in ((520, []), (519, [f"{few}and has at most 19 that are not held out)"])):
        found = problems({}, stores={"data/bedrooms/unique.h5": n})
        assert [line for line in found if line.startswith("figures.nearest")] == told
    assert memorization.NEIGHBOURS == figure_rules.NEIGHBOURS


def test_samples_stand_beside_as_many_real_images() -> None:
    key = "figures.samples.bedrooms.count"
    assert problems({key: 5450}) == []
    assert problems({key: 5451}) == [
        f"{key}: 5451 is not allowed (at most 5,450: data/bedrooms/unique.h5 has no more images)"
    ]


def test_the_best_of_one_snapshot_is_no_choice() -> None:
    """4,950 images are 154 batches of 32; a snapshot after the last image comes of itself."""
    key, numbers = (
        "train.bedrooms.keep_images",
        {"epochs": 2, "decay_epochs": 2, "sample_epochs": [1], "batch_size": 32},
    )
    changes: dict[str, Any] = {f"train.bedrooms.{name}": value for name, value in numbers.items()}
    best = changes | {"train.bedrooms.deliver": "best"}
    assert problems(best | {key: 9855}) == problems(changes | {key: 9856}) == []
    fewer = "fewer than the 9,856 images that the training sees at most, for a best one of several"
    assert problems(best | {key: 9856}) == [f"{key}: 9856 is not allowed ({fewer})"]


def test_a_person_who_chooses_exemplars_needs_no_pool() -> None:
    chosen = {"figures.arithmetic.faces.annotator": "data/annotations/faces.json", "figures.arithmetic.faces.pool": 2}
    assert problems(chosen | {"figures.arithmetic.faces.candidates": 3}) == []
    assert problems(chosen | {"figures.arithmetic.faces.candidates": 2}) == [
        "figures.arithmetic.faces.exemplars: 3 is not allowed (at most 2: they are among "
        "figures.arithmetic.faces.candidates)"
    ]


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


def test_every_class_has_images_to_learn_from_whichever_are_drawn() -> None:
    """Of a set that nothing classifies, any may be drawn."""
    names = ("data/packed/svhn", "data/packed/imagenet")
    for count, told in ((10, []), (9, ["(0, or 10 images of every class: seven has 9)"])):
        sets = with_rare(names[0], count) | with_rare(names[1], count)
        found = [line for line in problems({"pack.sets.imagenet.test": 100}, sets) if "pack.sets" in line]
        assert found == [f"pack.sets.svhn.validation: 1000 is not allowed {why}" for why in told]
    none = with_rare("data/packed/cifar10", 0)
    assert any(line.endswith("(seven has no images for training)") for line in problems({}, none))


def test_labels_are_drawn_of_the_rarest_class_too() -> None:
    """Of those that are left once others are drawn for validation; else the SVM would find out behind a training."""
    rare = with_rare("data/packed/svhn", 250)
    most = left_of_seven(rare["data/packed/svhn"].labels, 1000, "pack", "svhn")
    assert 150 < most < 250
    keys = ("supervised.labels_per_class", "svm.svhn.labels_per_class", "svm.svhn.layer_labels")
    assert problems(dict.fromkeys(keys, most), rare) == []
    found = problems(dict.fromkeys(keys, most + 1), rare)
    told = f"{most + 1} is not allowed (at most {most}: seven has no more images)"
    assert found == [f"{key}: {told}" for key in keys]


def test_labels_are_drawn_of_what_the_svm_does_not_hold_out() -> None:
    rare = with_rare("data/packed/cifar10", 100)
    most = left_of_seven(rare["data/packed/cifar10"].labels, 1000, "validation")
    assert 50 < most < 100
    few = dict.fromkeys(("svm.cifar10_few.labels_per_class", "svm.kmeans_cifar10_few.labels_per_class"), most)
    curves = "svm.cifar10.curve_labels"
    assert problems({"svm.cifar10.labels_per_class": most, curves: [most], **few}, rare) == []
    assert problems({curves: [5, most + 1], **few}, rare) == [
        f"{curves}: {most + 1} is not allowed (at most {most}: seven has no more images)"
    ]
    told = problems({"svm.cifar10.validation": 3999}, rare)[0]
    assert told.startswith("svm.cifar10.validation: 3999 is not allowed (fewer, or another run.seed: no image of ")


def test_which_labels_are_left_rests_on_the_seed() -> None:
    """While that is refused, nobody knows which are drawn: only the number of all of them is judged."""
    values = change(preset_values(), "run.seed", -1)
    rare = SETS | with_rare("data/packed/svhn", 250) | with_rare("data/packed/cifar10", 100)
    for allowed, expected in ((300, []), (401, ["svm.svhn.labels_per_class", "supervised.labels_per_class"])):
        for key in ("svm.svhn.labels_per_class", "supervised.labels_per_class"):
            change(values, key, allowed)
        params, refused = read_params(values)
        found = list(broken(asks_too_much(params, rare, STORES)))
        assert len(refused) == 1 and sorted(line.partition(": ")[0] for line in found) == sorted(expected), found


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
