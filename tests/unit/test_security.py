"""Hostile files: nothing in them is run, and no name in them leads out of the folder that is written.

What would be run leaves a file behind; each loader gets it in every form that its format could carry.
"""

import ast
import io
import pickle
import sys
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import h5py
import lmdb
import numpy as np
import pytest
import scipy.io
from ruamel.yaml import YAML

from dcgan.core.checkpoints import Checkpoints
from dcgan.core.files import InputError, read_json
from dcgan.data.archives import open_source
from dcgan.data.formats import open_labelled
from dcgan.data.image_store import ImageStore, StoreWriter
from dcgan.dedup.autoencoder import Autoencoder
from dcgan.dedup.hash_codes import read_codes
from dcgan.internals.attribute_classifiers import FaceClassifier, WindowClassifier
from dcgan.models.networks import Discriminator, Generator
from dcgan.models.published_weights import PublishedArray, read_array
from dcgan.representation.feature_tables import FeatureTable
from dcgan.training.guidelines import SampleArrays
from stages import crop_faces, export_lsun
from tests.dag.demo import DEMO
from workflow.annotation.file import Annotations, read_annotations
from workflow.engines.dag import dvc_definitions
from workflow.params.load import load_params

ROOT = Path(__file__).parents[2]
# A marker that a hostile pickle would print into a file named after it.
TRACE = "ran-what-the-file-asked-for"


class Hostile:
    """Unpickling this makes the file whose name it has."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return (open, (str(self.trace), "w"))


def zipped(payload: bytes) -> bytes:
    """The form that torch.save has: a zip with data.pkl in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", payload)
        archive.writestr("../../escaped", b"")
    return buffer.getvalue()


def npy(payload: Hostile) -> bytes:
    """An .npy of objects, which numpy would unpickle."""
    buffer = io.BytesIO()
    np.save(buffer, np.array([payload], dtype=object), allow_pickle=True)
    return buffer.getvalue()


FORMS: dict[str, Callable[[Hostile], bytes]] = {
    "pickle": pickle.dumps,
    "protocol 0": lambda hostile: pickle.dumps(hostile, 0),
    "torch zip": lambda hostile: zipped(pickle.dumps(hostile)),
    "npy of objects": npy,
}


def labelled(kind: str, name: str) -> Callable[[Path], object]:
    """Opens a set of a kind one of whose files is hostile."""

    batches = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
    files = {
        "data_batch_1": batches,
        "data_batch_1.bin": [f"{batch}.bin" for batch in batches],
        "train_32x32.mat": ["train_32x32.mat", "test_32x32.mat"],
        "train-images-idx3-ubyte": [
            f"{split}-{of}-ubyte" for split in ("train", "t10k") for of in ("images-idx3", "labels-idx1")
        ],
    }

    def load(path: Path) -> object:
        for further in files[name]:
            (path.parent / further).write_bytes(path.read_bytes())
        return open_labelled(path.parent, kind)  # type: ignore[arg-type]

    return load


def read_npy(path: Path) -> object:
    return read_array(PublishedArray("discriminator", 1, "convolutions.0.weight", (1,), path))


LOADERS: dict[str, Callable[[Path], object]] = {
    "image store": ImageStore,
    "feature table": FeatureTable,
    "codes": read_codes,
    "generator": Generator.from_file,
    "discriminator": Discriminator.from_file,
    "autoencoder": Autoencoder.from_file,
    "classifier of faces": FaceClassifier.from_file,
    "classifier of windows": WindowClassifier.from_file,
    "published array": read_npy,
    "CIFAR-10's python batch": labelled("cifar10", "data_batch_1"),
    "CIFAR-10's binary batch": labelled("cifar10", "data_batch_1.bin"),
    "SVHN's mat": labelled("svhn", "train_32x32.mat"),
    "MNIST's idx": labelled("mnist", "train-images-idx3-ubyte"),
    "annotations": lambda path: read_annotations(path, Annotations.model_construct(generator="0" * 32)),
    "parameters": load_params,
    "metrics": read_json,
    "archive of images": open_source,
}


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / TRACE


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("loader", LOADERS)
def test_no_loader_runs_a_pickle(tmp_path: Path, trace: Path, loader: str, form: str) -> None:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "file"
    path.write_bytes(FORMS[form](Hostile(trace)))
    with pytest.raises(InputError) as refused:
        LOADERS[loader](path)
    assert "\n" not in str(refused.value)
    assert not trace.exists() and not (tmp_path / "escaped").exists()


