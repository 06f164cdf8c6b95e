"""Image stores: what goes in comes out, and nothing half-written ever has the final name."""

import fcntl
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
from dcgan.data.packed_sets import labelled_store, open_splits
from dcgan.data.sharded_store import ReducedStore, Shards
from dcgan.representation.feature_tables import FeatureTable, create_table

ROOT = Path(__file__).parents[2]


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
    labels = [number % 2 for number in range(count)]
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


def stored(path: Path, images: object = None, keys: object = None, labels: object = None, **options: object) -> Path:
    """A file as somebody's own script writes it: four images of 2 x 2, with what is to be wrong."""
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=np.zeros((4, 2, 2, 3), np.uint8) if images is None else images, **options)
        if keys is not False:
            file["keys"] = list("abcd") if keys is None else keys
        if labels is not None:
            file["labels"] = labels
    return path


def test_a_store_of_ones_own_is_read(tmp_path: Path) -> None:
    for labels in ([0, 1, 1, 0], np.array([3, 2, 1, 0], np.uint8)):
        store = ImageStore(
            stored(tmp_path / "own.h5", np.arange(48, dtype=np.uint8).reshape(4, 2, 2, 3), labels=labels)
        )
        assert store.images[1, 0, 0].tolist() == [12, 13, 14] and store.keys.tolist() == list("abcd")
        assert store.labels is not None and store.labels.dtype == np.int64 and store.labels.tolist() == list(labels)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint16", "int8", "bool"])
def test_pixels_of_another_type_are_refused(tmp_path: Path, dtype: str) -> None:
    path = stored(tmp_path / "own.h5", np.ones((4, 2, 2, 3), dtype))
    with pytest.raises(InputError, match=rf"own.h5: not a readable image store \(images must be uint8 .* {dtype}"):
        ImageStore(path)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"images": np.zeros((4, 12), np.uint8)}, "images must be uint8"),
        ({"images": np.zeros((4, 2, 0, 3), np.uint8)}, "images must be uint8"),
        ({"chunks": (1, 2, 2, 3)}, "one run of bytes"),
        ({"compression": "gzip"}, "one run of bytes"),
        ({"keys": False}, "no dataset keys"),
        ({"keys": list("abc")}, "keys must be 4 texts"),
        ({"keys": [1, 2, 3, 4]}, "keys must be 4 texts"),
        ({"labels": [1, 2, 3, 4]}, "labels begin at 1"),
        ({"labels": [-1, 0, 1, 2]}, "labels are -1 to 2"),
        ({"labels": np.array([0, 1, 2, 2**63], np.uint64)}, "labels are 0 to 9223372036854775808"),
        ({"labels": [0.0, 1.0, 2.0, 3.0]}, "labels must be 4 whole numbers"),
        ({"labels": ["0", "1", "2", "3"]}, "labels must be 4 whole numbers"),
        ({"labels": np.eye(4, dtype=np.int64)}, "labels must be 4 whole numbers"),
        ({"labels": [[0], [1], [2], [3]]}, "labels must be 4 whole numbers"),
        ({"labels": [0, 1, 2]}, "labels must be 4 whole numbers"),
    ],
)
def test_a_store_in_another_form_is_refused(tmp_path: Path, options: dict[str, object], reason: str) -> None:
    with pytest.raises(InputError, match="own.h5: not a readable image store") as refusal:
        ImageStore(stored(tmp_path / "own.h5", **options))
    assert reason in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["images", "keys", "labels"])
def test_a_link_into_another_file_is_refused(tmp_path: Path, name: str) -> None:
    """The memory map would show bytes of the file with the link; one to a place in the file itself is fine."""
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 2, 2, 3)
    stored(tmp_path / "other.h5", pixels, labels=[0, 1, 0, 1])
    path = stored(tmp_path / "own.h5", pixels, labels=[0, 1, 0, 1])
    with h5py.File(path, "r+") as file:
        file.move(name, "moved")
        file[name] = h5py.SoftLink("/moved")
    assert np.array_equal(ImageStore(path).images, pixels)
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = h5py.ExternalLink(str(tmp_path / "other.h5"), f"/{name}")
    with pytest.raises(InputError, match=f"own.h5: not a .*{name} must lie in the file, is a link into .*other"):
        ImageStore(path)


def test_labels_are_those_of_the_named_classes(tmp_path: Path) -> None:
    path = stored(tmp_path / "own.h5", labels=[1, 2, 3, 3])
    with h5py.File(path, "r+") as file:
        file.attrs["classes"] = ["a", "b", "c", "d"]
    assert ImageStore(path).classes == ["a", "b", "c", "d"]  # the first class may be absent from a split
    for classes, reason in ((["a", "b", "c"], "there are 3 classes"), ("abcd", "must be a list of texts")):
        with h5py.File(path, "r+") as file:
            file.attrs["classes"] = classes
        with pytest.raises(InputError, match=reason):
            ImageStore(path)


