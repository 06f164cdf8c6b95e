"""What a source holds, counted from names and headers."""

import gzip
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image

from dcgan.core.files import InputError
from dcgan.data import contents
from dcgan.data.contents import contents_of
from dcgan.data.formats import Kind
from tests.stages.sources import write_lmdb


def tree(root: Path, counts: dict[str, int], content: bytes = b"image") -> Path:
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (root / folder / f"{number}.jpg").write_bytes(content)
    return root


def write_idx(path: Path, shape: tuple[int, ...], size: int | None = None) -> None:
    content = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()
    content += bytes(int(np.prod(shape)) if size is None else size)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_mnist(folder: Path, suffix: str = "", labels: int = 7) -> Path:
    for name, count in (("train", 7), ("t10k", 3)):
        write_idx(folder / f"{name}-images-idx3-ubyte{suffix}", (count, 28, 28))
        write_idx(folder / f"{name}-labels-idx1-ubyte{suffix}", (labels if name == "train" else count,))
    return folder


def write_svhn(folder: Path, **changes: np.ndarray) -> Path:
    content = {"X": np.zeros((32, 32, 3, 5), np.uint8), "y": np.ones((5, 1), np.uint8)} | changes
    for split in ("train", "test"):
        scipy.io.savemat(folder / f"{split}_32x32.mat", content, do_compression=True)
    return folder


def test_images_of_an_lmdb_a_folder_and_a_tar(tmp_path: Path) -> None:
    write_lmdb(tmp_path / "lmdb", {f"{n}": b"image" for n in range(7)})
    tree(tmp_path / "folder", {"a": 2, "b/c": 3, ".hidden": 4})
    shutil.make_archive(str(tmp_path / "images"), "tar", tmp_path / "folder")
    found = [str(contents_of(tmp_path / name, "lsun")) for name in ("lmdb", "folder", "images.tar")]
    assert found == ["LMDB: 7", "folder: 5", "tar: 5"]


def test_files_that_are_looked_at_lie_all_over_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only those whose names come first: others may begin with other letters."""
    monkeypatch.setattr(contents, "LOOKED_AT", 4)
    tree(tmp_path, {"a": 6}, b"\xff\xd8\xff")
    tree(tmp_path, {"z": 6})
    assert contents_of(tmp_path, "lsun").looked == contents.Looked(4, 12, 2, "z/0.jpg", {})


def test_the_rarest_digit_of_the_training_images_is_known(tmp_path: Path) -> None:
    """SVHN's 10 is the digit 0; other labels are no digits."""
    labels = np.repeat(np.arange(1, 11, dtype=np.uint8), [9, 9, 9, 2, 9, 9, 9, 9, 9, 3])[:, None]
    found = contents_of(write_svhn(tmp_path, X=np.zeros((32, 32, 3, len(labels)), np.uint8), y=labels), "svhn")
    assert found.rarest == ("4", 2)
    assert contents_of(write_mnist(tmp_path), "mnist").rarest == ("1", 0), "all seven are 0"


def test_folders_like_splits_are_told_where_all_is_taken(tmp_path: Path) -> None:
    found = contents_of(tree(tmp_path, {"train": 2, "test": 1}), "photos")
    assert str(found) == "folder (images of all of test/, train/): 3"


def test_class_folders_split_by_split(tmp_path: Path) -> None:
    found = contents_of(tree(tmp_path, {"train/cat": 2, "train/dog": 3, "test/cat": 1, "test/dog": 1}), "folder")
    assert (dict(found.splits), found.classes, found.rarest) == ({"train": 5, "test": 2}, 2, ("cat", 2))
    assert str(found) == "class folders: train 5, test 2; 2 classes"
    with pytest.raises(InputError, match="no class in common with train"):
        contents_of(tree(tmp_path / "other", {"train/cat": 2, "train/dog": 3, "test/1": 1}), "folder")
    named = {"train": "train", "test": "none"}
    (tmp_path / "other/none").mkdir()
    with pytest.raises(InputError, match="other/none: the test split holds no files"):
        contents_of(tmp_path / "other", "folder", named)


def test_files_in_other_formats_count_within_the_splits_alone(tmp_path: Path, good_image: bytes) -> None:
    """Annotations beside the pictures, as Pascal VOC has them, are left out."""
    tree(tree(tmp_path, {"JPEGImages/cat": 2, "JPEGImages/dog": 2}, good_image), {"Annotations": 9})
    splits = {"train": "JPEGImages"}
    found = [contents_of(tmp_path, "folder", splits).looked]
    tree(tmp_path, {"JPEGImages/dog": 1})
    found.append(contents_of(tmp_path, "folder", splits).looked)
    assert [one and one[:4] for one in found] == [(4, 4, 0, ""), (4, 4, 1, "JPEGImages/dog/0.jpg")]


