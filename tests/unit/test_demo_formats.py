"""Folders that are whole or absent, and writers that refuse what they cannot store."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from demo.formats import encode_image, folder_when_done, gzip_stored, write_lmdb, write_svhn_mat


def test_folder_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    out = tmp_path / "set"
    out.mkdir()
    (out / "old").touch()
    with folder_when_done(out) as folder:
        (folder / "new").touch()
    assert [path.name for path in out.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_failure_leaves_the_old_folder(tmp_path: Path) -> None:
    out = tmp_path / "set"
    out.mkdir()
    (out / "old").touch()
    with pytest.raises(RuntimeError), folder_when_done(out) as folder:
        (folder / "new").touch()
        raise RuntimeError
    assert [path.name for path in out.iterdir()] == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_lmdb_keys_must_ascend(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="out of order"):
        write_lmdb(tmp_path / "lmdb", [("b", b"1"), ("a", b"2")])


def test_mat_tells_no_time(tmp_path: Path) -> None:
    write_svhn_mat(tmp_path / "x.mat", np.zeros((2, 32, 32, 3), np.uint8), np.array([0, 1]))
    assert b"Created" not in (tmp_path / "x.mat").read_bytes()


def test_encoded_images_are_of_their_codec() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    assert encode_image(image, "jpeg", 90)[:2] == b"\xff\xd8"
    assert encode_image(image, "webp", 80)[8:12] == b"WEBP"


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 200_000])
def test_a_stored_gzip_file_is_one_to_every_reader(size: int, tmp_path: Path) -> None:
    content = np.random.default_rng(1).integers(0, 256, size, np.uint8).tobytes()
    (tmp_path / "x.gz").write_bytes(gzip_stored(content))
    with gzip.open(tmp_path / "x.gz") as file:
        assert file.read() == content
