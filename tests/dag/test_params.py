"""Bad parameters get one clear line each, before any work starts."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from dcgan.core.files import InputError
from tests.dag.demo import preset_values
from workflow.params import sections
from workflow.params.load import check_params, load_params
from workflow.params.refused import is_section

REMOVED = object()


def places(tree: Any, place: str = "") -> Iterator[str]:
    """The dotted keys of a tree that have no keys below them."""
    for key, value in tree.items() if isinstance(tree, Mapping) else ():
        yield from places(value, f"{place}{key}.") if isinstance(value, Mapping) and value else [f"{place}{key}"]


def change(params: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """Sets, or removes, a dotted key."""
    *sections, last = key.split(".")
    section = params
    for name in sections:
        section = section[name]
    if value is REMOVED:
        del section[last]
    else:
        section[last] = value
    return params


def write(path: Path, params: dict[str, Any]) -> Path:
    YAML(typ="safe").dump(params, path)
    return path


def one_line(error: pytest.ExceptionInfo[InputError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("train.bedrooms.learning_rat", 0.0002, "train.bedrooms.learning_rat: unknown key"),
        ("train.bedrooms.learning_rat", 0.0002, "unknown key (did you mean learning_rate?)"),
        ("figures.arithmetic.faces.sums", [{"plsu": "a"}], "faces.sums.0.plsu: unknown key (did you mean plus?)"),
        ("shared.train.bet1", 0.5, "shared.train.bet1: unknown key (did you mean beta1?)"),
        ("shared.train.beta1", -1.0, "shared.train.beta1: -1.0 is not allowed"),
        ("shared.train.watch.action", "wait", "shared.train.watch.action: 'wait' is not allowed"),
        ("shared.train.beta1", REMOVED, "train.bedrooms.beta1: missing"),
        ("shared.svm.tolerance", 1.0, "shared.svm.tolerance: 1.0 is not allowed"),
        ("shared.kmeans", {}, "shared.kmeans: unknown key"),
        ("shared", 3, "shared: 3 is not allowed"),
        ("shared.train", 3, "shared.train: 3 is not allowed"),
        ("train", 3, "train: 3 is not allowed"),
        ("train.faces", 3, "train.faces: 3 is not allowed"),
        ("train.bedrooms.beta1", 2.0, "train.bedrooms.beta1: 2.0 is not allowed"),
        ("train.bedrooms.learning_rate", REMOVED, "train.bedrooms.learning_rate: missing"),
        ("train.bedrooms.learning_rate", "0.0002", "train.bedrooms.learning_rate: '0.0002' is not allowed"),
        ("train.bedrooms.learning_rate", -0.0002, "train.bedrooms.learning_rate: -0.0002 is not allowed"),
        ("train.bedrooms.learning_rate", 0, "train.bedrooms.learning_rate: 0 is not allowed"),
        ("train.bedrooms.learning_rate", float("nan"), "train.bedrooms.learning_rate: nan is not allowed"),
        ("train.bedrooms.epochs", True, "train.bedrooms.epochs: True is not allowed"),
        ("train.bedrooms.epochs", 1.5, "train.bedrooms.epochs: 1.5 is not allowed"),
        ("train.bedrooms.epochs", 10**12, "train.bedrooms.epochs: 1000000000000 is not allowed"),
        ("train.bedrooms.schedule", "never", "train.bedrooms.schedule: 'never' is not allowed"),
        ("train.bedrooms.network", "lsun65", "train.bedrooms.network: 'lsun65' is not allowed (one of lsun64, "),
        ("train.bedrooms.network", "lsun64", "train.bedrooms.network: 'lsun64' is not allowed (it makes 64 x 64 x 3"),
        ("train.bedrooms.images", "data/bedrooms/uniq.h5", "train.bedrooms.images: 'data/bedrooms/uniq.h5' is not"),
        (
            "train.bedrooms.decay_epochs",
            36,
            "train.bedrooms.decay_epochs: 36 is not allowed (at most train.bedrooms.epo",
        ),
        ("train.bedrooms.processes", 3, "train.bedrooms.processes: 3 is not allowed (has to divide batch_size, 32)"),
        ("train.bedrooms.held_out", 0, "train.bedrooms.keep_images: 30000 is not allowed (needs held_out images"),
        ("train.svhn.deliver", "best", "train.svhn.deliver: 'best' is not allowed (needs keep_images"),
        ("onnx.kitchens", {"statistics": "batch", "statistics_batches": 1}, "onnx.kitchens: 'kitchens' is not allowed"),
        ("explore.networks", ["faces", "cats"], "explore.networks.cats: 'cats' is not allowed"),
        ("explore.networks", ["faces", "svhn", "faces"], "'faces'] is not allowed (each network once)"),
        ("train.faces", REMOVED, "'faces' is not allowed (train has bedrooms, "),
        ("train.a b", {}, "train.a b"),
        (
            "pack.sets.imagenet.splits",
            {"test": "a"},
            "pack.sets.imagenet.splits: {'test': 'a'} is not allowed (needs train",
        ),
        ("pack.sets.imagenet.splits", {"train": "a", "tset": "b"}, "(needs train, and"),
        ("pack.sets.svhn.splits", {"train": "a"}, "not allowed (kind svhn has splits of its own)"),
        ("run.seed", -1, "run.seed: -1 is not allowed"),
        (
            "figures.turn.faces.annotator",
            "data/classifiers/faces_cats.safetensors",
            "'data/classifiers/faces_cats.safetensors' is not",
        ),
        (
            "figures.arithmetic.faces.sums",
            [dict.fromkeys(("plus", "minus", "other"), "men")],
            "a classifier needs attributes",
        ),
        (
            "figures.arithmetic.faces.sums",
            [dict.fromkeys(("plus", "minus", "other"), {"hat": 1})],
            "figures.arithmetic.faces.sums.hat: 'hat' is not allowed (the classifier has glasses, smile, long_hair)",
        ),
        ("figures.samples.bedrooms.count", 10**12, "figures.samples.bedrooms.count: 1000000000000 is not allowed"),
        ("figures.turn.faces.steps", 10**12, "figures.turn.faces.steps: 1000000000000 is not allowed"),
        ("supervised.images", "", "supervised.images: '' is not allowed"),
        ("supervised.images", "data/packed/svnh", "supervised.images: 'data/packed/svnh' is not allowed (what is made"),
        ("supervised.network", "lsun64", "supervised.network: 'lsun64' is not allowed (it makes 64 x 64 x 3"),
        ("supervised.network", "demo_mnist28", "supervised.network: 'demo_mnist28' is not allowed (it is conditional"),
        ("supervised.shards", [0, 1, 2, 3, 4], "supervised.shards: [0, 1, 2, 3, 4] is not allowed (more shards than"),
        (
            "features.cifar10.images",
            "data/packed/mnist",
            "imagenet/discriminator.safetensors' is not allowed (it makes",
        ),
        (
            "features.svhn.discriminator",
            "data/networks/mnist/discriminator.safetensors",
            "features.svhn.discriminator: 'data/networks/mnist/discriminator.safetensors' is not allowed (it is cond",
        ),
        ("kmeans.cifar10.images", "data/packed/cifar", "kmeans.cifar10.images: 'data/packed/cifar' is not allowed"),
        ("svm.svhn.learn_validation", True, "svm.svhn.learn_validation: True is not allowed (the set has a validation"),
        ("run.threads", 0, "run.threads: 0 is not allowed"),
        ("run.device", "tpu", "run.device: 'tpu' is not allowed"),
        ("export.shards", [0, 2], "export.shards: [0, 2] is not allowed"),
        ("crop_faces.shards", [1], "crop_faces.shards: [1] is not allowed"),
        ("crop_faces.image_size", 64, "crop_faces.image_size: 64 is not allowed (at most crop_faces.resize, 32)"),
        ("crop_faces.detector", "yunet", "crop_faces.model: null is not allowed"),
        ("export.max_rejects", 1.5, "export.max_rejects: 1.5 is not allowed"),
        ("export.image_size", 100_000, "export.image_size: 100000 is not allowed"),
        ("autoencoder.code_size", 100, "autoencoder.code_size: 100 is not allowed"),
        ("autoencoder.code_size", 10**12, "autoencoder.code_size: 1000000000000 is not allowed"),
        ("autoencoder.noise", 1e30, "autoencoder.noise: 1e+30 is not allowed"),
        ("crop_faces.margin", 1e9, "crop_faces.margin: 1000000000.0 is not allowed"),
        ("crop_faces.scale_factor", 1.0000001, "crop_faces.scale_factor: 1.0000001 is not allowed"),
        ("train.bedrooms.weight_decay", 1e9, "train.bedrooms.weight_decay: 1000000000.0 is not allowed"),
        ("svm.svhn.costs", [1e300], "svm.svhn.costs.0: 1e+300 is not allowed"),
        ("figures.walk.bedrooms.length", 10**12, "figures.walk.bedrooms.length: 1000000000000 is not allowed"),
        ("figures.samples.bedrooms.enlargement", 10**9, "enlargement: 1000000000 is not allowed"),
        ("figures.windows.bedrooms.layer", -99, "figures.windows.bedrooms.layer: -99 is not allowed"),
        ("neighbours.mnist.samples", [10000, 500], "neighbours.mnist.samples: [10000, 500] is not allowed"),
        ("export.source", "", "export.source: '' is not allowed"),
        ("export.source", "data/x $(touch run)", "export.source: 'data/x $(touch run)' is not allowed"),
        ("crop_faces.source", 'data/"; touch run; "', "crop_faces.source: 'data/\"; touch run; \"' is not allowed"),
        ("train.bedrooms.images", "data/`touch run`.h5", "train.bedrooms.images: 'data/`touch run`.h5' is not allowed"),
        ("figures.turn.faces.annotator", "a\nb.json", "figures.turn.faces.annotator: 'a\\nb.json' is not allowed"),
        ("autoencoder.dropout", 1.0, "autoencoder.dropout: 1.0 is not allowed"),
        ("deduplicate.radius", -1, "deduplicate.radius: -1 is not allowed"),
        ("pack.sets.cifar10.kind", "cifar100", "pack.sets.cifar10.kind: 'cifar100' is not allowed"),
        ("demo", REMOVED, "demo: missing"),
        ("nonsense", {}, "nonsense: unknown key"),
    ],
)
def test_one_line_names_key_value_and_what_is_allowed(key: str, value: Any, expected: str) -> None:
    with pytest.raises(InputError) as error:
        check_params(change(preset_values(), key, value), "params.yaml")
    assert any(expected in line for line in str(error.value).split("\n"))


def test_whatever_was_published_may_be_null() -> None:
    """Nobody published a number of one's own pictures."""
    params = preset_values()
    keys = [key for key in places(params) if key.rpartition(".")[2].startswith("published_")]
    fields = {field for kind in vars(sections).values() if is_section(kind) for field in kind.model_fields}
    assert {key.rpartition(".")[2] for key in keys} == {name for name in fields if name.startswith("published_")}
    for key in keys:
        change(params, key, None)
    check_params(params, "params.yaml")


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    params = preset_values()
    for key, value in (
        ("run.device", "coda"),
        ("export.source", "~/rooms"),
        ("crop_faces.source", "$HOME/photos"),
        ("train.bedrooms.epochs", 0),
        ("figures.arithmetic.faces.sums", [{"plus": {"smile": 2}, "minus": "a", "other": "b"}]),
        ("train.faces.sample_epochs", [31]),
    ):
        change(params, key, value)
    path = write(tmp_path / "params.yaml", params)
    with pytest.raises(InputError) as error:
        load_params(path)
    assert str(error.value).replace(f"{path}: ", "").split("\n") == [
        "run.device: 'coda' is not allowed (Input should be 'auto', 'cpu' or 'cuda'; did you mean cuda?)",
        f"export.source: '~/rooms' is not allowed (is not expanded here; write {Path.home()}/rooms)",
        f"crop_faces.source: '$HOME/photos' is not allowed (is not expanded here; write {Path.home()}/photos)",
        "train.bedrooms.epochs: 0 is not allowed (Input should be greater than or equal to 1)",
        "figures.arithmetic.faces.sums.0.plus.smile: 2 is not allowed (Input should be 0 or 1)",
        "figures.arithmetic.faces.sums.0.plus: {'smile': 2} is not allowed (Input should be a valid string)",
        "train.faces.sample_epochs: [31] is not allowed (at most train.faces.epochs, 30, for at least one of them)",
    ]


