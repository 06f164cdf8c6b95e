"""Sources that are not what a parameter says are told before any work."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from dcgan.core.files import InputError
from dcgan.data.image_store import StoreWriter
from tests.dag.demo import preset_values
from tests.dag.test_params import change, write
from workflow.engines.check import check
from workflow.params.load import read_yaml


def project(root: Path, folder: Path, changes: dict[str, Any]) -> Path:
    """A folder with this DAG and changed parameters, and the scripts that stages depend on."""
    params = preset_values()
    for key, value in changes.items():
        change(params, key, value)
    write(folder / "params.yaml", params)
    shutil.copy(root / "dvc.yaml", folder)
    for name in ("stages", "dcgan", "demo", "workflow"):
        (folder / name).symlink_to(root / name)
    return folder


def test_the_parameters_in_git_are_right_and_their_sources_are_told(root: Path, tmp_path: Path) -> None:
    lines = check(project(root, tmp_path, {}))
    assert "pack.sets.svhn.source: rendered: train 5,000, test 1,250; 10 classes" in lines
    assert re.fullmatch(r"params.yaml is fine: 6 sources, 4 sets, 6 networks, \d+ stages", lines[-1])


def empty(path: Path) -> None:
    path.mkdir(parents=True)


def no_lmdb(path: Path) -> None:
    path.mkdir(parents=True)
    (path / "data.mdb").write_bytes(b"this is no LMDB" * 1000)


def text_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("not what it should be\n")


def nothing(path: Path) -> None:
    return None


@pytest.mark.parametrize("make", [nothing, empty, no_lmdb, text_file])
def test_sources_that_are_not_what_they_should_be(root: Path, tmp_path: Path, make: Callable[[Path], None]) -> None:
    """Each of them gets a line."""
    sources = {"export": "rooms", **{f"pack.sets.{name}": name for name in ("imagenet", "cifar10", "svhn", "mnist")}}
    paths = {f"{section}.source": f"data/raw/my_{name}" for section, name in sources.items()}
    folder = project(root, tmp_path, paths)
    for path in paths.values():
        make(folder / path)
    with pytest.raises(InputError) as error:
        check(folder)
    lines = str(error.value).split("\n")
    assert len(lines) == len(paths), lines
    for key, path in paths.items():
        assert [path in line for line in lines if f"{key}: " in line] == [True], lines


@pytest.mark.parametrize("make", [nothing, empty])
def test_photos_that_are_none(root: Path, tmp_path: Path, make: Callable[[Path], None]) -> None:
    folder = project(root, tmp_path, {"crop_faces.source": "data/raw/brought"})
    make(folder / "data/raw/brought")
    with pytest.raises(InputError, match=r"crop_faces\.source.*data/raw/brought"):
        check(folder)


def test_four_files_that_are_no_mnist(root: Path, tmp_path: Path) -> None:
    folder = project(root, tmp_path, {"pack.sets.mnist.source": "data/raw/brought"})
    (folder / "data/raw/brought").mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (folder / f"data/raw/brought/{name}-ubyte").write_bytes(bytes(20))
    with pytest.raises(InputError, match=r"mnist\.source: .*train-images-idx3-ubyte: not an idx file"):
        check(folder)


def test_folders_that_can_be_read_in_two_ways(root: Path, tmp_path: Path, good_image: bytes) -> None:
    folder = project(root, tmp_path, {"pack.sets.imagenet.source": "data/raw/brought"})
    for name in ("train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg", "meta/1.jpg"):
        (folder / "data/raw/brought" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "data/raw/brought" / name).write_bytes(good_image)
    with pytest.raises(InputError, match=r"imagenet.source: .*meta/ are not; name them in pack.sets.imagenet.splits"):
        check(folder)


def celeba(folder: Path, good_image: bytes, attributes: str) -> dict[str, Any]:
    """Twenty pictures with their lists, two of them for validation; the section of a set of these."""
    (folder / "data/raw/celeba/img_align_celeba").mkdir(parents=True)
    names = [f"{number:06}.jpg" for number in range(20)]
    for name in names:
        (folder / "data/raw/celeba/img_align_celeba" / name).write_bytes(good_image)
    rows = "".join(f"{name} 1\n" for name in names)
    (folder / "data/raw/celeba/list_attr_celeba.txt").write_text(f"{attributes}\n{rows}")
    parts = "".join(f"{name} {number // 18}\n" for number, name in enumerate(names))
    (folder / "data/raw/celeba/list_eval_partition.txt").write_text(parts)
    return {"source": "data/raw/celeba", "kind": "celeba", "splits": None, "image_size": 64, "validation": 0, "test": 0}


def test_celebas_lists_are_read(root: Path, tmp_path: Path, good_image: bytes) -> None:
    """What is wrong with them, or with the splits that they make, is told here and not by the run."""
    section = celeba(tmp_path, good_image, "20\nSmiling")
    project(root, tmp_path, {"pack.sets.celeba": section})
    assert "pack.sets.celeba.source: CelebA, 1 attributes: train 18, validation 2" in check(tmp_path)
    write(tmp_path / "params.yaml", change(preset_values(), "pack.sets.celeba", section | {"validation": 3}))
    with pytest.raises(InputError, match=r"celeba\.validation: 3 .*0, as the source has a validation split"):
        check(tmp_path)
    write(tmp_path / "params.yaml", change(preset_values(), "pack.sets.celeba", section | {"test": 18}))
    with pytest.raises(InputError, match=r"celeba\.test: 18 .*fewer than the 18 images for training"):
        check(tmp_path)
    shutil.rmtree(tmp_path / "data/raw/celeba")
    celeba(tmp_path, good_image, "21\nSmiling")
    write(tmp_path / "params.yaml", change(preset_values(), "pack.sets.celeba", section))
    with pytest.raises(InputError, match=r"celeba\.source: .*list_attr_celeba\.txt: .*counts 21 rows, there are 20"):
        check(tmp_path)


def test_two_keys_that_name_one_source_are_both_looked_at(root: Path, tmp_path: Path) -> None:
    """What is right for the last of them may be wrong for the first."""
    both = "data/raw/both"
    folder = project(root, tmp_path, {"pack.sets.cifar10.source": both, "pack.sets.svhn.source": both})
    (folder / both).mkdir(parents=True)
    images = {"X": np.zeros((32, 32, 3, 4), np.uint8), "y": np.ones((4, 1), np.uint8)}
    for split in ("train", "test"):
        scipy.io.savemat(folder / both / f"{split}_32x32.mat", images)
    with pytest.raises(InputError, match=r"pack\.sets\.cifar10\.source"):
        check(folder)


@pytest.mark.parametrize("name", ["data", "{root}/data", "{root}", "./data", "linked"])
def test_a_source_above_what_the_dag_makes_is_known_however_it_is_written(
    root: Path, tmp_path: Path, name: str
) -> None:
    path = name.format(root=tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "linked").symlink_to("data")
    with pytest.raises(InputError, match=rf"crop_faces\.source: '{re.escape(path)}' holds what the DAG makes"):
        check(project(root, tmp_path, {"crop_faces.source": path}))


def test_what_the_dag_makes_has_the_dags_name(root: Path, tmp_path: Path) -> None:
    """Under another name nothing would make it before it is read."""
    store = tmp_path / "data/bedrooms/unique.h5"
    store.parent.mkdir(parents=True)
    store.touch()
    with pytest.raises(InputError, match=r"train.bedrooms.images: .* which knows it as 'data/bedrooms/unique.h5'"):
        check(project(root, tmp_path, {"train.bedrooms.images": str(store)}))


def test_model_files_that_are_not_there(root: Path, tmp_path: Path) -> None:
    for name in ("yunet", "inception"):
        (tmp_path / name).mkdir()
    yunet = {"crop_faces.detector": "yunet", "crop_faces.model": "nowhere.onnx"}
    with pytest.raises(InputError, match=r"crop_faces\.model: '.*nowhere\.onnx' is no file"):
        check(project(root, tmp_path / "yunet", yunet))
    with pytest.raises(InputError, match=r"quality\.inception: '.*nowhere\.pth' is no file"):
        check(project(root, tmp_path / "inception", {"quality.inception": "nowhere.pth"}))


def test_images_to_learn_from_that_are_no_store(root: Path, tmp_path: Path) -> None:
    folder = project(root, tmp_path, {"train.bedrooms.images": "data/mine.h5"})
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data/mine.h5").write_text("no store")
    with pytest.raises(InputError, match=r"train\.bedrooms\.images"):
        check(folder)


def test_images_of_one_s_own_are_counted_for_classifiers_and_figures(root: Path, tmp_path: Path) -> None:
    changes = {f"{kind}.bedrooms.images": "data/mine.h5" for kind in ("classifiers.windows", "figures.guided")}
    folder = project(root, tmp_path, changes)
    (folder / "data").mkdir(exist_ok=True)
    with StoreWriter(folder / "data/mine.h5", (32, 32, 3), {}) as store:
        store.append(np.zeros((9, 32, 32, 3), np.uint8), [str(number) for number in range(9)])
    with pytest.raises(InputError) as error:
        check(folder)
    assert str(error.value).replace("params.yaml: ", "").split("\n") == [
        "classifiers.windows.bedrooms.batch_size: 64 is not allowed (at most 7: data/mine.h5 has at most 9 images, 2 "
        "are held out)",
        "figures.guided.bedrooms.strongest: 10 is not allowed (at most 9: data/mine.h5 has no more images)",
    ]


def test_a_demo_set_that_is_left_out_is_missed(root: Path, tmp_path: Path) -> None:
    folder = project(root, tmp_path, {"demo.sets": ["faces", "digits", "objects"]})
    with pytest.raises(InputError, match=r"export\.source: .* does not exist, and no stage makes it"):
        check(folder)


def test_annotations_that_are_not_there(root: Path, tmp_path: Path) -> None:
    folder = project(root, tmp_path, {"figures.windows.bedrooms.annotator": "data/annotations/mine.json"})
    with pytest.raises(InputError, match=r"mine\.json' does not exist.*make annotate"):
        check(folder)
    (folder / "data/annotations").mkdir(parents=True)
    (folder / "data/annotations/mine.json").write_text("{}")
    check(folder)


SCHEMA = ("train.bedrooms.epochs", -1, "params.yaml: train.bedrooms.epochs: -1 is not allowed")
SOURCE = ("export.source", "data/raw/absent", "export.source: 'data/raw/absent' does not exist")


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("python -m workflow.engines.check", SCHEMA),
        ("python -m workflow.engines.check", SOURCE),
        ("snakemake -n", SCHEMA),
        ("snakemake -n", SOURCE),
        ("snakemake --cores 1", SCHEMA),
        ("snakemake --cores 1", SOURCE),
    ],
)
def test_status_is_2_and_no_work_is_done(
    checkout: Path, run: Callable[..., Any], command: str, wrong: tuple[str, Any, str]
) -> None:
    path, (key, value, expected) = checkout / "params.yaml", wrong
    write(path, change(read_yaml(path), key, value))
    finished = run(checkout, *command.split(), status=2)
    (line,) = [line for line in finished.stderr.splitlines() if "error:" in line]
    assert expected in line
    assert "Traceback" not in finished.stderr
    assert not (checkout / "logs").exists()


def test_every_stage_says_what_is_wrong_with_parameters(checkout: Path, run: Callable[..., Any]) -> None:
    path = checkout / "params.yaml"
    write(path, change(read_yaml(path), "run.seed", "x"))
    command = "python -m stages.select_supervised_cnn --trials a --metrics b --curve c --outcomes d"  # without torch
    finished = run(checkout, *command.split(), status=2)
    assert finished.stderr == "error: params.yaml: run.seed: 'x' is not allowed (Input should be a valid integer)\n"


def store(path: Path, shape: tuple[int, int, int], count: int = 3000, labels: int = 0) -> None:
    """An image store, with labels if they are of some classes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with StoreWriter(path, shape, {}) as writer:
        keys = [str(number) for number in range(count)]
        writer.append(np.zeros((count, *shape), np.uint8), keys, np.arange(count) % labels if labels else None)


