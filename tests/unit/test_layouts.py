"""Folders of labelled sets as people have them: each is understood rightly, or refused with what was seen."""

import os
import threading
from pathlib import Path

import pytest

from dcgan.core.files import InputError
from dcgan.data import image_folders, layouts
from dcgan.data.formats import inspect_source, open_labelled
from dcgan.data.image_folders import open_folder
from dcgan.data.labelled import LabelledSet
from dcgan.data.layouts import UnclearLayout, find_splits


def tree(root: Path, *names: str) -> Path:
    """A folder with the named files; {a,b} stands for each of both."""
    for name in names:
        for part in expanded(name):
            (root / part).parent.mkdir(parents=True, exist_ok=True)
            (root / part).write_bytes(part.encode())
    return root


def expanded(name: str) -> list[str]:
    before, brace, rest = name.partition("{")
    inside, _, after = rest.partition("}")
    return [one for part in inside.split(",") for one in expanded(before + part + after)] if brace else [name]


def understood(opened: LabelledSet) -> dict[str, list[int] | None]:
    """The labels of each split."""
    return {
        split.name: None if split.labels is None else split.labels.tolist()  # type: ignore[attr-defined]
        for split in opened.splits
    }


TWO = {"train": [0, 1], "test": [0, 1]}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["{cat,dog}/1.jpg"], {"train": [0, 1]}),
        (["{1,2,3}.jpg"], {"train": None}),
        (["{train,test}/{cat,dog}/1.jpg"], TWO),
        (["{Train,TEST}/{cat,dog}/1.jpg"], TWO),
        (["{training,testing}/{cat,dog}/1.jpg"], TWO),
        (["{Training,Testing}/{cat,dog}/1.jpg"], TWO),
        (["{train,valid,test}/{cat,dog}/1.jpg"], TWO | {"validation": [0, 1]}),
        (["{train,validation,test}/{cat,dog}/1.jpg"], TWO | {"validation": [0, 1]}),
        (["{train,eval}/{cat,dog}/1.jpg"], {"train": [0, 1], "validation": [0, 1]}),
        (["{train,evaluation}/{cat,dog}/1.jpg"], {"train": [0, 1], "validation": [0, 1]}),
        (["{train,validate}/{cat,dog}/1.jpg"], {"train": [0, 1], "validation": [0, 1]}),
        (["{train,dev,test}/{cat,dog}/1.jpg"], TWO | {"validation": [0, 1]}),
        (["train/{cat,dog}/1.jpg", "val/1.jpg"], {"train": [0, 1], "validation": None}),
        (["{train,test}/{1,2}.jpg"], {"train": None, "test": None}),
        (["imagenet/{train,test}/{cat,dog}/1.jpg"], TWO),
        (["a/b/{cat,dog}/1.jpg"], {"train": [0, 1]}),
        (["{train,test}/{cat,dog}/images/1.jpg", "words.txt"], TWO),
        (["{train,test}/{cat,dog}/1.jpg", ".hidden/meta/1.jpg", "__MACOSX/._cat"], TWO),
        (["train/{cat,dog,elk}/1.jpg", "test/{dog,elk}/1.jpg"], {"train": [0, 1, 2], "test": [1, 2]}),
        (["{bullet_train,valley}/1.jpg"], {"train": [0, 1]}),
        (["{bulletTrain,devil,tram}/1.jpg"], {"train": [0, 1, 2]}),
        (["cat/{left,right}/1.jpg", "dog/{left,top}/1.jpg"], {"train": [0, 0, 1, 1]}),
        (["{cat,dog}/{left,right}/1.jpg", "dog/1.jpg"], {"train": [0, 0, 1, 1, 1]}),
        (["{train,test}/{cat,dog}/{left,right}/1.jpg"], {"train": [0, 0, 1, 1], "test": [0, 0, 1, 1]}),
        (["{masks,hats}/1.jpg"], {"train": [0, 1]}),
        (["{masks,images}s/1.jpg"], {"train": [0, 1]}),
        (["cat/{images,masks}/1.jpg", "dog/images/1.jpg"], {"train": [0, 0, 1]}),
        (["train/{train,test}/1.jpg", "test/{train,test}/1.jpg"], TWO),
    ],
)
def test_usual_layouts_are_understood(tmp_path: Path, files: list[str], expected: dict[str, object]) -> None:
    if "train/{train,test}/1.jpg" in files:  # classes that are named like splits
        opened = open_folder(tree(tmp_path, *files), {"train": "train", "test": "test"})
    else:
        opened = open_folder(tree(tmp_path, *files))
    assert understood(opened) == expected


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (["{train,test,meta}/{cat,dog}/1.jpg"], "test/, train/ are splits, meta/ are not"),
        (["{cat,dog,train}/1.jpg"], "train/ are splits, cat/, dog/ are not"),
        (["{val,valid,train}/{cat,dog}/1.jpg"], "two folders are the validation split"),
        (["{Train,train}/{cat,dog}/1.jpg"], "two folders are the train split"),
        (["{test,val}/{cat,dog}/1.jpg"], "there is no folder train"),
        (["{train2017,val2017}/{1,2}.jpg"], "train2017/, val2017/ look like splits"),
        (["{ILSVRC2012_img_train,ILSVRC2012_img_val}/{a,b}/1.jpg"], "look like splits"),
        (["{trainset,testset,meta}/{a,b}/1.jpg"], "testset/, trainset/ look like splits"),
        (["train/{n01,n02}/images/1.jpg", "{test,val}/images/{1,2}.jpg"], "no class in common with train"),
        (
            ["train/{1,2}.jpg", "test/{cat,dog}/1.jpg"],
            "no class in common with train; its folders: cat/, dog/; of train: none",
        ),
        (["train/{cat,dog}/1.jpg", "test/{Cat,Dog}/1.jpg"], "no class in common with train"),
        (["{trainA,testA,trainB,testB}/1.jpg"], "testA/, testB/, trainA/, trainB/ look like splits"),
        (["horse2zebra/{train,test}{A,B}/1.jpg"], "testA/, testB/, trainA/, trainB/ look like splits"),
        (["{imagesTr,imagesTs,labelsTr}/1.jpg"], "imagesTr/, imagesTs/, labelsTr/ look like splits"),
        (["{trn,tst}/{cat,dog}/1.jpg"], "trn/, tst/ look like splits"),
        (["{cat,dog}/{train,test}/1.jpg"], "test/, train/ lie within cat/, dog/"),
        (["{cat,dog}/{left,right}/{train,test}/1.jpg"], "lie within cat/left/, cat/right/, dog/left/, dog/right/"),
        (["cat/1.jpg", "dog/{1,test/2}.jpg"], "test/ lie within dog/"),
        (["{cat,dog}/{trainA,testA}/1.jpg"], "testA/, trainA/ lie within cat/, dog/"),
        (["train/{cat,dog}/left/test/1.jpg", "test/cat/1.jpg"], "test/ lie within the class folders, cat/, dog/"),
        (["photos/{1,2}.jpg"], "all images of train lie in one class folder, photos/"),
        (["{train,test}/images/{1,2}.jpg"], "all images of train lie in one class folder, images/"),
        (["train/{cat,dog}/1.jpg", "val/cat/1.jpg"], "all images of validation lie in one class folder, cat/"),
        (["readme.txt", "set/{train,test}/{cat,dog}/1.jpg"], "lie within set/ (best given as the source: "),
        (["{images,masks}/{1,2}.jpg"], "images/, masks/ are parts of one set, not classes"),
        (["pets/{images,annotations/trimaps}/{1,2}.jpg"], "annotations/, images/ are parts of one set"),
        (["{JPEGImages,Annotations,ImageSets}/1.jpg"], "Annotations/, JPEGImages/ are parts of one set"),
        (["{train,valid}/images/1.jpg", "{train,valid}/labels/1.txt"], "train: images/, labels/ are parts of one set"),
        (["{seen,unseen}/{cat,dog}/1.jpg"], "seen/, unseen/ all hold cat/, dog/; the former may be splits or classes"),
        (["set/fold{1,2,3}/{cat,dog}/1.jpg"], "fold1/, fold2/, fold3/ all hold cat/, dog/"),
        (["{gallery,query}/{cat,dog}/left/1.jpg"], "gallery/, query/ all hold cat/, dog/"),
        (["{cat,dog}/{images,masks}/1.jpg"], "cat/, dog/ all hold images/, masks/"),
        (["a/b/c/d/e/{cat,dog}/1.jpg"], "more than 4 folders in each other"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(tmp_path: Path, files: list[str], reason: str) -> None:
    with pytest.raises(UnclearLayout) as refusal:
        open_folder(tree(tmp_path, *files))
    assert reason in str(refusal.value) and "\n" not in str(refusal.value)


def test_folders_can_be_named(tmp_path: Path) -> None:
    alike = tree(tmp_path / "alike", "{cat,dog}/{left,right}/1.jpg")
    assert understood(open_folder(alike, {"train": "."})) == {"train": [0, 0, 1, 1]}
    root = tree(tmp_path / "mine", "train/{n01,n02}/images/{1,2}.jpg", "{test,val}/images/{1,2,3}.jpg", "meta/x.txt")
    named = {"train": "train", "test": "test/images", "validation": "./val/images/"}
    opened = open_folder(root, named)
    assert understood(opened) == {"train": [0, 0, 1, 1], "test": None, "validation": None}
    assert opened.classes == ["n01", "n02"] and [len(split) for split in opened.splits] == [4, 3, 3]
    assert opened.notes == [
        "train: 4 files in train/, 2 class folders",
        "test: 3 files in test/images/, no class folders",
        "validation: 3 files in val/images/, no class folders",
        "1 files beside the splits are left out, meta/x.txt first",
    ]
    assert understood(open_folder(root, {"train": "."})) == {"train": [0] * 1 + [1] * 3 + [2] * 4 + [3] * 3}


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ({"train": "trian"}, "trian: named for the train split, but no folder"),
        ({"train": "../elsewhere"}, "named for the train split, but no folder"),
        ({"train": "/tmp"}, "named for the train split, but no folder"),
        ({"train": ".", "test": "test"}, "the test split lies within the train split"),
        ({"train": "train", "test": "train/cat"}, "the test split lies within the train split"),
        ({"train": "train", "test": "train"}, "lies within"),
        ({"train": "train", "test": "other"}, "no class in common"),
    ],
)
def test_folders_that_cannot_be_splits_are_refused(tmp_path: Path, named: dict[str, str], reason: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    root = tree(tmp_path / "set", "{train,test}/{cat,dog}/1.jpg", "other/{x,y}/1.jpg")
    with pytest.raises(InputError, match=reason):
        open_folder(root, named)


@pytest.mark.parametrize("target", ["train", "train/cat", "..", "up/train"])
def test_splits_that_are_one_by_a_link_are_refused(tmp_path: Path, target: str) -> None:
    """Else what is tested on would be learned from."""
    root = tree(tmp_path / "set", "train/{cat,dog}/1.jpg")
    (root / "up").symlink_to(".")
    (root / "test").symlink_to(target)
    with pytest.raises(InputError, match="the (train|test) split lies within the (train|test) split"):
        open_folder(root, {"train": "train", "test": "test"})
    (root / "up").unlink()
    if "up" not in target:
        with pytest.raises(UnclearLayout, match="the (train|test) split lies within the (train|test) split"):
            find_splits(root)


@pytest.mark.parametrize("link", ["cat/1.jpg", "cat/other.jpg", "cat", "hard"])
def test_a_file_in_two_splits_is_refused(tmp_path: Path, link: str) -> None:
    """A link to an image, under any name, a class folder by a link, or a second name of the file."""
    root = tree(tmp_path, "train/{cat,dog,elk}/{1,2}.jpg", "test/{dog,elk}/1.jpg", "validation/{cat,dog}/1.jpg")
    open_folder(root)
    if link == "hard":
        (root / "test/dog/2.jpg").hardlink_to(root / "train/dog/2.jpg")
        seen = "1 files are in two splits; test/dog/2.jpg is train/dog/2.jpg of train"
    else:
        (root / "test" / link).parent.mkdir(exist_ok=True)
        (root / "test" / link).symlink_to(root / "train" / link.replace("other", "2"))
        files = 2 if link == "cat" else 1
        seen = f"{files} files are in two splits; test/cat/.* is train/cat/.* of train"
    with pytest.raises(UnclearLayout, match=f"{root}: {seen}, the first"):
        open_folder(root)
    with pytest.raises(UnclearLayout, match=seen):
        open_folder(root, {"train": "train", "test": "test"})


def test_a_file_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    """Else one of both may be drawn for a test, while the other is learned from."""
    root = tree(tmp_path, "{cat,dog}/{1,2}.jpg")
    (root / "dog/3.jpg").symlink_to("../cat/2.jpg")
    (split,) = open_folder(root).splits
    reasons = {name: reason for name, reason in split.entries if reason}  # type: ignore[attr-defined]
    assert reasons == {"dog/3.jpg": "the same file as cat/2.jpg"}


def test_what_files_are_is_asked_of_many_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk of a network answers late; here it does once eight have asked. What is found is in the files' order."""
    root = tree(tmp_path, "{cat,dog}/{" + ",".join(map(str, range(64))) + "}.jpg")
    (root / "dog/1.jpg").unlink()
    (root / "dog/1.jpg").symlink_to("../cat/9.jpg")
    asked, eight = image_folders.identity_of, threading.Barrier(8)

    def answer(path: str) -> object:
        eight.wait(timeout=60)
        return asked(path)

    monkeypatch.setattr(image_folders, "identity_of", answer)
    (split,) = open_folder(root).splits
    entries = split.entries  # type: ignore[attr-defined]
    assert [name for name, _ in entries] == sorted(name for name, _ in entries) and len(entries) == 128
    assert [entry for entry in entries if entry[1]] == [("dog/1.jpg", "the same file as cat/9.jpg")]


def test_names_that_are_no_utf8_are_classes_too(tmp_path: Path) -> None:
    try:
        tree(tmp_path, *(os.fsdecode(name) + "/1.jpg" for name in (b"caf\xe9", b"b")))
    except (OSError, UnicodeError):
        pytest.skip("this file system takes UTF-8 names only")
    assert open_folder(tmp_path).classes == ["b", "caf\\xe9"]


def test_a_class_folder_that_cannot_be_read_is_rejected_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, scandir = tree(tmp_path, "{cat,dog,closed}/1.jpg"), os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert understood(open_folder(root)) == {"train": [0, -1, 1]}


def test_a_folder_in_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path)
    with pytest.raises(UnclearLayout, match="folders in each other"):
        find_splits(tmp_path)