@pytest.mark.parametrize("form", FORMS)
def test_kept_samples_that_are_pickles_are_no_samples(tmp_path: Path, trace: Path, form: str) -> None:
    samples = SampleArrays(tmp_path, {})
    samples.samples(1, np.zeros((1, 2, 2, 3), np.uint8))
    (kept,) = (path for path in tmp_path.rglob("*.npy"))
    kept.write_bytes(FORMS[form](Hostile(trace)))
    with suppress(ValueError, OSError):  # a zip is opened, and nothing in it
        samples.after(1)
    assert not trace.exists()


def test_the_hostile_files_would_do_harm(trace: Path) -> None:
    """Else the tests above would show nothing."""
    pickle.loads(FORMS["protocol 0"](Hostile(trace))).close()  # noqa: S301  (made here)
    assert trace.exists()


@pytest.mark.parametrize("form", FORMS)
def test_a_hostile_checkpoint_is_set_aside(
    tmp_path: Path, trace: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints = Checkpoints(tmp_path / "run", "digest")
    checkpoints.folder.mkdir()
    checkpoints.path.write_bytes(FORMS[form](Hostile(trace)))
    assert checkpoints.load() is None and not trace.exists()
    assert "not used" in capsys.readouterr().err


@pytest.mark.parametrize("form", FORMS)
def test_a_value_of_an_archive_that_is_a_pickle_is_no_image(tmp_path: Path, trace: Path, form: str) -> None:
    archive = tmp_path / "lmdb"
    payload = FORMS[form](Hostile(trace))
    with lmdb.open(str(archive), map_size=1 << 22) as environment, environment.begin(write=True) as transaction:
        for number in range(2):
            transaction.put(f"key{number}".encode(), payload)
    with pytest.raises(InputError, match="cannot be used"):
        export(tmp_path, archive)
    assert not trace.exists()


def test_objects_in_hdf5_and_mat_files_stay_bytes(tmp_path: Path, trace: Path) -> None:
    """HDF5 and MATLAB have no pickles; what is kept in them as bytes, as pandas does, is not unpickled."""
    payload = pickle.dumps(Hostile(trace))
    with StoreWriter(tmp_path / "store.h5", (1, 1, 1), {"hostile": np.void(payload)}) as writer:
        writer.append(np.zeros((1, 1, 1, 1), np.uint8), ["key"])
    store = ImageStore(tmp_path / "store.h5")
    assert bytes(store.attributes["hostile"]) == payload and store.keys.tolist() == ["key"]
    with h5py.File(tmp_path / "codes.h5", "w") as file:
        file["codes"] = np.void(payload)
        file["keys"] = np.array([payload.hex()], dtype=h5py.string_dtype())
    with pytest.raises(InputError):
        read_codes(tmp_path / "codes.h5")
    objects = np.empty((1, 1), dtype=object)
    objects[0, 0] = np.frombuffer(payload, np.uint8)
    for split in ("train", "test"):
        scipy.io.savemat(tmp_path / f"{split}_32x32.mat", {"X": objects, "y": objects})
    with pytest.raises((InputError, ValueError, TypeError)):
        open_labelled(tmp_path, "svhn")
    assert not trace.exists()


def test_yaml_makes_no_objects(tmp_path: Path, trace: Path) -> None:
    text = f"stages: !!python/object/apply:builtins.open ['{trace}', 'w']\n"
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError):
        load_params(tmp_path / "params.yaml")
    with pytest.raises(InputError):
        dvc_definitions(tmp_path)
    assert not trace.exists()


FORBIDDEN = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
CALLS = {"extractall", "extract", "unpack_archive", "download_and_extract_archive"}
KNOWN = {
    ("fetch.py", "utils.download_and_extract_archive"),  # its content is known by a digest before anything is unpacked
    ("safe_pickle.py", "pickle"),  # an unpickler that finds no function; tests/unit/test_labelled.py attacks it
}
FUNCTIONS = {"eval", "exec", "pd.read_pickle", "pandas.read_pickle"}
SAFE_LOADING = {
    "np.load": ("allow_pickle", "False"),
    "numpy.load": ("allow_pickle", "False"),
    "torch.load": ("weights_only", "True"),
}


