"""Labelled sets in the forms people have them in, and what is wrong with some of them."""

import gzip
import pickle
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from dcgan.core.files import InputError
from dcgan.core.splits import hold_out
from dcgan.data import cifar10
from dcgan.data.formats import inspect_source, open_labelled
from dcgan.data.labelled import LabelledBlock, Split
from dcgan.data.preprocessing import Rule
from dcgan.data.rejects import Rejects
from dcgan.data.resizing import FINE
from dcgan.data.safe_pickle import Call, as_array, read_pickle

GENERATOR = np.random.default_rng(0)
# Protocol 0 as Python 2 wrote it: what unpickling would run is `os.system("touch <path>")`.
HOSTILE = "cos\nsystem\n(S'touch {path}'\ntR."


def read(split: Split, size: int = 32, rejects: Rejects | None = None) -> LabelledBlock:
    rejects = rejects or Rejects(1.0, len(split), "x")
    images, keys, labels = [], [], []
    for block in split.blocks(Rule(size=size, resampling=FINE, min_side=8), rejects):
        images.append(block.images_uint8)
        keys += block.keys
        labels.append(block.labels)
    known = labels and labels[0] is not None
    return LabelledBlock(np.concatenate(images), keys, np.concatenate(labels) if known else None)


def cifar_batches(count: int = 4) -> dict[str, tuple[np.ndarray, list[int]]]:
    return {
        name: (GENERATOR.integers(0, 256, (count, 3072), dtype=np.uint8), [int(n) % 10 for n in range(count)])
        for names in cifar10.BATCHES.values()
        for name in names
    }


def write_binary(root: Path, batches: dict[str, tuple[np.ndarray, list[int]]]) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for name, (planes, labels) in batches.items():
        records = np.concatenate([np.array(labels, np.uint8)[:, None], planes], axis=1)
        (root / f"{name}.bin").write_bytes(records.tobytes())
    return root


def write_python(root: Path, batches: dict[str, tuple[np.ndarray, list[int]]], protocol: int) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for name, (planes, labels) in batches.items():
        content = {b"batch_label": b"x", b"labels": labels, b"data": planes, b"filenames": [b"a.png"] * len(labels)}
        (root / name).write_bytes(pickle.dumps(content, protocol))
    return root


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_cifar10s_two_forms_are_read_alike(tmp_path: Path, protocol: int) -> None:
    batches = cifar_batches()
    binary = open_labelled(write_binary(tmp_path / "binary", batches), "cifar10")
    python = open_labelled(write_python(tmp_path / "raw" / "cifar-10-batches-py", batches, protocol).parent, "cifar10")
    assert [split.name for split in binary.splits] == ["train", "test"] and binary.classes[3] == "cat"
    for one, other in zip(binary.splits, python.splits, strict=True):
        assert np.array_equal(read(one).images_uint8, read(other).images_uint8)
        assert np.array_equal(read(one).labels, read(other).labels) and read(one).keys == read(other).keys
    train = read(binary.splits[0])
    assert train.images_uint8.shape == (20, 32, 32, 3) and train.keys[5] == "data_batch_2/00001"
    planes = batches["data_batch_2"][0][1].reshape(3, 32, 32)
    assert np.array_equal(train.images_uint8[5], planes.transpose(1, 2, 0))


def test_a_python_2_pickle_is_read(tmp_path: Path) -> None:
    """Opcodes as in the published files: text as BINSTRING, the array through `_reconstruct` and BUILD."""
    planes = GENERATOR.integers(0, 256, (2, 3072), dtype=np.uint8)
    raw = planes.tobytes()
    dtype = (
        b"cnumpy\ndtype\nq\x08(U\x02u1q\tK\x00K\x01tq\nRq\x0b(K\x03U\x01|q\x0cNNN"
        + 2 * b"J\xff\xff\xff\xff"
        + b"K\x00tb"
    )
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x04cnumpy\nndarray\nq\x05K\x00\x85U\x01bq\x06\x87Rq\x07"
        b"(K\x01K\x02M\x00\x0c\x86" + dtype + b"\x89T" + len(raw).to_bytes(4, "little") + raw + b"tb"
    )
    content = b"\x80\x02}q\x01(U\x04dataq\x02" + array + b"U\x06labelsq\x03]q\x0d(K\x03K\x08eu."
    (tmp_path / "batch").write_bytes(content)
    images, labels = cifar10.read_python_batch(tmp_path / "batch")
    assert labels.tolist() == [3, 8] and np.array_equal(images, cifar10.from_planes(planes))
    if np.lib.NumpyVersion(np.__version__) < "3.0.0":
        assert np.array_equal(pickle.loads(content, encoding="latin-1")["data"], planes)  # noqa: S301 (made above)


