"""The authors' weights: read by number, never unpickled, turned to PyTorch's layout, and as good as they say.

The arrays are not part of the project: DCGAN_REAL_DATA names a folder with published_weights/{svhn,imagenet}/*.npy and
svhn_6000_32x32.mat. Without it only what needs no arrays is tested.
"""

import pickle
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import scipy.io
import torch
from sklearn.svm import LinearSVC

from dcgan.core.files import InputError
from dcgan.data.image_store import ImageStore, StoreWriter
from dcgan.models.architectures import ARCHITECTURES
from dcgan.models.networks import Discriminator, Generator
from dcgan.models.published_weights import catalogue, load_discriminator, load_generator, published_order, read_array
from dcgan.representation.extraction import extract_features
from dcgan.representation.feature_tables import FeatureTable
from dcgan.representation.features import DiscriminatorFeatures, estimate_on_images
from dcgan.representation.linear_classifier import Solver, fit_rows, predict, whole
from dcgan.representation.protocol import Protocol, Splits, evaluate
from stages import import_published
from tests.feature_tables import objective
from tests.published import write_arrays
from tests.real_data import real_data

SVHN32, IMAGENET32 = ARCHITECTURES["svhn32"], ARCHITECTURES["imagenet32"]
Array = npt.NDArray[np.float32]


@pytest.fixture(scope="session")
def svhn_arrays() -> Path:
    return real_data("published_weights/svhn")


@pytest.fixture(scope="session")
def svhn_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """6,000 real digits as a folder of stores: half to learn from, 1,000 for validation, the others for the test."""
    content = scipy.io.loadmat(real_data("svhn_6000_32x32.mat"))
    images, labels = np.ascontiguousarray(content["X"].transpose(3, 0, 1, 2)), content["y"].ravel() % 10
    folder = tmp_path_factory.mktemp("svhn")
    for name, start, stop in (("train", 0, 3000), ("validation", 3000, 4000), ("test", 4000, 6000)):
        with StoreWriter(folder / f"{name}.h5", (32, 32, 3), {}) as writer:
            writer.append(images[start:stop], [str(row) for row in range(start, stop)], labels[start:stop])
    return folder


def test_order_is_the_published_one() -> None:
    assert published_order(Discriminator(SVHN32))[:4] == [
        "convolutions.0.weight",
        "convolutions.1.weight",
        "norms.0.gain",
        "norms.0.bias",
    ]
    assert published_order(Discriminator(IMAGENET32))[-1] == "dense.0.weight"
    assert len(published_order(Discriminator(IMAGENET32))) == 17
    assert published_order(Generator(SVHN32))[:4] == [
        "dense.0.weight",
        "dense_norms.0.gain",
        "dense_norms.0.bias",
        "convolutions.0.weight",
    ]
    assert len(published_order(Generator(IMAGENET32))) == 19


def test_what_is_written_in_their_layout_is_read_back(tmp_path: Path) -> None:
    network = Discriminator(SVHN32).initialize(torch.Generator().manual_seed(3))
    write_arrays(tmp_path, network)
    read = load_discriminator(catalogue(tmp_path, SVHN32), SVHN32)
    assert all(torch.equal(value, read.get_parameter(name)) for name, value in network.named_parameters())
    assert load_generator(catalogue(tmp_path, SVHN32), SVHN32) is None


def test_missing_arrays_leave_the_whole_layers_and_no_logits(tmp_path: Path) -> None:
    network = Discriminator(IMAGENET32).initialize(torch.Generator().manual_seed(3))
    write_arrays(tmp_path, network)
    for number in (11, 14):
        (tmp_path / f"5_discrim_params.jl_{number:02d}.npy").unlink()
    arrays = catalogue(tmp_path, IMAGENET32)
    missing = [(a.number, a.tensor) for a in arrays if a.role == "discriminator" and a.path is None]
    assert missing == [(11, "convolutions.4.weight"), (14, "convolutions.5.weight")]
    part = load_discriminator(arrays, IMAGENET32)
    assert part.architecture.feature_count == 12_288
    x = torch.rand(2, 3, 32, 32)
    for ours, theirs in zip(part.activations(x, "batch"), network.activations(x, "batch"), strict=False):
        assert torch.equal(ours, theirs)
    assert part(x).isnan().all()


@pytest.mark.parametrize("wrong", [np.zeros(3, np.float64), np.zeros((3, 4), np.float32), np.full(1024, np.nan)])
def test_a_wrong_array_is_refused_though_others_before_it_are_missing(tmp_path: Path, wrong: np.ndarray) -> None:
    write_arrays(tmp_path, Discriminator(IMAGENET32).initialize(torch.Generator().manual_seed(3)))
    (tmp_path / "5_discrim_params.jl_11.npy").unlink()
    np.save(tmp_path / "5_discrim_params.jl_15.npy", wrong)
    with pytest.raises(InputError, match=r"jl_15\.npy: norms"):
        catalogue(tmp_path, IMAGENET32)


