"""Folders, tars and LMDBs as sources: order, shards, and what is wrong with single items."""

import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

import lmdb
import pytest

from dcgan.core.files import InputError
from dcgan.data import archives as encoded
from dcgan.data import lsun
from dcgan.data.archives import FolderSource, TarSource, open_source
from dcgan.data.lsun import LsunSource, split_keys
from dcgan.data.source import Encoded
from tests.stages.sources import write_lmdb

CONTENTS = {f"{name}.jpg": name.encode() * 3 for name in ("b", "a", "B", "é", "a/2", "a/10", "z z")}


def write_folder(root: Path, contents: Mapping[str, bytes]) -> Path:
    for name, content in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def write_tar(path: Path, contents: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in contents:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def sources(tmp_path: Path) -> list[encoded.Source]:
    return [
        FolderSource(write_folder(tmp_path / "folder", CONTENTS)),
        TarSource(write_tar(tmp_path / "a.tar", list(CONTENTS.items()))),
        LsunSource(write_lmdb(tmp_path / "lmdb", CONTENTS)),
    ]


def test_all_three_give_the_same_items_in_the_order_of_their_bytes(tmp_path: Path) -> None:
    expected = [Encoded(name, CONTENTS[name]) for name in sorted(CONTENTS, key=str.encode)]
    for source in sources(tmp_path):
        assert list(source.items(0, 1)) == expected
        assert source.count == len(CONTENTS)


@pytest.mark.parametrize("shards", [1, 2, 3, 7, 20])
def test_shards_put_together_are_the_whole(tmp_path: Path, shards: int) -> None:
    for source in sources(tmp_path):
        together = [item for shard in range(shards) for item in source.items(shard, shards)]
        assert together == list(source.items(0, 1))


def test_sources_are_told_apart_by_what_they_are(tmp_path: Path) -> None:
    folder, tar, archive = sources(tmp_path)
    assert isinstance(open_source(tmp_path / "folder"), FolderSource)
    assert isinstance(open_source(tmp_path / "a.tar"), TarSource)
    assert isinstance(open_source(tmp_path / "lmdb"), LsunSource)
    assert isinstance(open_source(tmp_path / "lmdb" / "data.mdb"), LsunSource)


def test_hidden_files_are_left_out(tmp_path: Path) -> None:
    contents = dict.fromkeys([".DS_Store", "a.jpg", ".thumbs/b.jpg", "c/.d/e.jpg", "c/.f", "c/g.jpg"], b"x")
    folder = FolderSource(write_folder(tmp_path / "folder", contents))
    assert [item.key for item in folder.items(0, 1)] == ["a.jpg", "c/g.jpg"]
    for number, above in enumerate(("", "./")):
        tar = TarSource(write_tar(tmp_path / f"{number}.tar", [(above + name, b"x") for name in contents]))
        assert list(tar.items(0, 1)) == list(folder.items(0, 1))


def test_links_are_followed_and_loops_are_named(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "root", {"a/1.jpg": b"1"})
    write_folder(tmp_path / "elsewhere", {"2.jpg": b"2"})
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "a" / "up").symlink_to(root)
    (root / "b").symlink_to(root / "b")
    (root / "broken.jpg").symlink_to(tmp_path / "nowhere")
    items = {item.key: item for item in FolderSource(root).items(0, 1)}
    assert items["a/1.jpg"].content == b"1" and items["linked/2.jpg"].content == b"2"
    assert items["a/up"].reason == "symlink loop"
    assert items["b"].content is None and "symbolic links" in items["b"].reason
    assert items["broken.jpg"].reason == "cannot be read: No such file or directory"
    assert len(items) == 5


def test_what_is_no_regular_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert next(FolderSource(tmp_path).items(0, 1)).reason == "not a regular file"


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoded, "MAX_FILE_BYTES", 4)
    write_folder(tmp_path, {"a.jpg": b"12345"})
    assert next(FolderSource(tmp_path).items(0, 1)).reason == "too large: 5 bytes"


def test_an_unreadable_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path, {"a.jpg": b"1", "closed/b.jpg": b"2"})
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert [tuple(item) for item in FolderSource(tmp_path).items(0, 1)] == [
        ("a.jpg", b"1", ""),
        ("closed", None, "cannot be read: Permission denied"),
    ]


