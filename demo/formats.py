"""Writers of the original formats: LSUN's LMDB, MNIST's IDX, SVHN's MAT, CIFAR-10's binary records, encoded images.

All of them write the same bytes for the same content: no time stamps, no names of the machine.
"""

import io
import os
import shutil
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import cv2
import lmdb
import numpy as np
import numpy.typing as npt
import scipy.io

from dcgan.core.files import report_storage_errors
from dcgan.core.pixels import Images

Labels = npt.NDArray[np.int64]
Codec = Literal["jpeg", "webp"]
QUALITY_FLAGS = {"jpeg": cv2.IMWRITE_JPEG_QUALITY, "webp": cv2.IMWRITE_WEBP_QUALITY}
SUFFIXES = {"jpeg": ".jpg", "webp": ".webp"}
LMDB_MAP_BYTES = 1 << 34
LMDB_COMMIT_VALUES = 1000
IDX_UBYTE = 0x08
GZIP_HEADER = b"\x1f\x8b\x08" + bytes(6) + b"\xff"  # no name, no time, no system
GZIP_BLOCK_BYTES = 0xFFFF
MAT_HEADER_BYTES = 116
MAT_HEADER = b"MATLAB 5.0 MAT-file, Platform: demo"


@contextmanager
def folder_when_done(path: Path) -> Iterator[Path]:
    """Yields an empty temporary folder beside `path` that takes its name, and its place, only on success."""
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with report_storage_errors(path):
            partial.mkdir(parents=True)
            yield partial
            shutil.rmtree(path, ignore_errors=True)
            os.replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def encode_image(image_uint8: Images, codec: Codec, quality: int) -> bytes:
    """Encodes a (H, W, 3) uint8 RGB image."""
    bgr = cv2.cvtColor(image_uint8, cv2.COLOR_RGB2BGR)
    ok, encoded = cv2.imencode(SUFFIXES[codec], bgr, [QUALITY_FLAGS[codec], quality])
    if not ok:
        raise ValueError(f"an image of shape {image_uint8.shape} cannot be encoded as {codec}")
    return encoded.tobytes()


def write_lmdb(folder: Path, items: Iterable[tuple[str, bytes]]) -> None:
    """Writes folder/data.mdb as LSUN lays it out: key -> encoded image. The keys must come in ascending order."""
    folder.mkdir(parents=True)
    # lock=False leaves no lock.mdb behind: its bytes name this process.
    with lmdb.open(str(folder), map_size=LMDB_MAP_BYTES, lock=False, sync=False) as environment:
        transaction = environment.begin(write=True)
        for number, (key, value) in enumerate(items, 1):
            if not transaction.put(key.encode("ascii"), value, append=True):
                raise ValueError(f"key {key} is out of order")
            if number % LMDB_COMMIT_VALUES == 0:
                transaction.commit()
                transaction = environment.begin(write=True)
        transaction.commit()
        environment.sync(True)


def write_idx(path: Path, values_uint8: npt.NDArray[np.uint8]) -> None:
    """Writes an array of any shape as a gzipped IDX file of unsigned bytes."""
    header = bytes([0, 0, IDX_UBYTE, values_uint8.ndim]) + np.array(values_uint8.shape, ">u4").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip_stored(header + values_uint8.tobytes()))


def gzip_stored(content: bytes) -> bytes:
    """A gzip file that stores its content as it is: what compression makes of it depends on the version of zlib."""
    starts = range(0, max(len(content), 1), GZIP_BLOCK_BYTES)
    blocks = [content[start : start + GZIP_BLOCK_BYTES] for start in starts]
    body = b"".join(
        struct.pack("<BHH", start == starts[-1], len(block), len(block) ^ 0xFFFF) + block
        for start, block in zip(starts, blocks, strict=True)
    )
    return GZIP_HEADER + body + struct.pack("<II", zlib.crc32(content), len(content) % (1 << 32))


def write_svhn_mat(path: Path, images_uint8: Images, labels: Labels) -> None:
    """Writes cropped SVHN: X (32, 32, 3, N) and y (N, 1), both uint8, where the digit 0 has the label 10."""
    y = np.where(labels == 0, 10, labels).astype(np.uint8)[:, None]
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"X": np.ascontiguousarray(images_uint8.transpose(1, 2, 3, 0)), "y": y})
    content = bytearray(buffer.getvalue())
    # The free text at the front would tell platform and time.
    content[:MAT_HEADER_BYTES] = MAT_HEADER.ljust(MAT_HEADER_BYTES)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def write_cifar_batch(path: Path, images_uint8: Images, labels: Labels) -> None:
    """Writes CIFAR-10's binary records: a label byte, then the red, green and blue planes of (N, 32, 32, 3) images."""
    planes = images_uint8.transpose(0, 3, 1, 2).reshape(len(images_uint8), -1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(np.concatenate([labels.astype(np.uint8)[:, None], planes], axis=1).tobytes())
