"""What only a stage behind a training would refuse is told before any work."""

from typing import Any

import pytest

from tests.dag.demo import cached_preset, preset_values
from tests.dag.test_params import change
from tests.dag.test_rows import SETS
from workflow.params.consistency import broken
from workflow.params.late import found_out_late
from workflow.params.load import check_params
from workflow.params.rows import PackedRows


def problems(changes: dict[str, Any], classes: int = 10) -> list[str]:
    params = preset_values()
    for key, value in changes.items():
        change(params, key, value)
    sets = SETS | {"data/packed/mnist": PackedRows({"train": 5000, "test": 1250}, classes)}
    return list(broken(found_out_late(check_params(params, "params"), sets)))


@pytest.mark.parametrize("name", ["demo", "evening", "folder", "small", "paper"])
def test_the_presets_are_right(name: str) -> None:
    assert list(broken(found_out_late(check_params(cached_preset(name), name), SETS))) == []


SMILE = {"plus": {"smile": 1}, "minus": {"smile": 0}, "other": {"smile": 0}}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (
            "figures.walk.bedrooms.images",
            "data/packed/mnist/train.h5",
            "(it makes 32 x 32 x 3, the images in data/packed/m",
        ),
        ("figures.nearest.bedrooms.images", "data/bedrooms/uniqe.h5", "did you mean data/bedrooms/unique.h5?)"),
        (
            "figures.arithmetic.faces.sums",
            [SMILE | {"minus": {"glasses": 0}}],
            "(glasses, smile: all three concepts of a sum must name the same attributes)",
        ),
        (
            "figures.arithmetic.faces.sums",
            [SMILE | {"other": {"smile": 0, "glasses": 1}}],
            "(glasses: all three concepts of a sum must name the same attributes)",
        ),
        ("figures.arithmetic.faces.sums", [SMILE | {"other": {"smile": 1}}], "sums.0: "),
        ("figures.arithmetic.faces.sums", [SMILE | {"other": {"smile": 1}}], "(smile: 1 - 0 + 1 is neither 0 nor 1)"),
        (
            "neighbours.mnist.generator",
            "data/networks/svhn/generator.safetensors",
            "(a conditional network; its samples have no labels)",
        ),
        (
            "neighbours.mnist.images",
            "data/packed/svhn",
            "(it makes 28 x 28 x 1, the images in data/packed/svhn are 32 x",
        ),
        ("classifiers.faces.faces.images", "data/packed/mnist/train.h5", "figures.turn.faces.annotator: 'data/classif"),
    ],
)
def test_one_line_names_key_value_and_what_is_allowed(key: str, value: Any, expected: str) -> None:
    found = problems({key: value})
    assert any(expected in line for line in found), found


@pytest.mark.parametrize(
    ("key", "allowed", "refused", "expected"),
    [
        ("figures.guided.bedrooms.layer", 2, 3, "3 is not allowed (-3 to 2, as the discriminator of demo32 has 3 conv"),
        ("figures.guided.bedrooms.layer", -3, -4, "-4 is not allowed (-3 to 2, as the discriminator of demo32"),
        (
            "figures.windows.bedrooms.layer",
            -3,
            -4,
            "-4 is not allowed (-3 to -2, as the generator of demo32 has 3 conv",
        ),
        (
            "train.bedrooms.frame_images",
            1,
            None,
            "null is not allowed (figures.animation.bedrooms is made of these grids",
        ),
    ],
)
def test_a_figure_shows_what_its_network_has(key: str, allowed: Any, refused: Any, expected: str) -> None:
    assert problems({key: allowed}) == []
    found = problems({key: refused})
    assert len(found) == 1 and f"{key}: {expected}" in found[0]


def test_a_network_without_convolutions_has_no_layers() -> None:
    figure = cached_preset("demo")["figures"]["guided"]["bedrooms"]
    assert problems({"figures.guided.mnist_dense": figure})[0].endswith(
        "(none, as the discriminator of demo_mnist28_dense has 0 convolution layers)"
    )


@pytest.mark.parametrize("figure", ["walk", "guided", "windows", "arithmetic", "turn"])
def test_a_figure_of_z_alone_needs_a_network_without_labels(figure: str) -> None:
    (of_demo,) = cached_preset("demo")["figures"][figure].values()
    assert f"figures.{figure}.mnist: 'demo_mnist28' is not allowed (a network that needs no labels)" in problems(
        {f"figures.{figure}.mnist": of_demo}
    )


@pytest.mark.parametrize("section", ["quality.sets", "figures.walk"])
def test_the_code_space_is_one_of_colour_images(section: str) -> None:
    kind, _, part = section.partition(".")
    of_demo = cached_preset("demo")[kind][part]["bedrooms"]
    assert f"{section}.mnist: 'demo_mnist28' is not allowed (a network of colour images)" in problems(
        {f"{section}.mnist": of_demo | {"images": "data/packed/mnist/train.h5"}}
    )


def test_a_conditional_network_knows_all_classes() -> None:
    assert problems({}, classes=10) == []
    assert problems({}, classes=11) == [
        f"train.{name}.network: '{network}' is not allowed (it knows 10 classes, data/packed/mnist has 11)"
        for name, network in (("mnist", "demo_mnist28"), ("mnist_dense", "demo_mnist28_dense"))
    ]