def test_wrong_files_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no published arrays"):
        catalogue(tmp_path, SVHN32)
    write_arrays(tmp_path, Discriminator(SVHN32).initialize(torch.Generator().manual_seed(3)))
    with pytest.raises(InputError, match=r"convolutions\.0\.weight .* \(128, 3, 3, 3\), found float32 \(64, 3, 5, 5\)"):
        load_discriminator(catalogue(tmp_path, IMAGENET32), IMAGENET32)
    np.save(tmp_path / "5_discrim_params.jl_09.npy", np.zeros(3, np.float32))
    with pytest.raises(InputError, match="no array of that number"):
        catalogue(tmp_path, SVHN32)


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_a_pickle_is_never_run(tmp_path: Path) -> None:
    write_arrays(tmp_path, Discriminator(SVHN32).initialize(torch.Generator().manual_seed(3)))
    touched = tmp_path / "touched"
    np.save(tmp_path / "5_discrim_params.jl_01.npy", np.array([Bomb(touched)], dtype=object), allow_pickle=True)
    (tmp_path / "5_discrim_params.jl").write_bytes(pickle.dumps(Bomb(touched)))
    with pytest.raises(InputError, match="not a plain numpy array"):
        load_discriminator(catalogue(tmp_path, SVHN32), SVHN32)
    assert not touched.exists()


def numpy_features(arrays: list[Array], images_uint8: npt.NDArray[np.uint8], batch: int) -> Array:
    """The published formula in numpy: Theano's flipped convolution, lrelu(batchnorm), max-pooling to 4 x 4.

    Statistics: means over batches of means and variances, every layer above batch-normalised ones.
    """
    x = images_uint8.transpose(0, 3, 1, 2).astype(np.float64) / 127.5 - 1
    kernels, gains, biases = [arrays[0], arrays[1], arrays[4]], [arrays[2], arrays[5]], [arrays[3], arrays[6]]
    first = lrelu(convolve(x, kernels[0]))
    in_batches, moments = first, []
    for layer in (1, 2):
        linear = convolve(in_batches, kernels[layer])
        parts = np.split(linear, len(linear) // batch)
        means, variances = (np.stack([m(p, axis=(0, 2, 3)) for p in parts]) for m in (np.mean, np.var))
        moments.append((means.mean(0), variances.mean(0)))
        normal = [
            normalize(p, m, v, gains[layer - 1], biases[layer - 1])
            for p, m, v in zip(parts, means, variances, strict=True)
        ]
        in_batches = lrelu(np.concatenate(normal))
    layers, h = [first], first
    for layer in (1, 2):
        h = lrelu(normalize(convolve(h, kernels[layer]), *moments[layer - 1], gains[layer - 1], biases[layer - 1]))
        layers.append(h)
    return np.concatenate([pool(h) for h in layers], axis=1).astype(np.float32)


def convolve(x: npt.NDArray[np.float64], kernels: Array) -> npt.NDArray[np.float64]:
    """Stride 2, padding 2, kernels turned by 180 degrees, as a sum over kernel positions."""
    padded = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)))
    side = x.shape[2] // 2
    turned = kernels[:, :, ::-1, ::-1].astype(np.float64)
    out = np.zeros((len(x), len(kernels), side, side))
    for i in range(5):
        for j in range(5):
            window = padded[:, :, i : i + 2 * side : 2, j : j + 2 * side : 2]
            out += np.einsum("nchw,oc->nohw", window, turned[:, :, i, j], optimize=True)
    return out


