"""The stages of data preparation, run as the engines run them on small sources made here."""

import hashlib
import io
import shutil
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pandas as pd
import pytest
import scipy.io
from PIL import Image
from ruamel.yaml import YAML

from dcgan.files import InputError, read_json
from dcgan.store import ImageStore
from stages import (
    crop_faces,
    drop_duplicates,
    encode_images,
    evaluate_duplicates,
    export_lsun,
    fit_autoencoder,
    join_faces,
    pack_images,
)
from workflow.demo.faces import write_faces

ROOT = Path(__file__).parents[2]
Configure = Callable[..., Path]


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """Writes the parameters in git with some changes, section by section; returns the file."""

    def write(**sections: Mapping[str, Any]) -> Path:
        yaml = YAML()
        params = yaml.load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        params["run"].update(threads=1, device="cpu")
        for name, changes in sections.items():
            sets = params[name].get("sets")
            params[name].update(changes)
            if isinstance(sets, dict):  # the sets in git stay: other sections name them
                params[name]["sets"] = {**sets, **params[name]["sets"]}
        path = tmp_path / "params.yaml"
        yaml.dump(params, path)
        return path

    return write


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


def export(params: Path, source: Path, out: Path, shards: int) -> None:
    for shard in range(shards):
        export_lsun.main(
            ["--params", str(params), "--source", str(source), "--shard", str(shard), "--out", str(out / str(shard))]
        )


