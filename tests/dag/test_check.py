"""`make check` tells at once what is wrong with sources and with numbers that they do not allow."""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from dcgan.core.files import InputError
from tests.dag.demo import preset_values
from tests.dag.test_check_sources import project
from tests.dag.test_params import REMOVED, change, places, write
from workflow.engines.check import check, check_content
from workflow.engines.dag import Stage, resolved_stages
from workflow.params.load import check_schema, read_yaml
from workflow.params.unknown import rests_on_unknown


def test_all_that_is_wrong_with_sources_is_told_at_once(root: Path, tmp_path: Path, good_image: bytes) -> None:
    changes = {
        "crop_faces.source": "data/raw/fotos",
        "pack.sets.cifar10.source": "data/raw/things",
        "pack.sets.svhn.source": "data/raw/svhn",
        "pack.sets.svhn.validation": 0,
        "svm.svhn.validation": 1,
        "train.svhn.held_out": 100,
        "quality.inception": "nowhere.pth",
    }
    folder = project(root, tmp_path, changes)
    for name in ("photos/1.jpg", *(f"things/{split}/{thing}/1.jpg" for split in ("train", "test") for thing in "ab")):
        (folder / "data/raw" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "data/raw" / name).write_bytes(good_image)
    (folder / "data/raw/svhn").mkdir()
    digits = {"X": np.zeros((32, 32, 3, 120), np.uint8), "y": np.arange(120)[:, None] % 10 + 1}
    for split in ("train", "test"):
        scipy.io.savemat(folder / f"data/raw/svhn/{split}_32x32.mat", digits)
    with pytest.raises(InputError) as error:
        check(folder)
    lines = str(error.value).split("\n")
    assert all(line.startswith("params.yaml: ") for line in lines)
    refused = {"pack.sets.mnist.image_size": "28", "train.faces.epochs": 0, "quality.draws": None}
    for further in ({}, {"run.threads": "2"}):  # with a text there, the DAG cannot be resolved
        changes = refused | further
        write(
            folder / "params.yaml",
            reduce(lambda params, one: change(params, *one), changes.items(), read_yaml(folder / "params.yaml")),
        )
        with pytest.raises(InputError) as both:
            check(folder)
        told = str(both.value).split("\n")
        hides = "a value that is refused hides none of these"
        assert set(lines) < set(told) and len(told) == len(lines) + len(changes), hides
        for key, value in changes.items():
            value = "null" if value is None else repr(value)
            assert sum(line.startswith(f"params.yaml: {key}: {value} is not allowed") for line in told) == 1, told
    for expected in (
        "crop_faces.source: 'data/raw/fotos' does not exist, and no stage makes it; did you mean photos?",
        "/nowhere.pth' is no file",
        "train.svhn.batch_size: 32 is not allowed (at most 20: data/packed/svhn/train.h5 has at most 120 images",
        "train.svhn.held_out: 100 is not allowed (6 to 60, half of the images, to measure quality by)",
        "supervised.images: 'data/packed/svhn' is not allowed (it needs train, validation, test, and has train, test;",
        "supervised.labels_per_class: 100 is not allowed (at most 12: 120 images of 10 classes are learned from)",
        "svm.cifar10.validation: 1000 is not allowed (1 to 1: no split is there for it)",
    ):
        assert sum(expected in line for line in lines) == 1, (expected, lines)


# Other sections depend on these; without care they would be told of what rests on an unknown value.
DEPENDED_ON = (
    *("demo.bedrooms", "demo.digits", "export.sets", "autoencoder.sets", "crop_faces.max_faces", "pack.sets.cifar10"),
    *("pack.sets.mnist.kind", "pack.sets.svhn.validation", "train.mnist.network", "train.svhn.images", "run.device"),
    *("guidelines.variants.published", "classifiers.faces.faces.attributes", "figures.arithmetic.faces.sums"),
)


def every_place(tree: Any, place: str = "") -> Iterator[str]:
    """All dotted keys of a tree."""
    for key, value in tree.items() if isinstance(tree, Mapping) else ():
        yield f"{place}{key}"
        yield from every_place(value, f"{place}{key}.")


def unresolved() -> dict[str, Stage]:
    """What DVC's parser does over many a value that is refused."""
    raise TypeError("unresolved")


def test_a_value_that_is_refused_breaks_no_other_rule(root: Path, tmp_path: Path) -> None:
    """The demo is right; so whatever else were told would be wrong, also if the DAG cannot be resolved."""
    project(root, tmp_path, {})
    stages, keys = resolved_stages(tmp_path), sorted(places(preset_values()))
    for number, key in enumerate((*DEPENDED_ON, *random.Random(1).sample(keys, 25))):
        params = change(preset_values(), key, [None])
        with pytest.raises(InputError) as refused:
            check_schema(params, "params.yaml")
        with pytest.raises(InputError) as told:
            check_content(tmp_path, params, "params.yaml", unresolved if number % 2 else lambda: stages)
        assert str(told.value) == str(refused.value)