def test_a_name_that_is_not_utf8_can_be_stored(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    item = next(FolderSource(tmp_path).items(0, 1))
    assert item.key == "caf\\xe9.jpg" and item.content == b"x"


def test_a_tar_names_what_cannot_be_used(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", [("x.jpg", b"1"), ("./x.jpg", b"2"), ("w.jpg", b"3")])
    with tarfile.open(path, "a") as archive:
        link = tarfile.TarInfo("link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    items = [tuple(item) for item in TarSource(path).items(0, 1)]
    assert items == [
        ("link.jpg", None, "not a regular file"),
        ("w.jpg", b"3", ""),
        ("x.jpg", b"1", ""),
        ("x.jpg", None, "duplicate key"),
    ]


def test_a_tar_that_is_cut_off_gives_what_is_there(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", [(f"{number}.jpg", bytes(1000)) for number in range(4)])
    whole = path.read_bytes()
    path.write_bytes(whole[: 2 * 1536 + 512 + 100])
    assert [(item.key, item.content is None, item.reason) for item in TarSource(path).items(0, 1)] == [
        ("0.jpg", False, ""),
        ("1.jpg", False, ""),
        ("2.jpg", True, "the tar ends within it"),
        ("a.tar", True, "the tar is cut off: it has no end mark"),
    ]


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100, b"\x1f\x8b" + bytes(600)])
def test_other_files_are_no_source(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(InputError, match="file"):
        open_source(tmp_path / "file")


def test_an_empty_folder_and_a_missing_path_are_no_source(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no files"):
        open_source(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        open_source(tmp_path / "missing")


def test_an_lmdb_cut_in_half_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = write_lmdb(tmp_path / "lmdb", {f"{n:040x}": bytes(5000) for n in range(200)})
    data = path / "data.mdb"
    data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    with pytest.raises(InputError, match="cut off: .* bytes are there"):
        LsunSource(path)


@pytest.mark.parametrize("size", [0, 100, 4096, 8192])
def test_an_lmdb_of_nonsense_is_refused(tmp_path: Path, size: int) -> None:
    (tmp_path / "data.mdb").write_bytes(b"\x07" * size)
    with pytest.raises(InputError, match="not an LMDB"):
        LsunSource(tmp_path)


def test_an_empty_lmdb_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no images"):
        LsunSource(write_lmdb(tmp_path / "lmdb", {}))


def test_an_lmdb_is_left_as_it_was(tmp_path: Path) -> None:
    path = write_lmdb(tmp_path / "lmdb", {"a": b"1", "b": b"2"})
    before = {file.name: file.stat().st_mtime_ns for file in path.iterdir()}
    os.chmod(path / "data.mdb", 0o444)
    assert len(list(LsunSource(path).items(0, 1))) == 2
    assert {file.name: file.stat().st_mtime_ns for file in path.iterdir()} == before


def test_several_values_of_a_key_are_named(tmp_path: Path) -> None:
    data = write_lmdb(tmp_path, {}) / "data.mdb"
    content = bytearray(data.read_bytes())
    for page in (0, 4096):  # the flag of the main database that allows them, in both of LMDB's meta pages
        content[page + 92] = 0x04
    data.write_bytes(content)
    with lmdb.open(str(tmp_path), map_size=1 << 20) as environment, environment.begin(write=True) as transaction:
        for value in (b"1", b"2"):
            transaction.put(b"key", value, dupdata=True)
    assert [tuple(item) for item in LsunSource(tmp_path).items(0, 1)] == [
        ("key", b"1", ""),
        ("key", None, "duplicate key"),
    ]


def test_the_archive_is_opened_anew_without_losing_an_item(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_lmdb(tmp_path / "lmdb", {f"{n:03}": bytes(100) for n in range(200)})
    monkeypatch.setattr(lsun, "REOPEN_AFTER_BYTES", 700)
    for shards in (1, 3):
        keys = [item.key for shard in range(shards) for item in LsunSource(path).items(shard, shards)]
        assert keys == [f"{n:03}" for n in range(200)]


@pytest.mark.parametrize("form", ["{:040x}", "{:08d}", "image-{:08d}.jpg"])
def test_shards_of_usual_keys_are_about_equal(tmp_path: Path, form: str) -> None:
    spread = (1 << 160) // 1001 if "x" in form else 1
    keys = [form.format(number * spread) for number in range(1000)]
    source = LsunSource(write_lmdb(tmp_path / "lmdb", dict.fromkeys(keys, b"value")))
    counts = [len(list(source.items(shard, 4))) for shard in range(4)]
    assert sum(counts) == 1000 and max(counts) < 300


def test_cuts_are_in_order_for_any_keys() -> None:
    for first, last in ((b"a", b"b"), (b"", b"\xff" * 9), (b"abc", b"abc"), (b"0", b"zz")):
        cuts = split_keys(first, last, 5, [first, last])
        assert cuts == sorted(cuts) and len(cuts) == 4