@pytest.mark.parametrize(("key", "told"), [(True, "1"), (None, "None"), (7, "7"), (1.5, "1.5")])
def test_a_key_that_is_no_text_is_refused(key: Any, told: str) -> None:
    params = preset_values()
    params["run"][key] = 1
    with pytest.raises(InputError) as error:
        check_params(params, "params.yaml")
    assert one_line(error).startswith(f"params.yaml: run.{told}: ") and "(Keys should be strings)" in str(error.value)


def test_a_section_with_enabled_does_not_hide_the_rest() -> None:
    params = preset_values()
    params["onnx"] = {"enabled": True}
    change(params, "train.bedrooms.epochs", 0)
    with pytest.raises(InputError) as error:
        check_params(params, "params.yaml")
    assert str(error.value).split("\n") == [
        "params.yaml: onnx.enabled: unknown key (to switch it off, leave onnx out)",
        "params.yaml: train.bedrooms.epochs: 0 is not allowed (Input should be greater than or equal to 1)",
    ]


def test_combinations_that_cannot_be_are_told_at_once_with_the_nearest_spelling(tmp_path: Path) -> None:
    params = preset_values()
    for key, value in (
        ("train.mnist_dense.network", "demo_mnist28_dens"),
        ("train.faces.sample_epochs", [31, 40]),
        ("kmeans.cifar10.images", "data/packed/cifar"),
        ("supervised.shards", []),
    ):
        change(params, key, value)
    with pytest.raises(InputError) as error:
        load_params(write(tmp_path / "params.yaml", params))
    lines = str(error.value).split("\n")
    assert len(lines) == 4
    for expected in (
        "supervised.shards: [] is not allowed (has to be empty if and only if supervised.results is, "
        "['supervised_cnn'])",
        "; did you mean demo_mnist28_dense?)",
        "train.faces.sample_epochs: [31, 40] is not allowed (at most train.faces.epochs, 30, for at least one of them)",
        "; did you mean data/packed/cifar10?)",
    ):
        assert any(expected in line for line in lines), (expected, lines)


