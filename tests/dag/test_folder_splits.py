"""The preset `folder`: folders that could be splits, classes or parts of one set are refused or told."""

import re
import tarfile
from pathlib import Path

import pytest

from dcgan.core.files import InputError
from dcgan.data.archives import open_source
from dcgan.data.contents import contents_of
from dcgan.data.whole_sources import tell_of_splits
from tests.dag.pictures import write_pictures
from tests.dag.test_folder import chosen
from tests.stages.sources import write_lmdb


@pytest.mark.parametrize(
    ("folders", "seen"),
    [
        ("train/a train/b meta/a", "train/ are splits, meta/ are not"),
        ("train/a train/b val/a validation/a", "train/, val/, validation/: two folders are the validation split"),
        ("test/a test/b val/a", "test/, val/ are splits, but there is no folder train"),
        ("Train/a Train/b TEST/a", "all images of test lie in one class folder, a/"),
        ("set/Train/a set/Train/b set/meta/a", "Train/ are splits, meta/ are not"),
        ("train/a train/b test/c", "test has no class in common with train; its folders: c/; of train: a/, b/"),
        ("train/images test/images", "one class folder, images/"),
        ("fold1/a fold1/b fold2/a fold2/b", "fold1/, fold2/ all hold a/, b/"),
        ("trainA testA trainB testB", "testA/, testB/, trainA/, trainB/ look like splits"),
        ("train/a train/b test/a", "all images of test lie in one class folder, a/"),
        ("a/train a/test b/train b/test", "test/, train/ lie within a/, b/"),
    ],
)
def test_folders_that_can_be_read_in_two_ways_are_refused(tmp_path: Path, folders: str, seen: str) -> None:
    """Else images for the test would be learned from; the folder to learn from settles it."""
    source = tmp_path / "mine"
    for folder in folders.split():
        write_pictures(source / folder, 60, classes=False)
    with pytest.raises(InputError, match=f"IMAGES: {re.escape(str(source))}.*{re.escape(seen)}") as refusal:
        chosen(source)
    named = re.findall("such as IMAGES=(.*), or rename", str(refusal.value))
    trains = [path for path in source.rglob("*") if path.name.lower() in ("train", "traina", "fold1")]
    assert named == [str(path) for path in trains if path.parent.name in ("mine", "set")], "what is named is there"
    if (source / "train/a").is_dir():
        assert chosen(source / "train")[0].export.source == str(source / "train")


@pytest.mark.parametrize("other", ["masks", "annotations/trimaps"])
def test_parts_of_one_set_are_no_classes(tmp_path: Path, other: str) -> None:
    for folder in ("images", other):
        write_pictures(tmp_path / folder, 120, classes=False)
    with pytest.raises(InputError, match=f"are parts of one set, not classes; .* IMAGES={tmp_path}/images,"):
        chosen(tmp_path)
    params, understood = chosen(tmp_path / "images")
    assert "121 items; pictures without classes" in understood and not params.pack.sets


def test_masks_beside_their_pictures_are_no_pictures(tmp_path: Path) -> None:
    pictures = sorted(write_pictures(tmp_path / "cat_mask", 120, classes=False).glob("*.jpg"))
    chosen(tmp_path / "cat_mask")
    for path in pictures[:60]:
        path.with_name(f"{path.stem}_mask.png").write_bytes(path.read_bytes())
    with pytest.raises(
        InputError, match=r"60 files such as crosses-0000_mask are named as masks or labels of pictures"
    ):
        chosen(tmp_path / "cat_mask")


def test_splits_without_classes_are_all_learned_from_and_told(tmp_path: Path) -> None:
    for name in ("train", "test"):
        write_pictures(tmp_path / name, 60, classes=False)
    params, understood = chosen(tmp_path)
    told = f"pictures without classes; all of test/, train/ are learned from, IMAGES={tmp_path}/train takes one"
    assert understood == f"{tmp_path}: 122 items; {told}" and not params.pack.sets


@pytest.mark.parametrize(("wrap", "train", "other"), [("", "train", "test"), ("set/", "Train", "val")])
def test_folders_in_any_form_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wrap: str, train: str, other: str
) -> None:
    """Those of an archive cannot be named as a source, and are no classes."""
    for name in (train, other):
        write_pictures(tmp_path / "all" / wrap / name, 60, classes=False)
    files = {str(path.relative_to(tmp_path / "all")): path.read_bytes() for path in tmp_path.rglob("*.*")}
    tar, names = tmp_path / "all.tar", ", ".join(sorted((f"{wrap}{train}/", f"{wrap}{other}/")))
    with tarfile.open(tar, "w") as archive:
        archive.add(tmp_path / "all", ".")
    told = f"122 items; pictures without classes; all of {names} are learned from, "
    assert f"{told}IMAGES={tmp_path}/all/{wrap}{train} takes one" in chosen(tmp_path / "all")[1]
    for source in (tar, write_lmdb(tmp_path / "lmdb", files)):
        assert f"{told}folders in an archive are no classes: unpack it to use them" in chosen(source)[1]
        assert f"(images of all of {names})" in str(contents_of(source, "lsun"))
        tell_of_splits(source, open_source(source))
        assert f"images of all of {names} are taken; unpack it and name one of them to" in capsys.readouterr().err
    assert f"(images of all of {names})" in str(contents_of(tmp_path / "all", "lsun"))


def test_classes_in_a_tar_are_told_as_unused(tmp_path: Path) -> None:
    albums = write_pictures(tmp_path / "albums", 120)
    with tarfile.open(tmp_path / "albums.tar", "w") as archive:
        archive.add(albums, "albums")
    params, understood = chosen(tmp_path / "albums.tar")
    folders = "albums/crosses/, albums/discs/, albums/stripes/"
    assert f"all of {folders} are learned from, folders in an archive are no classes" in understood
    assert not params.pack.sets


def test_one_folder_further_in_is_no_class(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 120, classes=False)
    params, understood = chosen(tmp_path)
    assert "one class folder, photos/" in understood and not params.pack.sets