@pytest.mark.parametrize("kind", ["lsun", "photos", "folder"])
def test_the_shorter_side_of_each_image_is_known_by_its_first_bytes(tmp_path: Path, kind: Kind) -> None:
    """Of every format, upright or not, in every form of source."""
    sizes = {"JPEG": (70, 40), "PNG": (31, 90), "GIF": (8, 9), "BMP": (33, 32), "WEBP": (64, 65)}
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "turned"
    for form, size in sizes.items():
        Image.new("RGB", size).save(tmp_path / f"{form}.jpg", form, exif=exif)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no header")
    (tmp_path / "text.jpg").write_bytes(b"no image")
    expected = {f"{form}.jpg": min(size) for form, size in sizes.items()}
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    sources = [tmp_path]
    if kind != "folder":
        with tarfile.open(tmp_path.parent / f"{kind}.tar", "w") as tar:
            tar.add(tmp_path, ".")
        sources += [tmp_path.parent / f"{kind}.tar", write_lmdb(tmp_path.parent / f"{kind}_lmdb", files)]
    for source in sources:
        looked = contents_of(source, kind).looked
        assert looked == contents.Looked(7, 7, 1, "text.jpg", expected), source


def test_of_a_large_lmdb_some_of_all_parts_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good_image: bytes
) -> None:
    """The first ones may be all of one kind."""
    write_lmdb(tmp_path, {f"{number:03}": b"no image" if number < 100 else good_image for number in range(400)})
    monkeypatch.setattr(contents, "LOOKED_AT", 100)
    looked = contents_of(tmp_path, "lsun").looked
    assert looked is not None and looked[1:] == (400, looked.unreadable, "000", looked.sides)
    assert looked.looked_at == 100 and 20 <= looked.unreadable <= 30
    assert min(looked.sides) < "110" and max(looked.sides) > "330"


def test_too_many_names_are_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, {"cat": 3, "dog": 3})
    for counted, splits, text in (
        (6, {"train": 6}, "class folders: train 6; 2 classes"),
        (5, {}, "folders: more than 5"),
    ):
        monkeypatch.setattr(contents, "COUNTED", counted)
        found = contents_of(tmp_path, "folder")
        assert (dict(found.splits), str(found)) == (splits, text)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_mnist_by_its_headers(tmp_path: Path, suffix: str) -> None:
    assert str(contents_of(write_mnist(tmp_path, suffix), "mnist")) == "MNIST: train 7, test 3; 10 classes"
    write_mnist(tmp_path, suffix, labels=6)
    with pytest.raises(
        InputError, match="train-images-idx3-ubyte.*: 7 images, but 6 labels in train-labels-idx1-ubyte"
    ):
        contents_of(tmp_path, "mnist")
    write_idx(tmp_path / f"t10k-images-idx3-ubyte{suffix}", (4, 28, 28), 3 * 28 * 28)
    write_idx(tmp_path / f"train-labels-idx1-ubyte{suffix}", (7,))
    with pytest.raises(InputError, match=r"t10k-images.*: 2,352 bytes of pixels, its header says \(4, 28, 28\)"):
        contents_of(tmp_path, "mnist")


def test_svhn_by_its_headers(tmp_path: Path) -> None:
    assert dict(contents_of(write_svhn(tmp_path), "svhn").splits) == {"train": 5, "test": 5}
    write_svhn(tmp_path, X=np.zeros((32, 32, 3, 5), np.float32))
    with pytest.raises(
        InputError, match=r"train_32x32.mat: X must be uint8 .*, is single \(32, 32, 3, 5\) for 5 labels"
    ):
        contents_of(tmp_path, "svhn")


def test_cifar_10_by_the_sizes_of_its_batches(tmp_path: Path) -> None:
    for number in range(1, 6):
        (tmp_path / f"data_batch_{number}.bin").write_bytes(bytes(3073 * number))
    (tmp_path / "test_batch.bin").write_bytes(bytes(3073 * 2))
    assert dict(contents_of(tmp_path, "cifar10").splits) == {"train": 15, "test": 2}
    (tmp_path / "test_batch.bin").write_bytes(bytes(3073 * 2 - 1))
    with pytest.raises(InputError, match="6,145 bytes are not a whole number of records"):
        contents_of(tmp_path, "cifar10")
