"""Face crops and labelled sets, made as the engines make them out of small sources made here."""

import hashlib
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.io

from dcgan.core.files import InputError, read_json, write_csv
from dcgan.data.image_store import ImageStore, StoreWriter
from demo.faces import write_faces
from stages import crop_faces, evaluate_duplicates, join_faces, pack_images
from tests.stages.sources import Configure, encode, write_corpus


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


def test_faces_do_not_depend_on_the_number_of_shards_or_threads(tmp_path: Path, configure: Configure) -> None:
    write_faces(tmp_path / "faces", seed=1, photos=14, processes=1)
    photos = tmp_path / "faces" / "photos"
    (photos / "person_00000" / "broken.jpg").write_bytes(b"no photo")
    results = set()
    for shards, threads in ((1, 1), (2, 3), (7, 2)):
        params = configure(
            crop_faces={"shards": list(range(shards)), "resize": 40, "max_rejects": 0.9}, run={"threads": threads}
        )
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


def test_photos_without_any_face_are_refused_when_the_shards_are_joined(tmp_path: Path, configure: Configure) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(3):
        (tmp_path / "photos" / f"{number}.png").write_bytes(encode(np.full((90, 90, 3), 40 * number, np.uint8), "PNG"))
    params = configure(crop_faces={"shards": [0]})
    crop_first_shard(params, tmp_path / "photos", tmp_path / "s" / "0")
    assert pd.read_csv(tmp_path / "s" / "0" / "detections.csv")["reason"].tolist() == ["no face"] * 3
    outputs = [f"--{name}={tmp_path / name}" for name in ("out", "detections", "figure", "metrics")]
    with pytest.raises(InputError, match=r"/s: none of the 1 stores crops.h5 holds an image"):
        join_faces.main(["--params", str(params), "--shards", str(tmp_path / "s"), *outputs])


def test_a_second_photo_of_a_key_is_one_more_photo(tmp_path: Path, configure: Configure) -> None:
    """It is rejected, the first one is not: one of three cannot be used, which a limit of 0.34 allows."""
    write_faces(tmp_path / "faces", seed=1, photos=2, processes=1)
    first, second = sorted((tmp_path / "faces" / "photos").rglob("*.jpg"))[:2]
    with tarfile.open(tmp_path / "photos.tar", "w") as archive:
        for name, path in (("a.jpg", first), ("b.jpg", second), ("a.jpg", second)):
            archive.add(path, name)
    params = configure(crop_faces={"shards": [0], "resize": 40, "max_rejects": 0.34})
    crop_first_shard(params, tmp_path / "photos.tar", tmp_path / "s" / "0")
    assert pd.read_csv(tmp_path / "s" / "0" / "rejects.csv")["key"].tolist() == ["a.jpg"]
    outputs = [f"--{name}={tmp_path / name}" for name in ("out", "detections", "metrics")]
    outputs.append(f"--figure={tmp_path / 'faces.png'}")
    join_faces.main(["--params", str(params), "--shards", str(tmp_path / "s"), *outputs])
    assert read_json(tmp_path / "metrics")["n_rejected"] == 1


@pytest.mark.parametrize("keys", [["b.jpg#0", "a.jpg#0"], ["a.jpg#0"], ["a.jpg#0", "c.jpg#0"]])
def test_crops_of_other_photos_than_the_detections_are_refused(
    tmp_path: Path, configure: Configure, keys: list[str]
) -> None:
    shard = tmp_path / "s" / "0"
    with StoreWriter(shard / "crops.h5", (32, 32, 3), {}) as store:
        store.append(np.zeros((len(keys), 32, 32, 3), np.uint8), keys)
    box = dict.fromkeys(["x", "y", "width", "height", "score"], 1)
    detections = pd.DataFrame([{"key": key, **box, "kept": True, "reason": ""} for key in ("a.jpg", "b.jpg")])
    write_csv(shard / "detections.csv", detections)
    write_csv(shard / "rejects.csv", pd.DataFrame(columns=["key", "reason"]))
    outputs = [f"--{name}={tmp_path / name}" for name in ("out", "detections", "figure", "metrics")]
    params = configure(crop_faces={"shards": [0]})
    with pytest.raises(InputError, match="crops are not those of the kept detections"):
        join_faces.main(["--params", str(params), "--shards", str(tmp_path / "s"), *outputs])


