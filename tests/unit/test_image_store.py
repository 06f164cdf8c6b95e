"""Image stores: what goes in comes out, and nothing half-written ever has the final name."""

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from dcgan.core.files import InputError
from dcgan.data import image_store as store
from dcgan.data.image_store import ImageStore, StoreWriter


def write(path: Path, images: np.ndarray, keys: list[str], labels: list[int] | None = None, block: int = 7) -> None:
    with StoreWriter(path, images.shape[1:], {"source": "test", "classes": ["a", "é"]}) as writer:
        for start in range(0, len(images), block):
            part = slice(start, start + block)
            writer.append(images[part], keys[part], None if labels is None else labels[part])


def random_images(count: int, shape: tuple[int, int, int]) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, *shape), dtype=np.uint8)


@pytest.mark.parametrize("count", [0, 1, 2, 9, 300])
@pytest.mark.parametrize("shape", [(2, 2, 1), (8, 8, 3), (32, 32, 3), (64, 64, 3)])
def test_what_goes_in_comes_out(tmp_path: Path, count: int, shape: tuple[int, int, int]) -> None:
    images, keys = random_images(count, shape), [f'"k"\n{number} é' for number in range(count)]
    labels = list(range(count))
    write(tmp_path / "store.h5", images, keys, labels)
    opened = ImageStore(tmp_path / "store.h5")
    assert np.array_equal(opened.images, images) and opened.keys.tolist() == keys
    assert opened.labels is None if count == 0 else opened.labels.tolist() == labels
    assert opened.attributes["source"] == "test" and list(opened.attributes["classes"]) == ["a", "é"]
    with h5py.File(tmp_path / "store.h5") as file:
        assert np.array_equal(file["images"][:], images)


def test_the_bytes_depend_on_the_content_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, keys = random_images(100, (8, 8, 3)), [f"{number:040x}" for number in range(100)]
    digests = set()
    for block in (1, 7, 100):
        write(tmp_path / f"{block}.h5", images, keys, block=block)
        digests.add(hashlib.sha256((tmp_path / f"{block}.h5").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_many_keys_are_moved_some_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "KEYS_AT_ONCE", 10)
    keys = [str(number) for number in range(95)]
    write(tmp_path / "store.h5", random_images(95, (2, 2, 1)), keys)
    assert ImageStore(tmp_path / "store.h5").keys.tolist() == keys


def test_an_error_leaves_nothing_behind(tmp_path: Path) -> None:
    write(tmp_path / "store.h5", random_images(3, (2, 2, 1)), list("abc"))
    before = (tmp_path / "store.h5").read_bytes()
    with pytest.raises(RuntimeError), StoreWriter(tmp_path / "store.h5", (2, 2, 1), {}) as writer:
        writer.append(random_images(3, (2, 2, 1)), list("abc"))
        raise RuntimeError
    with (
        pytest.raises(ValueError, match="1 labels for 3 images"),
        StoreWriter(tmp_path / "b.h5", (2, 2, 1), {}) as writer,
    ):
        writer.append(random_images(1, (2, 2, 1)), ["a"], [1])
        writer.append(random_images(2, (2, 2, 1)), ["b", "c"])
    assert [path.name for path in tmp_path.iterdir()] == ["store.h5"]
    assert (tmp_path / "store.h5").read_bytes() == before


def test_a_full_disk_leaves_nothing_under_the_final_name(tmp_path: Path) -> None:
    code = (
        "import resource, sys, signal, numpy as np; from dcgan.data.image_store import StoreWriter\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "with StoreWriter(sys.argv[1], (64, 64, 3), {}) as writer:\n"
        "    for number in range(50): writer.append(np.zeros((1, 64, 64, 3), np.uint8), [str(number)])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "store.h5")], capture_output=True, text=True)
    assert done.returncode != 0 and "OSError" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_leaves_nothing_under_the_final_name(tmp_path: Path) -> None:
    code = (
        "import sys, time, numpy as np; from dcgan.data.image_store import StoreWriter\n"
        "with StoreWriter(sys.argv[1], (64, 64, 3), {}) as writer:\n"
        "    writer.append(np.zeros((9, 64, 64, 3), np.uint8), list('abcdefghi'))\n"
        "    print('written', flush=True); time.sleep(60)\n"
    )
    path = tmp_path / "store.h5"
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    assert not path.exists()
    write(path, random_images(3, (2, 2, 1)), list("abc"))
    assert len(ImageStore(path)) == 3


@pytest.mark.parametrize("damage", ["missing", "empty", "text", "cut off", "other hdf5"])
def test_what_is_no_store_is_refused_in_one_line(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "store.h5"
    write(path, random_images(30, (8, 8, 3)), [str(number) for number in range(30)])
    if damage == "missing":
        path.unlink()
    elif damage == "other hdf5":
        with h5py.File(path, "w") as file:
            file["images"] = np.zeros((2, 2))
    else:
        path.write_bytes({"empty": b"", "text": b"text" * 99, "cut off": path.read_bytes()[:5000]}[damage])
    with pytest.raises(InputError) as refusal:
        ImageStore(path)
    assert "store.h5" in str(refusal.value) and "\n" not in str(refusal.value)