@pytest.mark.parametrize("hide", ["plain", "in a batch"])
def test_a_hostile_pickle_is_refused_and_never_run(tmp_path: Path, hide: str) -> None:
    batches = cifar_batches()
    root = write_python(tmp_path / "cifar-10-batches-py", batches, 2)
    trace = tmp_path / "ran"
    hostile = HOSTILE.format(path=trace).encode()
    if hide == "in a batch":

        class Hostile:
            def __reduce__(self) -> tuple[object, ...]:
                return (eval, (f"open({str(trace)!r}, 'w')",))

        hostile = pickle.dumps({b"data": Hostile(), b"labels": [1]}, 2)
    (root / "data_batch_3").write_bytes(hostile)
    with pytest.raises(InputError, match="data_batch_3: the pickle asks for .* not opened"):
        open_labelled(root, "cifar10")
    assert not trace.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        b"\x80\x02}q\x01.",
        b"\x80\x02]q\x01.",
        b"\x80\x02Ra.",
        pickle.dumps({b"data": 1, b"labels": []}),
    ],
)
def test_a_damaged_pickle_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "batch").write_bytes(content)
    with pytest.raises(InputError) as refusal:
        cifar10.read_python_batch(tmp_path / "batch")
    assert "batch" in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "value", [{"a": [1, 2.5, None, True], "b": (1, (2, 3), "é", b"\x00")}, [], {}, "text", -5, 10**30]
)
def test_plain_values_come_out_as_they_went_in(tmp_path: Path, value: object) -> None:
    for protocol in range(6):
        (tmp_path / "value").write_bytes(pickle.dumps(value, protocol))
        assert read_pickle(tmp_path / "value") == value


@pytest.mark.parametrize(
    "name",
    ["os system", "builtins getattr", "numpy load", "numpy.core.multiarray scalar", "functools partial", "copyreg _x"],
)
@pytest.mark.parametrize("protocol", [0, 4])
def test_no_name_beyond_those_of_arrays_is_found(tmp_path: Path, name: str, protocol: int) -> None:
    module, function = name.encode().split()
    named = {
        0: b"c" + module + b"\n" + function + b"\n.",
        4: b"\x80\x04\x8c" + bytes([len(module)]) + module + b"\x8c" + bytes([len(function)]) + function + b"\x93.",
    }
    (tmp_path / "value").write_bytes(named[protocol])
    with pytest.raises(InputError, match=f"value: the pickle asks for '{name}'"):
        read_pickle(tmp_path / "value")


def test_numpy_s_own_functions_are_not_called(tmp_path: Path) -> None:
    """They trust the state that a pickle has for an array; here it stays on record."""
    for array in (np.arange(3, dtype=np.uint8), np.array([1.5]), np.array([{}], dtype=object)):
        (tmp_path / "value").write_bytes(pickle.dumps(array, 2))
        assert isinstance(read_pickle(tmp_path / "value"), Call)
    with pytest.raises(ValueError, match="not an array of bytes"):
        as_array(read_pickle(tmp_path / "value"))


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02Nr\xff\xff\xff\x7f.",
        b"N" + b"p2000000000\n.",
        b"\x80\x04\x8e" + (1 << 40).to_bytes(8, "little") + b"x.",
        b"\x80\x02T\xff\xff\xff\x7fx.",
    ],
)
def test_a_few_bytes_do_not_take_gigabytes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "value").write_bytes(content)
    tracemalloc.start()
    with pytest.raises(InputError, match="value: not a readable pickle"):
        read_pickle(tmp_path / "value")
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_a_pickle_changes_nothing_of_what_the_next_one_finds(tmp_path: Path) -> None:
    """BUILD with a dict, or with a pair of dicts, sets attributes of what is on the stack."""
    found = b"cnumpy\ndtype\n", b"c_codecs\nencode\n"
    changes = b"}U\x08functionU\x01xsb.", b"N}U\x08functionU\x01xs\x86b."
    (tmp_path / "good").write_bytes(pickle.dumps({"data": np.arange(3, dtype=np.uint8), "b": b"\xff"}, 2))
    for content in (b"\x80\x02" + name + change for name in found for change in changes):
        (tmp_path / "value").write_bytes(content)
        with suppress(InputError):
            read_pickle(tmp_path / "value")
        good = read_pickle(tmp_path / "good")
        assert as_array(good["data"]).tolist() == [0, 1, 2] and good["b"] == b"\xff"


