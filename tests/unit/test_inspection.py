"""A look at a source before any work: what is missing, and what is no source of its kind."""

import tarfile
from pathlib import Path
from typing import Literal

import pytest

from dcgan.core.files import InputError
from dcgan.data.formats import inspect_source
from tests.stages.sources import write_lmdb


def test_inspection_says_what_a_path_lacks(tmp_path: Path, good_image: bytes) -> None:
    for kind in ("lsun", "photos", "folder", "cifar10", "svhn", "mnist", "celeba"):
        with pytest.raises(InputError, match="does not exist"):
            inspect_source(tmp_path / "missing", kind)  # type: ignore[arg-type]
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(InputError):
            inspect_source(tmp_path / "empty", kind)  # type: ignore[arg-type]
        (tmp_path / "file").write_text("not a source")
        with pytest.raises(InputError, match="file"):
            inspect_source(tmp_path / "file", kind)  # type: ignore[arg-type]
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("text")
    with pytest.raises(InputError, match="none of the first 1 files is an image; a.txt: not an image"):
        inspect_source(tmp_path / "texts", "photos")
    (tmp_path / "texts" / "z.jpg").write_bytes(good_image)
    inspect_source(tmp_path / "texts", "photos")


@pytest.mark.parametrize("form", ["folder", "tar", "lmdb"])
@pytest.mark.parametrize("kind", ["lsun", "photos"])
def test_inspection_decodes_the_first_items_whatever_they_lie_in(
    tmp_path: Path, good_image: bytes, form: str, kind: Literal["lsun", "photos"]
) -> None:
    texts = {f"{number:02}.txt": b"a text" for number in range(40)}
    for name, items in {"texts": texts, "images": texts | {"00.txt": b"", "01.txt": good_image}}.items():
        write_source(tmp_path / name, form, items)
    with pytest.raises(InputError, match="texts: none of the first 32 files is an image; .*txt: not an image"):
        inspect_source(tmp_path / "texts", kind)
    if form != "folder":  # whose files come in the order of the disk
        inspect_source(tmp_path / "images", kind)


def write_source(path: Path, form: str, items: dict[str, bytes]) -> None:
    """Items as a folder, a tar or an LMDB."""
    if form == "lmdb":
        write_lmdb(path, items)
        return
    folder = path if form == "folder" else path.with_name(f"{path.name} unpacked")
    folder.mkdir()
    for name, content in items.items():
        (folder / name).write_bytes(content)
    if form == "tar":
        with tarfile.open(path, "w") as archive:
            for name in items:
                archive.add(folder / name, name)