def test_a_misspelled_key_is_named_before_the_one_that_is_missing(tmp_path: Path) -> None:
    params = preset_values()
    params["train"]["bedrooms"]["epoch"] = params["train"]["bedrooms"].pop("epochs")
    with pytest.raises(InputError, match=r"train\.bedrooms\.epoch: unknown key \(did you mean epochs\?\)$"):
        load_params(write(tmp_path / "params.yaml", params))


def test_a_section_has_the_shared_keys_unless_it_has_its_own(tmp_path: Path) -> None:
    params = preset_values()
    params["shared"]["train"] |= {"beta1": 0.6, "learning_rate": 0.1}
    params["train"]["faces"] |= {"beta1": 0.7, "watch": {"action": "stop"}}
    train = load_params(write(tmp_path / "params.yaml", params)).train
    assert (train["bedrooms"].beta1, train["faces"].beta1) == (0.6, 0.7)
    assert train["bedrooms"].learning_rate == params["train"]["bedrooms"]["learning_rate"] != 0.1
    assert (train["bedrooms"].watch.action, train["faces"].watch.action) == ("continue", "stop")
    assert train["faces"].watch.intervals == params["shared"]["train"]["watch"]["intervals"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "expected sections of parameters"),
        (b"- 1\n", "expected sections of parameters"),
        (b"run: [", "cannot be read"),
        (b"run: {seed: 1}\nrun: {seed: 2}\n", "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"run: !!python/object/apply:os.system ['true']\n", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_no_parameters(tmp_path: Path, content: bytes | None, expected: str) -> None:
    path = tmp_path / "params.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as error:
        load_params(path)
    assert expected in one_line(error)
