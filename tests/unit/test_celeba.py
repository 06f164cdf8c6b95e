"""CelebA in the forms people have it in, and lists that are refused."""

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from dcgan.core.files import InputError
from dcgan.data.celeba import open_celeba
from dcgan.data.contents import contents_of
from dcgan.data.formats import open_labelled
from tests.unit.test_labelled import read, write_images


def test_celebas_partition_and_attributes_are_read(tmp_path: Path) -> None:
    (tmp_path / "img_align_celeba").mkdir()
    for number in range(1, 5):
        Image.new("RGB", (178, 218), (50 * number, 0, 0)).save(tmp_path / "img_align_celeba" / f"{number:06}.jpg")
    rows = [f"{number:06}.jpg  1 -1" for number in range(1, 5)]
    (tmp_path / "list_attr_celeba.txt").write_text("\n".join(["4", "Smiling Eyeglasses", *rows]) + "\n")
    (tmp_path / "list_eval_partition.txt").write_text(
        "\n".join(f"{n:06}.jpg {p}" for n, p in enumerate([0, 0, 1, 2], 1))
    )
    opened = open_labelled(tmp_path, "celeba")
    assert {split.name: len(split) for split in opened.splits} == {"train": 2, "validation": 1, "test": 1}
    assert read(opened.splits[1], 64).images_uint8.shape == (1, 64, 64, 3)
    assert opened.attributes is not None
    assert opened.attributes.to_dict("list") == {
        "key": [f"{number:06}.jpg" for number in range(1, 5)],
        "Smiling": [1] * 4,
        "Eyeglasses": [-1] * 4,
    }


def test_celeba_without_lists_is_one_split(tmp_path: Path, good_image: bytes) -> None:
    write_images(tmp_path, ["000001.jpg"], good_image)
    opened = open_celeba(tmp_path)
    assert [split.name for split in opened.splits] == ["train"] and opened.attributes is None
    assert opened.notes[1:] == ["no list_attr_celeba", "no list_eval_partition"]
    pd.DataFrame({"image_id": ["000001.jpg"], "Male": [1]}).to_csv(tmp_path / "list_attr_celeba.csv", index=False)
    assert list(open_celeba(tmp_path).attributes) == ["key", "Male"]  # type: ignore[call-overload]


def celeba(root: Path, good_image: bytes, attributes: str, partition: str = "", form: str = "csv") -> Path:
    """Ten pictures and their lists, as the official archives are laid out."""
    write_images(root, [f"Img/img_align_celeba/{number:06}.jpg" for number in range(1, 11)], good_image)
    for path, text in ((f"Anno/list_attr_celeba.{form}", attributes), ("Eval/list_eval_partition.txt", partition)):
        (root / path).parent.mkdir(exist_ok=True)
        if text:
            (root / path).write_text(text)
    return root


NUMBERS = range(1, 11)


ROWS = [f"{number:06}.jpg,{1 if number % 2 else -1}" for number in NUMBERS]


SMILING = "\n".join(["image_id,Smiling", *ROWS]) + "\n"


EXPECTED = {"key": [f"{number:06}.jpg" for number in NUMBERS], "Smiling": [1, -1] * 5}


@pytest.mark.parametrize("source", ["", "Img", "Img/img_align_celeba"])
def test_celebas_official_folders_are_known(tmp_path: Path, good_image: bytes, source: str) -> None:
    parts = "".join(f"{number:06}.jpg {0 if number < 8 else number - 8}\n" for number in NUMBERS)
    opened = open_labelled(celeba(tmp_path, good_image, SMILING, parts) / source, "celeba")
    assert {split.name: len(split) for split in opened.splits} == {"train": 8, "validation": 1, "test": 1}
    assert opened.attributes is not None and opened.attributes.to_dict("list") == EXPECTED
    assert opened.notes == [
        "10 pictures in img_align_celeba/",
        "Anno/list_attr_celeba.csv: names 10 of them",
        "Eval/list_eval_partition.txt: names 10 of them",
    ]


def test_an_index_column_is_not_taken_for_the_names(tmp_path: Path, good_image: bytes) -> None:
    text = "\n".join([",image_id,Smiling", *(f"{number},{row}" for number, row in enumerate(ROWS))])
    opened = open_labelled(celeba(tmp_path, good_image, text), "celeba")
    assert opened.attributes is not None and opened.attributes.to_dict("list") == EXPECTED