def lrelu(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(x > 0, x, 0.2 * x)


def normalize(
    x: npt.NDArray[np.float64],
    mean: npt.NDArray[np.float64],
    variance: npt.NDArray[np.float64],
    gain: Array,
    bias: Array,
) -> npt.NDArray[np.float64]:
    shape = (1, -1, 1, 1)
    scaled = (x - mean.reshape(shape)) / np.sqrt(variance.reshape(shape) + 1e-8)
    return scaled * gain.reshape(shape) + bias.reshape(shape)


def pool(h: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    n, maps, side, _ = h.shape
    return h.reshape(n, maps, 4, side // 4, 4, side // 4).max(axis=(3, 5)).reshape(n, -1)


def test_features_are_those_of_the_published_formula(svhn_arrays: Path, svhn_images: Path) -> None:
    images = np.asarray(ImageStore(svhn_images / "train.h5").images[:64])
    network = load_discriminator(catalogue(svhn_arrays, SVHN32), SVHN32)
    estimate_on_images(network, images, 32)
    ours = DiscriminatorFeatures(network)(images).numpy()
    files = sorted(svhn_arrays.glob("*discrim*.npy"))
    theirs = numpy_features([np.load(file, allow_pickle=False) for file in files], images, 32)
    assert np.abs(ours - theirs).max() < 1e-4


def test_published_generator_draws_what_their_discriminator_takes_for_real(
    svhn_arrays: Path, svhn_images: Path
) -> None:
    arrays = catalogue(svhn_arrays, SVHN32)
    assert all(array.path is not None for array in arrays)
    generator, discriminator = load_generator(arrays, SVHN32), load_discriminator(arrays, SVHN32)
    assert generator is not None
    real = torch.from_numpy(np.array(ImageStore(svhn_images / "test.h5").images[:128])).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        drawn = generator(generator.draw_latents(128, torch.Generator().manual_seed(0)))
        noise = torch.rand(real.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
        scores = [discriminator(x) for x in (real, drawn, noise)]
    assert [float((score > scores[2].median()).float().mean()) for score in scores[:2]] == pytest.approx(
        [1, 1], abs=0.05
    )


def test_the_stage_saves_a_picture_of_generated_digits(svhn_arrays: Path, tmp_path: Path) -> None:
    import_published.main(["--arrays", str(svhn_arrays), "--architecture", "svhn32", "--out", str(tmp_path)])
    picture = cv2.imread(str(tmp_path / "samples.png"))
    assert picture.shape == (2 * (8 * 34 + 2), 2 * (16 * 34 + 2), 3)
    assert 20 < picture[picture.min(axis=2) < 255].std() < 90
    assert Generator.from_file(tmp_path / "generator.safetensors").architecture == SVHN32


def test_weights_without_a_generator_leave_none_of_an_earlier_import(tmp_path: Path) -> None:
    discriminator = Discriminator(SVHN32).initialize(torch.Generator().manual_seed(1))
    (tmp_path / "arrays").mkdir()
    write_arrays(tmp_path / "arrays", discriminator)
    (tmp_path / "out").mkdir()
    for name in ("generator.safetensors", "samples.png"):
        (tmp_path / "out" / name).touch()
    arguments = ["--arrays", str(tmp_path / "arrays"), "--architecture", "svhn32", "--out", str(tmp_path / "out")]
    import_published.main(arguments)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["arrays.csv", "discriminator.safetensors"]


def test_partial_imagenet_weights_give_four_layers() -> None:
    arrays = catalogue(real_data("published_weights/imagenet"), IMAGENET32)
    assert load_discriminator(arrays, IMAGENET32).architecture.feature_count == 12_288
    first = next(array for array in arrays if array.tensor == "convolutions.0.weight")
    assert read_array(first).shape == (128, 3, 3, 3)


def test_svhn_error_is_near_the_published_one(svhn_arrays: Path, svhn_images: Path, tmp_path: Path) -> None:
    """Published: 22.48 % with statistics and labels of the training split; here all comes from 6,000 test digits."""
    network = load_discriminator(catalogue(svhn_arrays, SVHN32), SVHN32)
    stores = {name: ImageStore(svhn_images / f"{name}.h5") for name in ("train", "validation", "test")}
    estimate_on_images(network, stores["train"].images, 128)
    tables = []
    for name, store in stores.items():
        extract_features(DiscriminatorFeatures(network), store, tmp_path / name, tmp_path / "work", 128, "float32")
        tables.append(whole(FeatureTable(tmp_path / name)))
    protocol = Protocol(
        labels_per_class=100,
        costs=[1e-4, 2e-4, 5e-4, 1e-3],
        search_draws=2,
        draws=5,
        learn_validation=False,
        seed=42,
    )
    solver = Solver(tolerance=1e-4, memory_bytes=1 << 30, device=torch.device("cpu"))
    found = evaluate(Splits(*tables), protocol, solver)
    assert 0.17 <= found.test_errors.mean() <= 0.22


def test_on_real_features_the_optimum_is_that_of_linear_svc(
    svhn_arrays: Path, svhn_images: Path, tmp_path: Path
) -> None:
    """More columns than rows, unscaled, stored in half precision: what the protocols solve by the hundred."""
    network = load_discriminator(catalogue(svhn_arrays, SVHN32), SVHN32)
    store = ImageStore(svhn_images / "train.h5")
    estimate_on_images(network, store.images, 128)
    extract_features(DiscriminatorFeatures(network), store, tmp_path / "t.h5", tmp_path / "work", 128, "float16")
    split = whole(FeatureTable(tmp_path / "t.h5")).part(np.arange(600))
    x, y = split.table.read(split.rows).astype(np.float64), split.labels
    solver = Solver(tolerance=1e-5, memory_bytes=1 << 30, device=torch.device("cpu"))
    for cost, ours in zip((1e-4, 1e-3), fit_rows(split, [1e-4, 1e-3], solver).weights, strict=True):
        model = LinearSVC(C=cost, dual=True, tol=1e-6, max_iter=200_000, random_state=0).fit(x, y)
        theirs = np.hstack([model.coef_, model.intercept_[:, None]])
        sums = [objective(x, y, weights, cost) for weights in (ours.double().numpy(), theirs)]
        assert sums[0] == pytest.approx(sums[1], rel=1e-3)
        assert (np.unique(y)[predict(split, ours[None])[0]] == model.predict(x)).mean() >= 0.995