def digest_of_stores(paths: list[Path]) -> str:
    """A digest of images and keys of stores laid end to end."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(np.ascontiguousarray(ImageStore(path).images).tobytes())
    digest.update("\n".join(key for path in paths for key in ImageStore(path).keys).encode())
    return digest.hexdigest()


def test_the_export_does_not_depend_on_the_number_of_shards(tmp_path: Path, configure: Configure) -> None:
    values = {key_of(n): encode(room, "WEBP" if n % 3 else "JPEG") for n, room in enumerate(rooms(40))}
    source = write_lmdb(tmp_path / "bedroom_train_lmdb", values)
    digests = set()
    for shards in (1, 2, 7):
        out = tmp_path / str(shards)
        export(configure(export={"shards": list(range(shards)), "image_size": 48}), source, out, shards)
        for name in ("images.h5", "crops32.h5"):
            digests.add((name, digest_of_stores([out / str(shard) / name for shard in range(shards)])))
    assert len(digests) == 2
    store = ImageStore(tmp_path / "1" / "0" / "images.h5")
    assert store.keys.tolist() == sorted(values) and store.shape == (40, 48, 48, 3)
    assert ImageStore(tmp_path / "1" / "0" / "crops32.h5").shape == (40, 32, 32, 3)


def test_a_folder_a_tar_and_an_lmdb_are_exported_alike(tmp_path: Path, configure: Configure) -> None:
    values = {f"{key_of(n)}.jpg": encode(room) for n, room in enumerate(rooms(9))}
    (tmp_path / "folder").mkdir()
    for key, value in values.items():
        (tmp_path / "folder" / key).write_bytes(value)
    shutil.make_archive(str(tmp_path / "images"), "tar", tmp_path / "folder")
    write_lmdb(tmp_path / "lmdb", values)
    digests = set()
    for source in ("folder", "images.tar", "lmdb"):
        export(configure(export={"shards": [0, 1, 2]}), tmp_path / source, tmp_path / "out", 3)
        digests.add(digest_of_stores([tmp_path / "out" / str(shard) / "images.h5" for shard in range(3)]))
    assert len(digests) == 1


@pytest.fixture
def corpus(
    tmp_path: Path, unusable_images: Mapping[str, bytes], odd_images: Mapping[str, bytes]
) -> Mapping[str, bytes]:
    """Every kind of bad and of unusual value."""
    return {f"bad {name}": value for name, value in unusable_images.items()} | {
        f"odd {name}": value for name, value in odd_images.items()
    }


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


@pytest.mark.parametrize("form", ["folder", "tar", "lmdb"])
def test_every_bad_value_is_named_and_the_rest_exported(
    tmp_path: Path, configure: Configure, corpus: Mapping[str, bytes], form: str
) -> None:
    bad = write_corpus(tmp_path / "source", form, corpus)
    params = configure(export={"shards": [0], "max_rejects": 0.6})
    export(params, tmp_path / "source", tmp_path / "out", 1)
    rejects = pd.read_csv(tmp_path / "out" / "0" / "rejects.csv")
    assert rejects["key"].tolist() == bad and rejects["reason"].str.len().min() > 3
    assert ImageStore(tmp_path / "out" / "0" / "images.h5").keys.tolist() == sorted(k for k in corpus if k[0] == "o")


def crop_first_shard(params: Path, source: Path, out: Path) -> None:
    crop_faces.main(["--params", str(params), "--source", str(source), "--shard", "0", "--out", str(out)])


def test_faces_and_labelled_sets_meet_the_same_bad_files(
    tmp_path: Path, configure: Configure, corpus: Mapping[str, bytes]
) -> None:
    bad = write_corpus(tmp_path / "photos", "folder", corpus)
    params = configure(
        crop_faces={"shards": [0], "max_rejects": 0.6},
        pack=packed(tmp_path / "photos") | {"min_side": 32, "max_rejects": 0.6},
    )
    crop_first_shard(params, tmp_path / "photos", tmp_path / "faces")
    pack(params, tmp_path / "packed")
    # A photo of one pixel is a photo; nobody is on it.
    too_small = {"bad 1x1 jpeg", "bad 1x1 png", "bad 1000x2"}
    rejected = pd.read_csv(tmp_path / "faces" / "rejects.csv")["key"].tolist()
    assert rejected == [key for key in bad if key not in too_small]
    detections = pd.read_csv(tmp_path / "faces" / "detections.csv")
    assert len(detections["key"].unique()) == len(corpus) + 2 and not detections["kept"].any()
    assert pd.read_csv(tmp_path / "packed" / "rejects.csv")["key"].tolist() == bad
    assert len(ImageStore(tmp_path / "packed" / "train.h5")) == sum(key[0] == "o" for key in corpus)


def test_too_many_bad_values_stop_the_run_with_the_number(
    tmp_path: Path, configure: Configure, good_image: bytes
) -> None:
    values = {key_of(number): good_image for number in range(9)} | {"zz": good_image[:200]}
    source = write_lmdb(tmp_path / "lmdb", values)
    export(configure(export={"shards": [0], "max_rejects": 0.1}), source, tmp_path / "allowed", 1)
    with pytest.raises(InputError, match=r"1 of 10 items \(10.00%\) cannot be used, export.max_rejects allows 9.00%"):
        export(configure(export={"shards": [0], "max_rejects": 0.09}), source, tmp_path / "out", 1)
    assert [path.name for path in (tmp_path / "out" / "0").iterdir()] == ["rejects.csv"]


def test_a_source_that_is_none_is_told_in_one_line(tmp_path: Path, configure: Configure) -> None:
    data = write_lmdb(tmp_path / "lmdb", {key_of(n): encode(room) for n, room in enumerate(rooms(30))}) / "data.mdb"
    data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    for source, message in ((tmp_path / "lmdb", "cut off"), (tmp_path / "missing", "does not exist")):
        with pytest.raises(InputError, match=message):
            export(configure(), source, tmp_path / "out", 1)
    assert not (tmp_path / "out").exists()


def deduplicate(params: Path, work: Path, shards: int) -> None:
    """From exported shards to the unique images."""
    common = ["--params", str(params)]
    autoencoder = str(work / "autoencoder.safetensors")
    fit_autoencoder.main([*common, "--shards", str(work), "--out", autoencoder, "--curve", str(work / "curve.csv")])
    for shard in range(shards):
        encode_images.main(
            [*common, "--images", str(work / str(shard) / "crops32.h5"), "--autoencoder", autoencoder]
            + ["--out", str(work / "codes" / f"{shard}.h5")]
        )
    drop_duplicates.main(
        [*common, "--shards", str(work), "--codes", str(work / "codes"), "--out", str(work / "unique.h5")]
        + ["--duplicates", str(work / "duplicates.csv"), "--figure", str(work / "pairs.png")]
        + ["--metrics", str(work / "duplicates.json")]
    )


@pytest.fixture
def bedrooms_with_copies(tmp_path: Path) -> tuple[Path, pd.DataFrame]:
    """An LMDB of 60 rooms, 10 of them twice (the same file, or stored anew), and what is true about it."""
    values = {key_of(number): encode(room) for number, room in enumerate(rooms(60))}
    planted = []
    for number in range(10):
        copy, original = key_of(1000 + number), key_of(number)
        anew = encode(np.asarray(Image.open(io.BytesIO(values[original]))), "PNG")
        values[copy] = values[original] if number % 2 else anew
        planted.append((copy, original, "same" if number % 2 else "stored anew"))
    truth = pd.DataFrame(planted, columns=["key", "duplicate_of", "kind"])
    truth.to_csv(tmp_path / "truth.csv", index=False)
    return write_lmdb(tmp_path / "lmdb", values), truth


def test_copies_are_dropped_and_the_first_of_each_stays(
    tmp_path: Path, configure: Configure, bedrooms_with_copies: tuple[Path, pd.DataFrame]
) -> None:
    source, truth = bedrooms_with_copies
    results = {}
    for shards in (1, 3):
        params = configure(
            export={"shards": list(range(shards))},
            autoencoder={"minibatches": 8, "batch_size": 20},
        )
        work = tmp_path / str(shards)
        export(params, source, work, shards)
        deduplicate(params, work, shards)
        results[shards] = (digest_of_stores([work / "unique.h5"]), (work / "duplicates.csv").read_bytes())
    assert results[1] == results[3]
    found = pd.read_csv(tmp_path / "3" / "duplicates.csv")
    expected = {tuple(sorted(pair)) for pair in zip(truth["key"], truth["duplicate_of"], strict=True)}
    assert {(kept, key) for key, kept in zip(found["key"], found["kept"], strict=True)} == expected
    assert (found["distance"] == 0).all()
    metrics = read_json(tmp_path / "3" / "duplicates.json")
    assert (metrics["n_images"], metrics["n_removed"], metrics["published_share"]) == (70, 10, 0.0907)
    assert len(ImageStore(tmp_path / "3" / "unique.h5")) == 60
    with Image.open(tmp_path / "3" / "pairs.png") as sheet:
        assert sheet.size == (10 * (2 * 32 + 4) + 4, 32 + 2 * 4)


def test_no_duplicates_make_a_valid_picture(tmp_path: Path, configure: Configure) -> None:
    params = configure(export={"shards": [0]}, autoencoder={"minibatches": 1})
    export(params, write_lmdb(tmp_path / "lmdb", {key_of(n): encode(r) for n, r in enumerate(rooms(12))}), tmp_path, 1)
    deduplicate(params, tmp_path, 1)
    with Image.open(tmp_path / "pairs.png") as sheet:
        assert sheet.size[0] > 10
    assert (
        len(pd.read_csv(tmp_path / "duplicates.csv")) == 0 and read_json(tmp_path / "duplicates.json")["n_removed"] == 0
    )


def test_codes_of_other_images_are_refused(tmp_path: Path, configure: Configure) -> None:
    params = configure(export={"shards": [0]}, autoencoder={"minibatches": 1})
    values = {key_of(number): encode(room) for number, room in enumerate(rooms(12))}
    export(params, write_lmdb(tmp_path / "lmdb", values), tmp_path, 1)
    deduplicate(params, tmp_path, 1)
    export(params, write_lmdb(tmp_path / "fewer", dict(list(values.items())[:7])), tmp_path, 1)
    with pytest.raises(InputError, match=r"0.h5: 12 codes for 7 images"):
        drop_duplicates.load_codes(
            drop_duplicates.load_params(params), tmp_path / "codes", drop_duplicates.Shards(tmp_path, [0], "images.h5")
        )


def test_recall_and_precision_are_those_of_the_truth(tmp_path: Path) -> None:
    pd.DataFrame(
        [("b", "a", "noisy"), ("c", "a", "noisy"), ("e", "d", "cropped"), ("g", "f", "cropped")],
        columns=["key", "duplicate_of", "kind"],
    ).to_csv(tmp_path / "truth.csv", index=False)
    # b is found; of the pair c and a, c is kept for a; e goes for the wrong room; g is missed; x has no truth.
    pd.DataFrame(
        [("a", "b", 0), ("c", "b", 1), ("e", "f", 2), ("x", "y", 0)], columns=["key", "kept", "distance"]
    ).to_csv(tmp_path / "found.csv", index=False)
    evaluate_duplicates.main(
        ["--duplicates", str(tmp_path / "found.csv"), "--truth", str(tmp_path / "truth.csv")]
        + ["--metrics", str(tmp_path / "metrics.json")]
    )
    assert read_json(tmp_path / "metrics.json") == {
        "n_planted": 4,
        "n_removed": 4,
        "recall": 0.5,
        "recall_cropped": 0.0,
        "recall_noisy": 1.0,
        "wrongly_removed": 2,
        "precision": 0.5,
        "published_precision": 0.99,
    }


def test_faces_do_not_depend_on_the_number_of_shards(tmp_path: Path, configure: Configure) -> None:
    write_faces(tmp_path / "faces", seed=1, photos=14, processes=1)
    photos = tmp_path / "faces" / "photos"
    (photos / "person_00000" / "broken.jpg").write_bytes(b"no photo")
    results = set()
    for shards in (1, 2, 7):
        params = configure(crop_faces={"shards": list(range(shards)), "resize": 40, "max_rejects": 0.9})
        work = tmp_path / str(shards)
        for shard in range(shards):
            crop_faces.main(
                ["--params", str(params), "--source", str(photos), "--shard", str(shard)]
                + ["--out", str(work / "shards" / str(shard))]
            )
        join_faces.main(
            ["--params", str(params), "--shards", str(work / "shards"), "--out", str(work / "crops.h5")]
            + ["--detections", str(work / "detections.csv"), "--figure", str(work / "faces.png")]
            + ["--metrics", str(work / "faces.json")]
        )
        files = ("crops.h5", "detections.csv", "faces.png", "faces.json")
        results.add(tuple(hashlib.sha256((work / name).read_bytes()).hexdigest() for name in files))
    assert len(results) == 1
    detections = pd.read_csv(tmp_path / "7" / "detections.csv")
    store = ImageStore(tmp_path / "7" / "crops.h5")
    kept = detections[detections["kept"]]
    assert store.shape[1:] == (32, 32, 3) and len(store) == len(kept) >= 8
    assert [key.rpartition("#")[0] for key in store.keys] == kept["key"].tolist()
    assert kept[["x", "y", "width", "height"]].notna().all(axis=None)
    assert detections.set_index("key").loc["person_00000/broken.jpg", "reason"].startswith("not an image")
    metrics = read_json(tmp_path / "7" / "faces.json")
    assert metrics["n_photos"] == 15 and metrics["n_kept"] == len(store)


def test_photos_without_any_face_make_an_empty_store(tmp_path: Path, configure: Configure) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(3):
        (tmp_path / "photos" / f"{number}.png").write_bytes(encode(np.full((90, 90, 3), 40 * number, np.uint8), "PNG"))
    params = configure(crop_faces={"shards": [0]})
    crop_first_shard(params, tmp_path / "photos", tmp_path / "s" / "0")
    join_faces.main(
        ["--params", str(params), "--shards", str(tmp_path / "s"), "--out", str(tmp_path / "crops.h5")]
        + [
            "--detections",
            str(tmp_path / "d.csv"),
            "--figure",
            str(tmp_path / "f.png"),
            "--metrics",
            str(tmp_path / "m"),
        ]
    )
    assert len(ImageStore(tmp_path / "crops.h5")) == 0
    assert pd.read_csv(tmp_path / "d.csv")["reason"].tolist() == ["no face"] * 3


def packed(source: Path, **changes: Any) -> dict[str, Any]:
    section = {"source": str(source), "kind": "folder", "image_size": 32, "validation": 0} | changes
    return {"sets": {"mine": section}, "max_rejects": 0.5}


def pack(params: Path, out: Path) -> None:
    pack_images.main(["--params", str(params), "--set", "mine", "--out", str(out)])


def test_class_folders_are_packed_with_labels(tmp_path: Path, configure: Configure, good_image: bytes) -> None:
    for name in ("n02/a.JPEG", "n01/b.JPEG", "n01/c.JPEG"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / name).write_bytes(good_image)
    (tmp_path / "images" / "n01" / "bad.JPEG").write_bytes(b"")
    pack(configure(pack=packed(tmp_path / "images")), tmp_path / "out")
    store = ImageStore(tmp_path / "out" / "train.h5")
    assert store.keys.tolist() == ["n01/b.JPEG", "n01/c.JPEG", "n02/a.JPEG"] and store.shape == (3, 32, 32, 3)
    assert store.labels is not None and store.labels.tolist() == [0, 0, 1]
    assert list(store.attributes["classes"]) == ["n01", "n02"]
    assert pd.read_csv(tmp_path / "out" / "rejects.csv").values.tolist() == [["n01/bad.JPEG", "empty"]]


def test_svhn_is_packed_with_validation_images_out_of_train(tmp_path: Path, configure: Configure) -> None:
    (tmp_path / "svhn").mkdir()
    images = np.random.default_rng(0).integers(0, 256, (30, 32, 32, 3), dtype=np.uint8)
    labels = (np.arange(30) % 10 + 1).astype(np.uint8)[:, None]
    for split in ("train", "test"):
        scipy.io.savemat(tmp_path / "svhn" / f"{split}_32x32.mat", {"X": images.transpose(1, 2, 3, 0), "y": labels})
    pack(configure(pack=packed(tmp_path / "svhn", kind="svhn", validation=8)), tmp_path / "out")
    stores = {name: ImageStore(tmp_path / "out" / f"{name}.h5") for name in ("train", "validation", "test")}
    assert {name: len(store) for name, store in stores.items()} == {"train": 22, "validation": 8, "test": 30}
    assert not set(stores["train"].keys) & set(stores["validation"].keys)
    for store in stores.values():
        numbers = [int(key.rpartition("/")[2]) for key in store.keys]
        assert np.array_equal(store.images, images[numbers])
        assert store.labels is not None and store.labels.tolist() == [(number + 1) % 10 for number in numbers]


def test_packing_refuses_what_it_cannot_do(tmp_path: Path, configure: Configure, good_image: bytes) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(good_image)
    with pytest.raises(InputError, match=r"pack.sets.mine.validation: 5 of only 1 training images"):
        pack(configure(pack=packed(tmp_path / "images", validation=5)), tmp_path / "out")
    for number in range(3):
        (tmp_path / "images" / f"bad{number}.jpg").write_bytes(b"bad")
    with pytest.raises(InputError, match=r"3 of 4 items \(75.00%\) cannot be used, pack.max_rejects allows 50.00%"):
        pack(configure(pack=packed(tmp_path / "images")), tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.h5"))


def test_celeba_is_packed_with_its_splits_and_attributes(tmp_path: Path, configure: Configure) -> None:
    pictures = tmp_path / "celeba" / "img_align_celeba" / "img_align_celeba"  # as one archive in use has it
    pictures.mkdir(parents=True)
    for number in range(1, 6):
        encoded = encode(np.full((218, 178, 3), 40 * number, np.uint8))
        (pictures / f"{number:06}.jpg").write_bytes(encoded)
    names = [f"{number:06}.jpg" for number in range(1, 6)]
    attributes = pd.DataFrame({"image_id": names, "Smiling": [1, -1, 1, -1, 1]})
    attributes.to_csv(tmp_path / "celeba" / "list_attr_celeba.csv", index=False)
    partition = pd.DataFrame({"image_id": names[:4], "partition": [0, 2, 1, 0]})
    partition.to_csv(tmp_path / "celeba" / "list_eval_partition.csv", index=False)
    pack(configure(pack=packed(tmp_path / "celeba", kind="celeba", image_size=64)), tmp_path / "out")
    stores = {path.stem: ImageStore(path) for path in (tmp_path / "out").glob("*.h5")}
    assert {name: store.keys.tolist() for name, store in stores.items()} == {
        "train": [names[0], names[3]],
        "validation": [names[2]],
        "test": [names[1]],
    }
    assert stores["train"].shape == (2, 64, 64, 3) and stores["train"].labels is None
    assert abs(int(stores["test"].images.mean()) - 80) <= 1
    rejects = pd.read_csv(tmp_path / "out" / "rejects.csv").to_numpy().tolist()
    assert rejects == [[names[4], "not in list_eval_partition"]]
    table = pd.read_csv(tmp_path / "out" / "attributes.csv")
    assert table.to_dict("list") == {"key": names, "Smiling": [1, -1, 1, -1, 1]}