@pytest.mark.parametrize("resolved", [True, False])
def test_whatever_the_parameters_are_they_give_lines(root: Path, tmp_path: Path, resolved: bool) -> None:
    """One or two values, or whole sections, of any other form."""
    project(root, tmp_path, {})
    stages, keys = resolved_stages(tmp_path), sorted(every_place(preset_values()))
    draw = random.Random(2)
    for _ in range(40):
        params = preset_values()
        for key in draw.sample(keys, draw.choice([1, 2])):
            with suppress(KeyError, TypeError):  # the one may lie in the other
                change(params, key, draw.choice([None, -1, "x", ".", [], {}]))
        told = ""
        try:
            check_content(tmp_path, params, "params.yaml", (lambda: stages) if resolved else none_at_all)
        except InputError as error:
            told = str(error)
        assert not rests_on_unknown(told) and "Unknown" not in told


def none_at_all() -> dict[str, Stage]:
    """A DAG that cannot be resolved, whatever the parameters are."""
    raise InputError("dvc.yaml: unresolved")


def test_what_no_stage_makes_is_missed_with_its_key(root: Path, tmp_path: Path) -> None:
    """Whether or not the DAG can be resolved."""
    absent = {
        "export.source": "raw/rooms",
        "train.faces.images": "own/faces.h5",
        "autoencoder.sets.bedrooms": "own/rooms.h5",
        "features.svhn.images": "own/digits",
        "classifiers.faces.faces.truth": "own/truth.csv",
        "figures.turn.faces.annotator": "own/turn.json",
        "quality.sets.faces.autoencoder": "own/autoencoder.safetensors",
        "neighbours.mnist.generator": "own/generator.safetensors",
        "svm.svhn.features": "own/features",
    }
    project(root, tmp_path, absent)
    demo, threads = resolved_stages(tmp_path), {"run.threads": None}
    for changes, stages_of in ((absent, lambda: demo), (absent | threads, unresolved)):
        params = reduce(lambda params, one: change(params, *one), changes.items(), preset_values())
        with pytest.raises(InputError) as error:
            check_content(tmp_path, params, "params.yaml", stages_of)
        lines = [line for line in str(error.value).split("\n") if " run.threads: " not in line]
        for key, path in absent.items():
            told = f"params.yaml: {key}: {path!r} does not exist, and no stage makes it"
            assert sum(line.startswith(told) for line in lines) == 1, (told, lines)
        assert len(lines) == len(absent)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("export", REMOVED, "missing (to switch it off, write export: {sets: [], shards: []})"),
        ("guidelines.variants", None, "null is not allowed"),
        ("autoencoder.sets.bedrooms", 3, "3 is not allowed"),
    ],
)
def test_what_dvc_says_of_a_section_that_is_refused_is_not_told(
    root: Path, tmp_path: Path, key: str, value: object, expected: str
) -> None:
    """Its parser fails over each of these in another way."""
    folder = project(root, tmp_path, {"train.faces.network": "demo23"})
    write(folder / "params.yaml", change(read_yaml(folder / "params.yaml"), key, value))
    with pytest.raises(InputError) as error:
        check(folder)
    refused, network = str(error.value).split("\n")
    assert refused.startswith(f"params.yaml: {key}: {expected}")
    assert network.startswith("params.yaml: train.faces.network: 'demo23' is not allowed (one of ")


@pytest.mark.parametrize("command", ["python -m workflow.engines.check", "python -m workflow.repro"])
def test_combinations_sources_rows_and_devices_are_told_at_once(
    checkout: Path, run: Callable[..., Any], command: str
) -> None:
    """One fault does not hide those of another kind, and is not told twice."""
    params = read_yaml(checkout / "params.yaml")
    for key, value in {
        "train.bedrooms.network": "demo23",
        "export.source": "data/raw/nowhere",
        "train.svhn.batch_size": 3501,
        "features.svhn.discriminator": "data/networks/svnh/discriminator.safetensors",
        "figures.samples.svhn.images": "data/packed/svnh/train.h5",
        "run.device": "cuda",
    }.items():
        change(params, key, value)
    write(checkout / "params.yaml", params)
    # In a job of Slurm the run is on this machine, even where `sbatch` is installed.
    finished = run(checkout, "env", "CUDA_VISIBLE_DEVICES=", "SLURM_JOB_ID=1", *command.split(), status=2)
    lines = finished.stderr.splitlines()
    for expected in (
        "error: params.yaml: train.bedrooms.network: 'demo23' is not allowed (one of ",
        "error: params.yaml: export.source: 'data/raw/nowhere' does not exist, and no stage makes it",
        "error: params.yaml: train.svhn.batch_size: 3501 is not allowed (at most 3,500: ",
        "error: params.yaml: features.svhn.discriminator: 'data/networks/svnh/discriminator.safetensors' is not",
        "error: params.yaml: figures.samples.svhn.images: 'data/packed/svnh/train.h5' is not allowed",
        "error: run.device is cuda, but PyTorch",
    ):
        assert sum(line.startswith(expected) for line in lines) == 1, (expected, lines)
    assert len(lines) == 6 and not (checkout / "logs").exists(), lines


def test_snakemake_does_not_start_on_a_gpu_without_one(checkout: Path, run: Callable[..., Any]) -> None:
    """As the test above has it for the other commands."""
    write(checkout / "params.yaml", change(read_yaml(checkout / "params.yaml"), "run.device", "cuda"))
    finished = run(checkout, "env", "CUDA_VISIBLE_DEVICES=", "snakemake", "--cores", "1", status=2)
    (line,) = [line for line in finished.stderr.splitlines() if "error:" in line]
    assert line.startswith("error: run.device is cuda, but PyTorch") and "set run.device to cpu" in line
    assert not (checkout / "logs").exists() and "Traceback" not in finished.stderr