def test_nothing_else_imports_an_unpickler_or_unpacks_an_archive() -> None:
    """`torch.load` and `numpy.load` are looked for by name, and allowed where they say that they read no pickle."""
    found = []
    for path in sorted(
        path for folder in ("dcgan", "demo", "stages", "workflow") for path in (ROOT / folder).rglob("*.py")
    ):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found += [(path.name, a.name) for a in node.names if a.name.split(".")[0] in FORBIDDEN]
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in FORBIDDEN:
                # The error that safe loading raises when it meets a pickle.
                found += [(path.name, a.name) for a in node.names if a.name != "UnpicklingError"]
            if isinstance(node, ast.ImportFrom) and node.module in ("numpy", "torch", "pandas"):
                found += [(path.name, a.name) for a in node.names if a.name in ("load", "read_pickle")]
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                said = [(k.arg, ast.unparse(k.value)) for k in node.keywords]
                unsafe = called in SAFE_LOADING and SAFE_LOADING[called] not in said
                if unsafe or called in FUNCTIONS or called.split(".")[-1] in CALLS:
                    found.append((path.name, called))
    assert set(found) == KNOWN


OUTSIDE = [
    "../../escaped.jpg",
    "/tmp/escaped-absolute.jpg",
    "a/../../../escaped.jpg",
    "x\\..\\..\\escaped.jpg",
    "~/x.jpg",
]


def export(folder: Path, source: Path) -> ImageStore:
    """Runs the export of a source into folder/deep/er/out, and returns the store."""
    params = YAML().load(DEMO.read_text(encoding="utf-8"))
    params["export"].update(shards=[0], min_side=8, max_rejects=0.9)
    YAML().dump(params, folder / "params.yaml")
    out = folder / "deep" / "er" / "out"
    export_lsun.main(
        ["--params", str(folder / "params.yaml"), "--source", str(source), "--shard", "0", "--out", str(out)]
    )
    return ImageStore(out / "images.h5")


def tar_of(path: Path, image: bytes) -> Path:
    """A tar whose members have names that lead elsewhere, with links and a device among them."""
    with tarfile.open(path, "w") as archive:
        for name in OUTSIDE:
            member = tarfile.TarInfo(name)
            member.size = len(image)
            archive.addfile(member, io.BytesIO(image))
        for kind, name in ((tarfile.SYMTYPE, "link.jpg"), (tarfile.LNKTYPE, "hard.jpg"), (tarfile.CHRTYPE, "null.jpg")):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    return path


def lmdb_of(path: Path, image: bytes) -> Path:
    with lmdb.open(str(path), map_size=1 << 24) as environment, environment.begin(write=True) as transaction:
        for name in OUTSIDE:
            transaction.put(name.encode(), image)
    return path


@pytest.mark.parametrize("make", [tar_of, lmdb_of])
def test_names_in_an_archive_lead_nowhere(
    tmp_path: Path, good_image: bytes, make: Callable[[Path, bytes], Path]
) -> None:
    """Keys are kept, with backslashes doubled, and no file is named after one."""
    source = make(tmp_path / "archive", good_image)
    store = export(tmp_path, source)
    assert {name.replace("\\", "\\\\") for name in OUTSIDE} == set(store.keys)
    made = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    made -= {"params.yaml", "archive", "archive/data.mdb", "archive/lock.mdb"}
    files = ("images.h5", "crops32.h5", "rejects.csv", "inventory.csv")
    assert made == {f"deep/er/out/{name}" for name in files}
    assert not Path("/tmp/escaped-absolute.jpg").exists()


def test_face_crops_are_not_named_after_their_photos(tmp_path: Path, good_image: bytes) -> None:
    source = tar_of(tmp_path / "archive", good_image)
    params = YAML().load(DEMO.read_text(encoding="utf-8"))
    params["crop_faces"].update(shards=[0], max_rejects=0.9)
    YAML().dump(params, tmp_path / "params.yaml")
    out = tmp_path / "deep" / "out"
    options = ["--params", str(tmp_path / "params.yaml"), "--source", str(source), "--shard", "0", "--out", str(out)]
    crop_faces.main(options)
    assert {path.name for path in tmp_path.rglob("*")} == {
        *("params.yaml", "archive", "deep", "out", "crops.h5", "detections.csv", "rejects.csv")
    }


@pytest.mark.skipif(sys.platform != "linux", reason="links to devices")
def test_links_out_of_a_folder_of_images_give_no_secrets(tmp_path: Path, good_image: bytes) -> None:
    """A link in a folder is read, as `ls -L` would, but what is no image leaves only its reason behind."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/a.jpg").write_bytes(good_image)
    secret = tmp_path / "secret"
    secret.write_text("password: hunter2")
    (tmp_path / "photos/b.jpg").symlink_to(secret)
    (tmp_path / "photos/c.jpg").symlink_to("/dev/zero")
    export(tmp_path, tmp_path / "photos")
    written = b"".join(path.read_bytes() for path in (tmp_path / "deep").rglob("*") if path.is_file())
    assert b"hunter2" not in written and b"not a regular file" in written