def test_batches_that_are_cut_off_or_missing_are_named(tmp_path: Path) -> None:
    root = write_binary(tmp_path, cifar_batches())
    content = (root / "test_batch.bin").read_bytes()
    (root / "test_batch.bin").write_bytes(content[:-1])
    with pytest.raises(InputError, match=r"test_batch.bin: 12,291 bytes are not a whole number of records"):
        open_labelled(root, "cifar10")
    (root / "test_batch.bin").unlink()
    with pytest.raises(InputError, match=r"test_batch.bin: this batch of CIFAR-10 is missing"):
        inspect_source(root, "cifar10")


def test_a_label_outside_of_the_classes_is_rejected(tmp_path: Path) -> None:
    batches = cifar_batches()
    batches["data_batch_1"][1][2] = 77
    train = open_labelled(write_binary(tmp_path, batches), "cifar10").splits[0]
    rejects = Rejects(0.5, len(train), "pack.max_rejects")
    assert len(read(train, rejects=rejects).keys) == 19
    assert rejects.rows == [("data_batch_1/00002", "label 77 is none of 10 classes")]


def write_svhn(root: Path, count: int = 12, **further: object) -> np.ndarray:
    images = GENERATOR.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(1, count + 1, dtype=np.uint8) % 10
    labels[labels == 0] = 10
    for split in ("train", "test"):
        content = {"X": images.transpose(1, 2, 3, 0), "y": labels[:, None], **further}
        content = {name: value for name, value in content.items() if value is not None}
        scipy.io.savemat(root / f"{split}_32x32.mat", content, do_compression=True)
    return images


def test_svhns_label_10_is_the_digit_0(tmp_path: Path) -> None:
    images = write_svhn(tmp_path)
    train, test = open_labelled(tmp_path, "svhn").splits
    assert read(train).labels is not None
    assert read(train).labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2]  # type: ignore[union-attr]
    assert np.array_equal(read(test).images_uint8, images) and read(test).keys[1] == "test/000001"


def test_svhns_extra_images_are_a_split_of_their_own(tmp_path: Path) -> None:
    write_svhn(tmp_path)
    (tmp_path / "extra_32x32.mat").write_bytes((tmp_path / "train_32x32.mat").read_bytes())
    assert [split.name for split in open_labelled(tmp_path, "svhn").splits] == ["train", "test", "extra"]