def packed(source: Path, **changes: Any) -> dict[str, Any]:
    section = (
        {"source": str(source), "kind": "folder", "splits": None, "image_size": 32}
        | {"validation": 0, "test": 0}
        | changes
    )
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


def write_images(root: Path, names: list[str], image: bytes) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(image)
    return root


def test_what_was_understood_is_printed_and_kept(
    tmp_path: Path, configure: Configure, good_image: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["Training/a/1.jpg", "Training/b/2.jpg", "Training/b/3.jpg", "valid/b/4.jpg", "valid/a/5.jpg", "x.txt"]
    source = write_images(tmp_path / "images", names, good_image)
    pack(configure(pack=packed(source)), tmp_path / "out")
    contents = read_json(tmp_path / "out" / "contents.json")
    assert contents["splits"] == {"train": {"images": 3, "classes": 2}, "validation": {"images": 2, "classes": 2}}
    assert contents["found"][0] == "train: 3 files in Training/, 2 class folders"
    printed = capsys.readouterr().err
    assert "mine: train 3 images, 2 classes\n" in printed and "mine: train: 3 files in Training/" in printed
    assert "mine: 1 files beside the splits are left out, x.txt first" in printed


def test_an_unclear_layout_is_settled_by_a_parameter(tmp_path: Path, configure: Configure, good_image: bytes) -> None:
    names = ["train/a/1.jpg", "train/b/2.jpg", "test/b/3.jpg", "test/a/4.jpg", "meta/m.jpg"]
    source = write_images(tmp_path / "images", names, good_image)
    with pytest.raises(InputError, match=r"meta/ are not; name them in pack.sets.mine.splits"):
        pack(configure(pack=packed(source)), tmp_path / "out")
    pack(configure(pack=packed(source, splits={"train": "train", "validation": "test"})), tmp_path / "out")
    assert {path.stem: len(ImageStore(path)) for path in (tmp_path / "out").glob("*.h5")} == {
        "train": 2,
        "validation": 2,
    }


def test_a_second_validation_split_is_refused(tmp_path: Path, configure: Configure, good_image: bytes) -> None:
    source = write_images(
        tmp_path / "images", ["train/a/1.jpg", "train/b/2.jpg", "val/a/3.jpg", "val/b/4.jpg"], good_image
    )
    with pytest.raises(
        InputError, match="mine.validation: 1, but the set has a validation split of 2 images; set it to 0"
    ):
        pack(configure(pack=packed(source, validation=1)), tmp_path / "out")


@pytest.mark.parametrize(
    ("bad", "reason"), [("all", "none of its images can be used"), ("b", "all 1 images are of one class")]
)
def test_a_split_of_nothing_or_of_one_class_is_refused(
    tmp_path: Path, configure: Configure, good_image: bytes, bad: str, reason: str
) -> None:
    source = write_images(
        tmp_path / "images", ["train/a/1.jpg", "train/b/2.jpg", "test/a/3.jpg", "test/b/4.jpg"], good_image
    )
    for name in ("test/a/3.jpg", "test/b/4.jpg") if bad == "all" else ("test/b/4.jpg",):
        (source / name).write_bytes(b"")
    with pytest.raises(InputError, match=f"mine: split test: {reason}"):
        pack(configure(pack=packed(source)), tmp_path / "out")
    assert not (tmp_path / "out" / "test.h5").exists()


def test_images_for_the_test_are_drawn_out_of_train(tmp_path: Path, configure: Configure, good_image: bytes) -> None:
    """Beside those for validation; neither changes when the other is drawn, too."""
    source = write_images(tmp_path / "images", [f"{kind}/{n}.jpg" for kind in "ab" for n in range(20)], good_image)
    found = {}
    for validation in (0, 8):
        out = tmp_path / str(validation)
        pack(configure(pack=packed(source, test=10, validation=validation)), out)
        found[validation] = {path.stem: set(ImageStore(path).keys) for path in out.glob("*.h5")}
    assert {name: len(keys) for name, keys in found[8].items()} == {"train": 22, "validation": 8, "test": 10}
    assert len(found[8]["train"] | found[8]["validation"] | found[8]["test"]) == 40
    assert found[0].keys() == {"train", "test"} and len(found[0]["train"]) == 30
    with pytest.raises(InputError, match="mine.test: 40 of only 40 training images"):
        pack(configure(pack=packed(source, test=40)), tmp_path / "out")


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

    (tmp_path / "out" / "attributes.csv").touch()
    pack(configure(pack=packed(tmp_path / "svhn", kind="svhn", validation=0)), tmp_path / "out")
    left = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert left == ["contents.json", "rejects.csv", "test.h5", "train.h5"]  # nothing of the earlier run


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
    for number in range(1, 11):
        encoded = encode(np.full((218, 178, 3), 20 * number, np.uint8))
        (pictures / f"{number:06}.jpg").write_bytes(encoded)
    names = [f"{number:06}.jpg" for number in range(1, 11)]
    attributes = pd.DataFrame({"image_id": names, "Smiling": [1, -1] * 5})
    attributes.to_csv(tmp_path / "celeba" / "list_attr_celeba.csv", index=False)
    partition = pd.DataFrame({"image_id": names[:9], "partition": [0, 2, 1, *[0] * 6]})
    partition.to_csv(tmp_path / "celeba" / "list_eval_partition.csv", index=False)
    pack(configure(pack=packed(tmp_path / "celeba", kind="celeba", image_size=64)), tmp_path / "out")
    stores = {path.stem: ImageStore(path) for path in (tmp_path / "out").glob("*.h5")}
    assert {name: store.keys.tolist() for name, store in stores.items()} == {
        "train": [names[0], *names[3:9]],
        "validation": [names[2]],
        "test": [names[1]],
    }
    assert stores["train"].shape == (7, 64, 64, 3) and stores["train"].labels is None
    assert abs(int(stores["test"].images.mean()) - 40) <= 1
    rejects = pd.read_csv(tmp_path / "out" / "rejects.csv").to_numpy().tolist()
    assert rejects == [[names[9], "not in list_eval_partition"]]
    table = pd.read_csv(tmp_path / "out" / "attributes.csv")
    assert table.to_dict("list") == {"key": names, "Smiling": [1, -1] * 5}


def test_photos_and_faces_are_counted_by_hand() -> None:
    """Two faces in one photo, one in another, and a third without."""
    detections = pd.DataFrame({"key": ["a", "a", "b", "c"], "x": [1, 5, 3, None], "kept": [True, True, True, False]})
    assert join_faces.count(detections, 350_000) == {
        **{"n_photos": 3, "n_detections": 3, "n_kept": 3},
        **{"share_photos_with_one_face": 1 / 3, "published_boxes": 350_000},
    }


def test_a_planted_duplicate_is_found_in_place_of_its_original_too() -> None:
    """Of a and its copies the first copy is kept, and the copy of b goes for it: wrongly, and so it is not found."""
    planted = pd.DataFrame(
        {"key": ["a1", "a2", "b1"], "duplicate_of": ["a", "a", "b"], "kind": ["cut", "noisy", "cut"]}
    )
    found = pd.DataFrame({"key": ["a", "a2", "b1"], "kept": "a1"})
    is_found, is_right = evaluate_duplicates.compare(found, planted)
    assert list(is_found.items()) == [("cut", True), ("noisy", True), ("cut", False)]
    assert is_right.tolist() == [True, True, False]