def test_stores_of_one_s_own_fit_what_is_done_with_them(root: Path, tmp_path: Path) -> None:
    """Each would otherwise end a stage, some of them behind a training."""
    grey, large, things = "own/grey.h5", "own/large.h5", "own/things"
    changes = {f"figures.{kind}.bedrooms.images": large for kind in ("samples", "walk", "guided", "nearest")}
    changes |= {"train.faces.images": large, "train.mnist.images": grey, "autoencoder.sets.bedrooms": grey}
    changes |= {"quality.sets.bedrooms.images": "own/wide.h5", "figures.arithmetic.faces.images": grey}
    changes |= {"features.svhn.images": things, "kmeans.cifar10.images": "own/half"}
    store(tmp_path / grey, (28, 28, 1))
    store(tmp_path / large, (48, 48, 3))
    store(tmp_path / "own/wide.h5", (32, 48, 3), 10)
    store(tmp_path / things / "train.h5", (48, 48, 3), 10, 5)
    store(tmp_path / things / "test.h5", (32, 32, 3), 10)
    store(tmp_path / "own/half/train.h5", (32, 32, 3), 10)
    with pytest.raises(InputError) as error:
        check(project(root, tmp_path, changes))
    lines = str(error.value).split("\n")
    for expected in (
        "figures.samples.bedrooms.images: 'own/large.h5' is not allowed (it makes 32 x 32 x 3, the images in own/large",
        "figures.walk.bedrooms.images: 'own/large.h5' is not allowed (it makes 32 x 32 x 3, ",
        "figures.guided.bedrooms.images: 'own/large.h5' is not allowed (it makes 32 x 32 x 3, ",
        "figures.nearest.bedrooms.images: 'own/large.h5' is not allowed (it makes 32 x 32 x 3, ",
        "figures.arithmetic.faces.images: 'own/grey.h5' is not allowed (it makes 32 x 32 x 3, ",
        "train.faces.network: 'demo32' is not allowed (it makes 32 x 32 x 3, the images in own/large.h5 are 48 x 48",
        "train.mnist.network: 'demo_mnist28' is not allowed (it is conditional, and own/grey.h5 has no labels",
        "autoencoder.sets.bedrooms: 'own/grey.h5' is not allowed (its images are not in colour",
        "/own/wide.h5: its images are 32 x 48; networks make square ones",
        "(its splits have to be alike, and are train 48 x 48 x 3 with labels, test 32 x 32 x 3 without labels)",
        "features.svhn.discriminator: 'data/networks/svhn/discriminator.safetensors' is not allowed (it makes 32 x",
        "kmeans.cifar10.images: 'own/half' is not allowed (its images have no labels)",
        "kmeans.cifar10.images (test.h5): ",
    ):
        assert sum(expected in line for line in lines) == 1, (expected, lines)