def test_a_mat_file_without_x_or_cut_off_is_refused(tmp_path: Path) -> None:
    write_svhn(tmp_path, X=None)
    with pytest.raises(InputError, match=r"train_32x32.mat: has no X; found y"):
        inspect_source(tmp_path, "svhn")
    write_svhn(tmp_path)
    path = tmp_path / "train_32x32.mat"
    for content in (path.read_bytes()[: path.stat().st_size // 2], b"", b"text" * 99):
        path.write_bytes(content)
        with pytest.raises(InputError, match="train_32x32.mat"):
            open_labelled(tmp_path, "svhn")
    (tmp_path / "test_32x32.mat").unlink()
    with pytest.raises(InputError, match="test_32x32.mat: missing"):
        inspect_source(tmp_path, "svhn")


def test_a_mat_file_of_other_shapes_is_refused(tmp_path: Path) -> None:
    write_svhn(tmp_path, y=np.zeros((3, 1)))
    with pytest.raises(InputError, match=r"labels, is uint8 \(32, 32, 3, 12\) for 3 labels"):
        open_labelled(tmp_path, "svhn")


def write_mnist(root: Path, suffix: str, compressed: bool, count: int = 5) -> np.ndarray:
    root.mkdir(parents=True, exist_ok=True)
    images = GENERATOR.integers(0, 256, (count, 28, 28), dtype=np.uint8)
    for name in ("train", "t10k"):
        for kind, array in (("images", images), ("labels", np.arange(count, dtype=np.uint8))):
            content = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()
            path = root / f"{name}-{kind}{suffix.format(dims=array.ndim)}"
            path.write_bytes(gzip.compress(content) if compressed else content)
    return images


@pytest.mark.parametrize(
    ("folder", "suffix", "compressed"),
    [("", "-idx{dims}-ubyte.gz", True), ("", "-idx{dims}-ubyte", False), ("MNIST/raw", ".idx{dims}-ubyte", False)],
)
def test_mnist_is_found_under_its_usual_names(tmp_path: Path, folder: str, suffix: str, compressed: bool) -> None:
    images = write_mnist(tmp_path / folder, suffix, compressed)
    train, test = open_labelled(tmp_path, "mnist").splits
    assert np.array_equal(read(train, 28).images_uint8[..., 0], images) and test.channels == 1
    assert read(test, 28).keys[2] == "test/000002" and read(test, 20).images_uint8.shape == (5, 20, 20, 1)


def test_damaged_idx_files_are_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path, "-idx{dims}-ubyte.gz", True)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    whole = gzip.decompress(path.read_bytes())
    cut, short, other = (
        path.read_bytes()[:200],
        gzip.compress(whole[:-1]),
        gzip.compress(b"\x00\x00\x0d\x03" + whole[4:]),
    )
    for content in (cut, short, other, b""):
        path.write_bytes(content)
        with pytest.raises(InputError, match="train-images-idx3-ubyte.gz: "):
            open_labelled(tmp_path, "mnist")
    path.unlink()
    with pytest.raises(InputError, match="train-images-idx3-ubyte.*missing"):
        inspect_source(tmp_path, "mnist")


def write_images(root: Path, names: list[str], good_image: bytes) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(good_image)


def test_class_folders_give_labels_in_the_order_of_their_names(tmp_path: Path, good_image: bytes) -> None:
    write_images(tmp_path, ["n02/b.JPEG", "n01/images/c.JPEG", "n01/a.JPEG"], good_image)
    opened = open_labelled(tmp_path, "folder")
    assert [split.name for split in opened.splits] == ["train"] and opened.classes == ["n01", "n02"]
    block = read(opened.splits[0])
    assert block.keys == ["n01/a.JPEG", "n01/images/c.JPEG", "n02/b.JPEG"]
    assert block.labels is not None and block.labels.tolist() == [0, 0, 1]


def test_splits_above_class_folders_are_kept_apart(tmp_path: Path, good_image: bytes) -> None:
    names = ["train/cat/1.jpg", "train/dog/2.jpg", "train/elk/1.jpg", "test/dog/3.jpg", "test/elk/4.jpg", "val/5.jpg"]
    write_images(tmp_path, names, good_image)
    splits = {split.name: split for split in open_labelled(tmp_path, "cifar10").splits}
    assert sorted(splits) == ["test", "train", "validation"]
    assert read(splits["test"]).labels.tolist() == [1, 2]  # type: ignore[union-attr]
    assert read(splits["validation"]).labels is None


def test_images_without_class_folders_have_no_labels(tmp_path: Path, good_image: bytes) -> None:
    write_images(tmp_path, ["1.jpg", "2.jpg"], good_image)
    assert read(open_labelled(tmp_path, "folder").splits[0]).labels is None


def test_a_file_beside_the_class_folders_is_rejected(tmp_path: Path, good_image: bytes) -> None:
    write_images(tmp_path, ["cat/1.jpg", "dog/2.jpg"], good_image)
    (tmp_path / "readme.txt").write_text("read me")
    (tmp_path / "cat" / "broken.jpg").write_bytes(good_image[:300])
    split = open_labelled(tmp_path, "folder").splits[0]
    rejects = Rejects(0.9, len(split), "x")
    assert len(read(split, rejects=rejects).keys) == 2
    assert [key for key, _ in rejects.rows] == ["cat/broken.jpg", "readme.txt"]
    assert rejects.rows[1][1] == "outside of the class folders"


def test_images_are_held_out_by_seed_and_in_order(tmp_path: Path) -> None:
    train = open_labelled(write_binary(tmp_path, cifar_batches()), "cifar10").splits[0]
    rest, drawn = hold_out(len(train), 6, np.random.default_rng(1))
    left, held = train.select("train", rest), train.select("validation", drawn)
    assert len(left) == 14 and len(held) == 6 and held.name == "validation"
    together = read(left).keys + read(held).keys
    assert sorted(together) == read(train).keys and read(held).keys == sorted(read(held).keys)
    assert hold_out(len(train), 6, np.random.default_rng(1))[1].tolist() == drawn.tolist()
