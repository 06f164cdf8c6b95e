"""Small sources of images, in the forms that data preparation reads."""

import hashlib
import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import lmdb
import numpy as np
from PIL import Image

from stages import export_lsun

Configure = Callable[..., Path]


def encode(pixels: np.ndarray, form: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, quality=90)
    return buffer.getvalue()


def rooms(count: int, seed: int = 0) -> list[np.ndarray]:
    """Smooth random pictures of 80 x 72 pixels, all different."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 6, 6, 3), dtype=np.uint8)
    return [np.asarray(Image.fromarray(part).resize((80, 72), Image.Resampling.BICUBIC)) for part in coarse]


def key_of(number: int) -> str:
    return hashlib.sha1(str(number).encode()).hexdigest()


def write_lmdb(path: Path, values: Mapping[str, bytes]) -> Path:
    with (
        lmdb.open(str(path), map_size=1 << 28, lock=False) as environment,
        environment.begin(write=True) as transaction,
    ):
        for key, value in sorted(values.items()):
            transaction.put(key.encode(), value)
    return path


def write_corpus(path: Path, form: str, corpus: Mapping[str, bytes]) -> list[str]:
    """The corpus as one of the sources that are read; returns the keys of what cannot be used, in order."""
    bad = [key for key in corpus if key.startswith("bad")]
    if form == "lmdb":
        write_lmdb(path, corpus)
        return sorted(bad)
    folder = path if form == "folder" else path.with_suffix(".files")
    folder.mkdir()
    for key, value in corpus.items():
        (folder / key).write_bytes(value)
    (folder / "bad loop").symlink_to(folder)
    (folder / "bad link").symlink_to(folder.parent / "nowhere")
    if form == "tar":
        with tarfile.open(path, "w") as archive:
            archive.add(folder, ".")
            archive.add(folder / "bad text", "odd png")  # a key for the second time
        bad.append("odd png")
    return sorted([*bad, "bad loop", "bad link"])


def export(params: Path, source: Path, out: Path, shards: int) -> None:
    for shard in range(shards):
        export_lsun.main(
            ["--params", str(params), "--source", str(source), "--shard", str(shard), "--out", str(out / str(shard))]
        )