def test_attributes_have_the_keys_of_the_pictures(tmp_path: Path, good_image: bytes) -> None:
    """The list of the PNG version says .jpg; rows without a picture are left out."""
    for number in range(1, 4):
        write_images(tmp_path, [f"{number:06}.png"], good_image)
    (tmp_path / "list_attr_celeba.csv").write_text(SMILING)
    opened = open_celeba(tmp_path)
    assert opened.attributes is not None and opened.attributes["key"].tolist() == [f"{n:06}.png" for n in (1, 2, 3)]
    assert opened.notes[1].endswith("list_attr_celeba.csv: names 3 of them")


@pytest.mark.parametrize(
    ("form", "text", "reason"),
    [
        ("csv", SMILING[:-4], "one of them"),
        ("csv", SMILING[:-2] + "\n", "invalid literal"),
        ("csv", SMILING[: SMILING.index("000006")], "names only 5 of 10 pictures"),
        ("csv", SMILING.replace(",", ";"), "1 columns"),
        ("csv", SMILING.replace(",", "\t"), "1 columns"),
        ("csv", "image_id\n" + "\n".join(EXPECTED["key"]), "1 columns"),
        ("csv", SMILING.replace("-1", "no").replace(",1", ",yes"), "invalid literal"),
        ("csv", SMILING.replace("-1", "7"), "values other than -1, 0, 1"),
        ("csv", "number,Smiling\n" + "\n".join(f"{n},1" for n in range(10)), "names only 0 of 10 pictures"),
        ("csv", "\n".join(ROWS), "no line with names of columns"),
        ("csv", SMILING.replace("000002", "000001"), "stands in it twice"),
        ("csv", "image_id,Smiling\n", "0 rows"),
        ("csv", "\n", "not a readable list"),
        ("txt", "10\nSmiling\n" + "\n".join(ROWS[:9]).replace(",", " "), "counts 10 rows, there are 9"),
        ("txt", "10\nSmiling Male\n" + "\n".join(ROWS).replace(",", " "), "3 columns, 10 rows, one of them"),
        ("txt", "ten\nSmiling\n" + "\n".join(ROWS).replace(",", " "), "invalid literal"),
        ("txt", "Smiling Male\n" + "\n".join(ROWS).replace(",", " "), "invalid literal"),
        ("txt", "10", "not a readable list"),
    ],
)
def test_a_list_of_celeba_in_another_form_is_refused(
    tmp_path: Path, good_image: bytes, form: str, text: str, reason: str
) -> None:
    root = celeba(tmp_path, good_image, text, form=form)
    for read_set in (open_labelled, contents_of):
        with pytest.raises(InputError, match=rf"list_attr_celeba\.{form}: ") as refusal:
            read_set(root, "celeba")
        assert reason in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ("3", "values other than 0, 1, 2"),
        ("0 1", "one of them"),
        ("x", "invalid"),
        ("2", "puts no picture into train"),
    ],
)
def test_a_partition_in_another_form_is_refused(tmp_path: Path, good_image: bytes, part: str, reason: str) -> None:
    root = celeba(tmp_path, good_image, "", "".join(f"{number:06}.jpg {part}\n" for number in NUMBERS))
    for read_set in (open_labelled, contents_of):
        with pytest.raises(InputError, match=f"list_eval_partition.txt: .*{reason}"):
            read_set(root, "celeba")


def test_a_partition_that_leaves_nothing_to_train_on(tmp_path: Path, good_image: bytes) -> None:
    """A picture that it does not name goes to train only to be rejected."""
    root = celeba(tmp_path, good_image, "", "".join(f"{number:06}.jpg 1\n" for number in range(1, 10)))
    with pytest.raises(InputError, match="puts no picture into train"):
        contents_of(root, "celeba")


def test_contents_of_celeba_are_those_of_its_lists(tmp_path: Path, good_image: bytes) -> None:
    parts = "".join(f"{number:06}.jpg {0 if number < 8 else number - 8}\n" for number in NUMBERS)
    found = contents_of(celeba(tmp_path / "lists", good_image, SMILING, parts), "celeba")
    assert str(found) == "CelebA, 1 attributes: train 8, validation 1, test 1"
    assert str(contents_of(celeba(tmp_path / "none", good_image, ""), "celeba")) == "CelebA, no attributes: train 10"