def test_labels_of_one_s_own_stores_are_counted(root: Path, tmp_path: Path) -> None:
    """What an SVM draws of each class, what it holds out, and classes that nothing was learned of."""
    things, changes = "own/things", {"features.cifar10.images": "own/things", "svm.cifar10.validation": 100}
    changes |= {"svm.cifar10.labels_per_class": 60, "svm.cifar10.curve_labels": [], "svm.cifar10.layer_labels": None}
    changes |= {"svm.cifar10_few.labels_per_class": 50, "svm.cifar10_few.validation": 100}
    for split, classes in (("train", 5), ("test", 6)):
        store(tmp_path / things / f"{split}.h5", (32, 32, 3), 400, classes)
    folder = project(root, tmp_path, changes)
    with pytest.raises(InputError) as error:
        check(folder)
    assert str(error.value).replace("params.yaml: ", "").split("\n") == [
        "features.cifar10.images: 'own/things' is not allowed (train.h5 has no image of class 5)",
        "svm.cifar10.labels_per_class: 60 is not allowed (at most 58: class 0 has no more images)",
    ]
    store(tmp_path / things / "test.h5", (32, 32, 3), 400, 5)
    store(tmp_path / things / "validation.h5", (32, 32, 3), 40, 5)
    assert check(folder)[-1].startswith("params.yaml is fine"), "with a split for validation all 80 are learned from"


def test_stores_of_one_s_own_that_fit_are_fine(root: Path, tmp_path: Path) -> None:
    store(tmp_path / "own/digits/train.h5", (28, 28, 1), 3000, 10)
    lines = check(project(root, tmp_path, {"train.mnist.images": "own/digits/train.h5"}))
    assert "train.mnist.images: image store: 3,000; 10 classes" in lines
    store(tmp_path / "own/digits/train.h5", (28, 28, 1), 3000, 11)
    with pytest.raises(InputError, match="it knows 10 classes, own/digits/train.h5 has 11"):
        check(tmp_path)