def imagenet(root: Path, good_image: bytes) -> Path:
    """The folders of the official archive, and the list that lies beside them."""
    tree(root, "ILSVRC/Annotations/CLS-LOC/{train/n01,val}/1.xml", "ILSVRC/ImageSets/CLS-LOC/{train_cls,val}.txt")
    for split, folders in {"train": "{n01,n02}/", "val": "", "test": ""}.items():
        tree(root, f"ILSVRC/Data/CLS-LOC/{split}/{folders}1.JPEG")
    for file in root.rglob("*.JPEG"):
        file.write_bytes(good_image)
    return tree(root, "LOC_synset_mapping.txt")


@pytest.mark.parametrize("source", ["", "ILSVRC"])
def test_imagenets_official_folders_are_refused_with_the_right_ones(
    tmp_path: Path, good_image: bytes, source: str
) -> None:
    root = imagenet(tmp_path, good_image)
    with pytest.raises(UnclearLayout) as refusal:
        inspect_source(root / source, "folder")
    within = "" if source else "ILSVRC/"
    assert str(refusal.value) == (
        f"{root / source}: test/, train/, val/ lie within {within}Data/CLS-LOC/ "
        f"(best given as the source: {root}/ILSVRC/Data/CLS-LOC)"
    )
    named = {"train": f"{within}Data/CLS-LOC/train", "validation": f"{within}Data/CLS-LOC/val"}
    opened = [open_folder(root / "ILSVRC/Data/CLS-LOC"), open_folder(root / source, named)]
    expected = {"train": [0, 1], "validation": None}
    assert [understood(one) for one in opened] == [expected | {"test": None}, expected]


def test_the_search_for_splits_further_in_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, *(f"{number:03}/left/{number}.jpg" for number in range(120)))
    seen, peeked = list[Path](), layouts.peeked

    def counted(folder: Path) -> list[str]:
        seen.append(folder)
        return peeked(folder)

    monkeypatch.setattr(layouts, "peeked", counted)
    assert find_splits(tmp_path) == {"train": ""} and len(seen) == layouts.LOOKED_INTO == 100


def test_inspection_finds_what_is_unclear(tmp_path: Path, good_image: bytes) -> None:
    root = tree(tmp_path, "{train,test,meta}/{cat,dog}/1.jpg")
    for file in root.rglob("*.jpg"):
        file.write_bytes(good_image)
    with pytest.raises(UnclearLayout, match="meta/ are not"):
        inspect_source(root, "folder")
    inspect_source(root, "folder", {"train": "train", "test": "test"})
    with pytest.raises(InputError, match="has splits of its own"):
        open_labelled(root, "celeba", {"train": "train"})