def test_keys_that_are_no_utf8_are_refused_when_they_are_read(tmp_path: Path) -> None:
    path = stored(tmp_path / "own.h5", keys=np.array([b"a", b"b", b"\xff", b"d"]))
    with pytest.raises(InputError, match="own.h5: the keys cannot be read"):
        ImageStore(path).keys  # noqa: B018


@pytest.mark.parametrize("labels", [[0.5], ["0"], [[0]], [-1], [2]])
def test_labels_of_another_form_are_not_written(tmp_path: Path, labels: list[object]) -> None:
    with (
        pytest.raises(ValueError, match="labels"),
        StoreWriter(tmp_path / "store.h5", (2, 2, 1), {"classes": ["a", "b"]}) as writer,
    ):
        writer.append(random_images(1, (2, 2, 1)), ["a"], labels)  # type: ignore[arg-type]


def test_shards_are_stores_too(tmp_path: Path) -> None:
    for shard, images in (("0", np.zeros((4, 2, 2, 3), np.uint8)), ("1", np.zeros((4, 2, 2, 3), np.float32))):
        (tmp_path / shard).mkdir()
        stored(tmp_path / shard / "images.h5", images)
    assert len(Shards(tmp_path, [0], "images.h5")) == 4
    with pytest.raises(InputError, match="1/images.h5: not a readable image store"):
        Shards(tmp_path, [0, 1], "images.h5")
    write(tmp_path / "0" / "images.h5", random_images(0, (2, 2, 1)), [])
    with pytest.raises(InputError, match="none of the 1 stores images.h5 holds an image"):
        Shards(tmp_path, [0], "images.h5")


def test_images_of_a_store_are_read_at_another_size_in_the_order_asked_for(tmp_path: Path) -> None:
    levels = np.array([10, 90, 200], np.uint8)
    with StoreWriter(tmp_path / "a.h5", (8, 8, 3), {}) as writer:
        writer.append(np.broadcast_to(levels[:, None, None, None], (3, 8, 8, 3)).copy(), ["a", "b", "c"])
    smaller = ReducedStore(ImageStore(tmp_path / "a.h5"), 4)
    images = smaller.gather(np.array([2, 0, 1]))
    assert images.shape == (3, 4, 4, 3) and images[:, 0, 0, 0].tolist() == [200, 10, 90] and len(smaller) == 3


def test_packed_splits_hold_images_and_several_classes(tmp_path: Path) -> None:
    write(tmp_path / "train.h5", random_images(4, (2, 2, 1)), list("abcd"), [1, 1, 1, 1])
    write(tmp_path / "test.h5", random_images(0, (2, 2, 1)), [])
    with pytest.raises(InputError, match="test.h5: the store holds no images"):
        open_splits(tmp_path)
    with pytest.raises(InputError, match="train.h5: all 4 images are of one class, 1"):
        labelled_store(tmp_path / "train.h5")


def test_files_are_opened_without_the_locks_that_some_file_systems_refuse(tmp_path: Path) -> None:
    path = tmp_path / "store.h5"
    write(path, random_images(3, (2, 2, 1)), list("abc"))
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # where HDF5 locks, it now waits for nobody and gives up
        with pytest.raises(BlockingIOError):
            h5py.File(path, "r", locking=True)
        assert len(ImageStore(path).keys) == 3
    opened = {
        str(source.relative_to(ROOT))
        for folder in ("dcgan", "demo", "stages", "workflow", "benchmarks")
        for source in (ROOT / folder).rglob("*.py")
        if "h5py.File(" in source.read_text(encoding="utf-8")
    }
    assert opened == {"dcgan/core/hdf5.py"}


def test_a_hundred_thousand_class_names_are_stored(tmp_path: Path) -> None:
    """Five thousand names take the 64 KiB that an attribute may have in HDF5's oldest format."""
    classes = [f"Person {number:06}" for number in range(100_000)]
    with StoreWriter(tmp_path / "store.h5", (1, 1, 1), {"classes": classes}) as writer:
        writer.append(np.zeros((2, 1, 1, 1), np.uint8), ["a", "b"], [0, 99_999])
    store = ImageStore(tmp_path / "store.h5")
    create_table(tmp_path / "table.h5", [3], 1, np.dtype("float32"), store.keys, store.labels, store.classes)
    table = FeatureTable(tmp_path / "table.h5")
    assert store.classes == table.classes == classes and table.labels is not None
    assert table.labels.tolist() == [0, 99_999]
