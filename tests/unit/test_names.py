"""File names of any bytes survive every file they are written to, and stay different from each other."""

import io
import os
import random
import tarfile
from pathlib import Path

import lmdb
import numpy as np
import pandas as pd
import pytest

from dcgan.core.files import InputError, read_csv, write_csv
from dcgan.data.archives import FolderSource, Source, TarSource
from dcgan.data.image_store import ImageStore, StoreWriter
from dcgan.data.lsun import LsunSource
from dcgan.data.rejects import Rejects
from dcgan.data.source import as_text
from dcgan.representation.feature_tables import FeatureTable, create_table

ODD = b'Icon\r|a\0b|a\\x00b|NA|nan|1e5|007|True|"|a,b|\n|\x85|\xc2\x85| a |\\|\\\\|\xff|\\xff'.split(b"|")
ODD += b"\xe2\x80\xa8|\xef\xbb\xbf|#|;|\t|'|\x7f|\r\n".split(b"|")
ALPHABET = b'a|1|\\|x|0|"|,|\r|\n|\0|\xff|\xc2\x85|\xc3\xa9| |-'.split(b"|")


def names(seed: int, count: int = 300) -> list[bytes]:
    """The odd names, and random ones of the characters that make them odd, without those that hide a file."""
    generator = random.Random(seed)
    drawn = {b"".join(generator.choices(ALPHABET, k=generator.randint(1, 6))) for _ in range(count)}
    return sorted(drawn | set(ODD))


def folder(path: Path, contents: list[bytes]) -> Source:
    path.mkdir()
    for name in contents:
        Path(os.fsdecode(os.path.join(os.fsencode(path), name))).write_bytes(b"x")
    return FolderSource(path)


def tar(path: Path, contents: list[bytes]) -> Source:
    with tarfile.open(path, "w") as archive:
        for name in contents:
            member = tarfile.TarInfo(os.fsdecode(name))
            member.size = 1
            archive.addfile(member, io.BytesIO(b"x"))
    return TarSource(path)


def archive(path: Path, contents: list[bytes]) -> Source:
    with lmdb.open(str(path), map_size=1 << 26, lock=False) as environment, environment.begin(write=True) as writing:
        for name in contents:
            writing.put(name, b"x")
    return LsunSource(path)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("make", [folder, tar, archive])
def test_every_name_survives_every_file(tmp_path: Path, make: object, seed: int) -> None:
    """tarfile itself ends a name at NUL, and no file system has one in a name."""
    contents = [name for name in names(seed) if make is archive or b"\0" not in name]
    try:
        keys = [item.key for item in make(tmp_path / "in", contents).items(0, 1)]  # type: ignore[operator]
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert len(set(keys)) == len(contents) and keys == [as_text(name) for name in contents]
    assert not any(len(key.splitlines()) != 1 or "\0" in key for key in keys)
    with StoreWriter(tmp_path / "store.h5", (1, 1, 1), {"classes": keys, "source": keys[0]}) as writer:
        writer.append(np.zeros((len(keys), 1, 1, 1), np.uint8), keys, np.arange(len(keys)))
    store = ImageStore(tmp_path / "store.h5")
    assert store.keys.tolist() == store.classes == keys and store.attributes["source"] == keys[0]
    create_table(tmp_path / "table.h5", [1], 1, np.dtype("float32"), store.keys, store.labels, store.classes)
    assert FeatureTable(tmp_path / "table.h5").classes == keys
    rejects = Rejects(1.0, len(keys), "x")
    with rejects.recorded(tmp_path / "rejects.csv"):
        for key in keys:
            rejects.reject(key, f"{key}: empty")
    assert Rejects.joined([tmp_path / "rejects.csv"], 1.0, "x").rows == [(key, f"{key}: empty") for key in keys]


def test_names_that_look_like_numbers_or_nothing_stay_texts(tmp_path: Path) -> None:
    keys = ["NA", "", "nan", "007", "1e5", "True", "null"]
    write_csv(tmp_path / "a.csv", pd.DataFrame({"key": keys, "x": [1, None, 3, 4, 5, 6, 7], "kept": [True] * 7}))
    table = read_csv(tmp_path / "a.csv", {"key": str, "kept": bool})
    assert table["key"].tolist() == keys and table["x"].isna().sum() == 1 and table["kept"].dtype == bool


@pytest.mark.parametrize(
    "content", [b"", b'key\n"a', b"key\n\xff\n", b"other,kept\n1,True\n", b"key,kept\na,maybe\n", None]
)
def test_a_table_in_another_form_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.csv: ") as refusal:
        read_csv(tmp_path / "a.csv", {"key": str, "kept": bool})
    assert "\n" not in str(refusal.value)


def test_a_key_with_nul_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="NUL"), StoreWriter(tmp_path / "store.h5", (1, 1, 1), {}) as writer:
        writer.append(np.zeros((1, 1, 1, 1), np.uint8), ["a\0b"])
