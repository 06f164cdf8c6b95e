"""Export and de-duplication, run as the engines run them on small sources made here."""

import hashlib
import io
import shutil
from collections.abc import Mapping
from pathlib import Path

import lmdb
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dcgan.core.files import InputError, read_json
from dcgan.core.outcomes import read_outcomes
from dcgan.data.image_store import ImageStore, StoreWriter
from dcgan.dedup.autoencoder import Autoencoder
from dcgan.dedup.hash_codes import write_codes
from stages import drop_duplicates, encode_images, evaluate_duplicates, fit_autoencoder
from tests.stages.sources import Configure, encode, export, key_of, rooms, write_corpus, write_lmdb
from workflow.description import describe


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


def test_folders_that_look_like_splits_are_all_taken_and_told(
    tmp_path: Path, configure: Configure, good_image: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("Train/1.jpg", "val/1.jpg", "other/1.jpg"):
        (tmp_path / "rooms" / name).parent.mkdir(parents=True)
        (tmp_path / "rooms" / name).write_bytes(good_image)
    export(configure(export={"shards": [0]}), tmp_path / "rooms", tmp_path / "out", 1)
    assert len(ImageStore(tmp_path / "out/0/images.h5")) == 3
    assert f"{tmp_path}/rooms: images of all of Train/, val/ are taken; name one of them" in capsys.readouterr().err


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


def test_too_many_bad_values_stop_the_run_with_the_number(
    tmp_path: Path, configure: Configure, good_image: bytes
) -> None:
    values = {key_of(number): good_image for number in range(9)} | {"zz": good_image[:200]}
    source = write_lmdb(tmp_path / "lmdb", values)
    export(configure(export={"shards": [0], "max_rejects": 0.1}), source, tmp_path / "allowed", 1)
    with pytest.raises(InputError, match=r"1 of 10 items \(10.00%\) cannot be used, export.max_rejects allows 9.00%"):
        export(configure(export={"shards": [0], "max_rejects": 0.09}), source, tmp_path / "out", 1)
    assert [path.name for path in (tmp_path / "out" / "0").iterdir()] == ["rejects.csv"]


def test_a_shard_may_have_more_bad_values_than_the_whole(
    tmp_path: Path, configure: Configure, good_image: bytes
) -> None:
    """Two of sixty are bad, and lie together: too many for one of seven shards, not for all."""
    values = {key_of(number): good_image for number in range(58)} | {"zy": b"", "zz": b""}
    source = write_lmdb(tmp_path / "lmdb", values)
    for shards in (1, 7):
        params = configure(export={"shards": list(range(shards)), "max_rejects": 0.05})
        export(params, source, tmp_path / str(shards), shards)
        assert sum(len(pd.read_csv(table)) for table in (tmp_path / str(shards)).rglob("rejects.csv")) == 2


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
    fit_autoencoder.main([*common, "--images", str(work), "--out", autoencoder, "--curve", str(work / "curve.csv")])
    for shard in range(shards):
        encode_images.main(
            [*common, "--images", str(work / str(shard) / "crops32.h5"), "--autoencoder", autoencoder]
            + ["--out", str(work / "codes" / f"{shard}.h5")]
        )
    drop(params, work)


def drop(params: Path, work: Path) -> None:
    """From codes to the unique images."""
    common = ["--params", str(params)]
    drop_duplicates.main(
        [*common, "--shards", str(work), "--codes", str(work / "codes"), "--out", str(work / "unique.h5")]
        + ["--duplicates", str(work / "duplicates.csv"), "--figure", str(work / "pairs.png")]
        + ["--metrics", str(work / "duplicates.json"), "--refused", str(work / "refused.png")]
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


def test_copies_that_are_not_to_be_dropped_are_only_told(
    tmp_path: Path, configure: Configure, bedrooms_with_copies: tuple[Path, pd.DataFrame]
) -> None:
    params = configure(
        export={"shards": [0], "max_rejects": 0.1},
        autoencoder={"minibatches": 8, "batch_size": 20},
        deduplicate={"drop": False, "published_share": None},
    )
    with lmdb.open(str(bedrooms_with_copies[0]), lock=False) as environment, environment.begin(write=True) as writer:
        writer.put(key_of(5000).encode(), b"text")
    export(params, bedrooms_with_copies[0], tmp_path, 1)
    deduplicate(params, tmp_path, 1)
    assert len(ImageStore(tmp_path / "unique.h5")) == 70
    metrics = read_json(tmp_path / "duplicates.json")
    assert (metrics["n_duplicates"], metrics["rejected_as_not_an_image"]) == (10, 1)
    assert "n_removed" not in metrics
    assert describe("drop_duplicates@mine").measured(metrics) == (
        "10 of 70 images are nearly the same as another, 14.3 %; none is dropped (deduplicate.drop); 1 files were no "
        "usable image; the others have 80 x 72 pixels in the median, 0 are smaller than they are trained at, "
        "0 have no colour"
    )


def test_an_autoencoder_learns_any_store_of_colour_images(tmp_path: Path, configure: Configure) -> None:
    """The same as from shards of the same images; larger ones are halved, as the export does."""
    params = configure(export={"shards": [0]}, autoencoder={"minibatches": 4, "batch_size": 10})
    export(params, write_lmdb(tmp_path / "lmdb", {key_of(n): encode(r) for n, r in enumerate(rooms(20))}), tmp_path, 1)
    found = {}
    for name in (".", "0/crops32.h5", "0/images.h5"):
        out = tmp_path / f"{name.replace('/', '_')}.safetensors"
        paths = ["--images", str(tmp_path / name), "--out", str(out), "--curve", str(tmp_path / "curve.csv")]
        fit_autoencoder.main(["--params", str(params), *paths])
        found[name] = (out.read_bytes(), (tmp_path / "curve.csv").read_bytes())
        assert Autoencoder.from_file(out).image_shape == (32, 32, 3)
    assert len(set(found.values())) == 1
    with StoreWriter(tmp_path / "grey.h5", (28, 28, 1), {}) as writer:
        writer.append(np.zeros((4, 28, 28, 1), np.uint8), list("abcd"))
    with pytest.raises(InputError, match="grey.h5: images \\(28, 28, 1\\), colour images are needed"):
        fit_autoencoder.main(["--params", str(params), "--images", str(tmp_path / "grey.h5"), *paths[2:]])


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


def test_as_many_codes_of_other_images_are_refused(tmp_path: Path, configure: Configure) -> None:
    """Two images changed places: a count does not tell."""
    first, second, third = sorted(key_of(number) for number in range(3))
    write_codes(tmp_path / "codes" / "0.h5", np.zeros((3, 16), np.uint8), np.array([first, third, second], object))
    params = configure(export={"shards": [0]})
    export(params, write_lmdb(tmp_path / "lmdb", {key_of(n): encode(r) for n, r in enumerate(rooms(3))}), tmp_path, 1)
    shards = drop_duplicates.Shards(tmp_path, [0], "images.h5")
    with pytest.raises(InputError, match=f"2 of 3 codes are of other images, the first is {third} for {second}"):
        drop_duplicates.load_codes(drop_duplicates.load_params(params), tmp_path / "codes", shards)


def test_a_share_of_duplicates_that_is_too_large_stops_before_anything_is_dropped(
    tmp_path: Path, configure: Configure
) -> None:
    """Four of twelve images have the code of another one: a third is allowed, a hundredth less is not."""
    values = {key_of(number): encode(room) for number, room in enumerate(rooms(12))}
    codes = np.zeros((12, 16), np.uint8)
    codes[:, 0] = [*range(8), *range(4)]
    before: list[bytes] = []
    outputs = [tmp_path / name for name in ("unique.h5", "duplicates.csv", "pairs.png", "duplicates.json")]
    for largest, dropped in ((0.34, 4), (0.33, None)):
        params = configure(export={"shards": [0]}, deduplicate={"max_dropped": largest})
        export(params, write_lmdb(tmp_path / str(largest), values), tmp_path, 1)
        write_codes(tmp_path / "codes" / "0.h5", codes, np.array(sorted(values), object))
        if dropped is None:
            with pytest.raises(
                InputError, match=r"4 of 12 images \(33.3%\).*max_dropped allows 33.0%: look at .*refus"
            ):
                drop(params, tmp_path)
            with Image.open(tmp_path / "refused.png") as sheet:
                assert sheet.size == (10 * (2 * 32 + 4) + 4, 32 + 2 * 4)
            assert [path.read_bytes() for path in outputs] == before  # those of the run that was allowed
        else:
            drop(params, tmp_path)
            assert read_json(tmp_path / "duplicates.json")["n_removed"] == dropped
            assert not (tmp_path / "refused.png").exists()
            before = [path.read_bytes() for path in outputs]


def test_recall_and_precision_are_those_of_the_truth(tmp_path: Path) -> None:
    pd.DataFrame(
        [("b", "a", "noisy"), ("c", "a", "noisy"), ("e", "d", "cropped"), ("g", "f", "cropped")],
        columns=["key", "duplicate_of", "kind"],
    ).to_csv(tmp_path / "truth.csv", index=False)
    # b is found; of the pair c and a, c is kept for a; e goes for the wrong room; g is missed; x has no truth.
    pd.DataFrame(
        [("a", "b", 0), ("c", "b", 1), ("e", "f", 2), ("x", "y", 0)], columns=["key", "kept", "distance"]
    ).to_csv(tmp_path / "found.csv", index=False)
    assert evaluated(tmp_path) == {
        "n_planted": 4,
        "n_removed": 4,
        "recall": 0.5,
        "recall_cropped": 0.0,
        "recall_noisy": 1.0,
        "wrongly_removed": 2,
        "precision": 0.5,
        "published_precision": 0.99,
    }
    assert {name: array.tolist() for name, array in read_outcomes(tmp_path / "outcomes.h5").items()} == {
        "precision": [[1, 1, 0, 0]],
        "recall_cropped": [[0, 0]],
        "recall_noisy": [[1, 1]],
    }


def evaluated(folder: Path) -> dict[str, object]:
    """The metrics of found.csv against truth.csv; outcomes.h5 lies beside them."""
    paths = {"duplicates": "found.csv", "truth": "truth.csv", "metrics": "metrics.json", "outcomes": "outcomes.h5"}
    evaluate_duplicates.main([word for name, path in paths.items() for word in (f"--{name}", str(folder / path))])
    return read_json(folder / "metrics.json")


@pytest.mark.parametrize("planted", [[("b", "a", "noisy")], []])
def test_what_never_happened_has_no_outcomes(tmp_path: Path, planted: list[tuple[str, str, str]]) -> None:
    """Nothing was removed, or nothing was planted either."""
    pd.DataFrame(planted, columns=["key", "duplicate_of", "kind"]).to_csv(tmp_path / "truth.csv", index=False)
    pd.DataFrame([], columns=["key", "kept", "distance"]).to_csv(tmp_path / "found.csv", index=False)
    metrics = evaluated(tmp_path)
    assert (metrics["n_planted"], metrics["recall"]) == (len(planted), 0 if planted else None)
    assert metrics["precision"] is None
    expected = {f"recall_{kind}": [[0]] for *_, kind in planted}
    assert {name: array.tolist() for name, array in read_outcomes(tmp_path / "outcomes.h5").items()} == expected
