"""Features, figures and classifiers on a CUDA device, real or simulated, against the CPU."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.dedup.autoencoder import Autoencoder, AutoencoderTraining
from dcgan.internals.attribute_classifiers import ClassifierSettings, FaceClassifier, WindowClassifier, train_classifier
from dcgan.internals.guided_backprop import GuidedSettings, answers
from dcgan.internals.overlays import fit_detector
from dcgan.internals.window_removal import Removal
from dcgan.models.networks import Discriminator, Generator
from dcgan.representation.features import DiscriminatorFeatures, estimate_on_images
from dcgan.representation.kmeans import KmeansSettings, fit_features
from dcgan.representation.linear_classifier import Solver, fit_draws, fit_rows, whole
from dcgan.representation.one_nn import NearestNeighbour
from dcgan.representation.supervised_cnn import LabelledImages, SupervisedCnn, train_epoch
from dcgan.representation.svm.formulations import block_rows, memory_on, tensor_blocks
from dcgan.training.snapshots import distance_to_real
from tests.feature_tables import table_of
from tests.simulated_gpu.simulation import any_gpu
from tests.unit.test_adversarial import SMALLEST

IMAGES = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3), np.uint8)


@pytest.fixture(autouse=True)
def gpu() -> Iterator[None]:
    with any_gpu():
        yield


def on_both(measure: Callable[[torch.device], Tensor]) -> tuple[Tensor, Tensor]:
    """The same on the CPU and on the device."""
    return measure(torch.device("cpu")), measure(torch.device("cuda", 0)).cpu()


def discriminator(place: torch.device) -> Discriminator:
    return Discriminator(SMALLEST).initialize(torch_generator(1, "d")).to(place)


def test_a_network_file_opens_on_the_device(tmp_path: Path) -> None:
    made = Generator(SMALLEST).initialize(torch_generator(1, "g")).to("cuda")
    made.save(tmp_path / "g.safetensors", {})
    here, there = (Generator.from_file(tmp_path / "g.safetensors", place) for place in ("cpu", "cuda"))
    assert all(weights.is_cuda for weights in there.parameters())
    assert np.abs(here.sample(8, 1).astype(int) - there.sample(8, 1)).max() <= 1, "grey levels, rounded"


def test_an_autoencoder_learns_there() -> None:
    """Its noise is the device's own, so not the CPU's numbers."""
    autoencoder = Autoencoder((32, 32, 3), 16, normalise=True)
    autoencoder.initialize(torch_generator(1, "a"))
    autoencoder.to("cuda")
    training = AutoencoderTraining(autoencoder, noise=0.1, dropout=0.1, learning_rate=1e-3, seed=3)
    before = training.error(IMAGES[:8])
    for number in range(20):
        training.epoch(lambda rows: IMAGES[rows], np.arange(8), 8, number, minibatches=1)
    assert training.error(IMAGES[:8]) < 0.8 * before
    assert np.array_equal(autoencoder.encode(IMAGES), autoencoder.to("cpu").encode(IMAGES))


@pytest.mark.parametrize("kind", ["windows", "faces"])
def test_a_classifier_learns_what_it_learns_on_the_cpu(kind: str) -> None:
    shape = (64, 4, 4) if kind == "windows" else (64, 3)
    targets = np.random.default_rng(1).integers(0, 2, shape).astype(np.float32)
    settings = ClassifierSettings(epochs=1, batch_size=16, learning_rate=1e-4, noise=0.1)

    def answered(place: torch.device) -> Tensor:
        classifier = WindowClassifier(32, 4, 4) if kind == "windows" else FaceClassifier(32, 4, ["a", "b"], 30.0)
        classifier.initialize(torch_generator(1, "c")).to(place)
        train_classifier(classifier, IMAGES, targets, settings, torch_generator(1, "batches"))
        return torch.from_numpy(classifier.predict(IMAGES))

    assert torch.allclose(*on_both(answered), atol=1e-3)


def test_a_classifiers_file_opens_on_the_device_and_answers_as_on_the_cpu(tmp_path: Path) -> None:
    FaceClassifier(32, 4, ["a"], 30.0).initialize(torch_generator(1, "c")).save(tmp_path / "c.safetensors")

    def answered(place: torch.device) -> Tensor:
        opened = FaceClassifier.from_file(tmp_path / "c.safetensors", place)
        assert {weights.device.type for weights in opened.parameters()} == {place.type}
        return torch.from_numpy(opened.predict(IMAGES))

    assert torch.allclose(*on_both(answered), atol=1e-3)


def test_a_detector_of_overlays_learns_there() -> None:
    detector, figures = fit_detector(IMAGES, 64, 1, "cuda")
    assert all(weights.is_cuda for weights in detector.parameters()) and figures.keys() >= {"nearness_auc"}


def test_no_step_of_a_classifier_waits_for_the_device() -> None:
    """But to look at the loss, now and then."""
    targets = np.zeros((64, 4, 4), np.float32)
    settings = ClassifierSettings(epochs=1, batch_size=16, learning_rate=1e-4, noise=0.1)
    classifier = WindowClassifier(32, 4, 4).initialize(torch_generator(1, "c")).to("cuda")
    for mode in ("default", "error"):  # the first steps make what is kept
        torch.cuda.set_sync_debug_mode(mode)
        try:
            train_classifier(classifier, IMAGES, targets, settings, torch_generator(1, "batches"))
        finally:
            torch.cuda.set_sync_debug_mode("default")


def test_features_are_those_of_the_cpu() -> None:
    def features(place: torch.device) -> Tensor:
        network = discriminator(place)
        estimate_on_images(network, IMAGES, 16)
        return DiscriminatorFeatures(network)(IMAGES[:8])

    assert torch.allclose(*on_both(features), atol=1e-4)


@pytest.mark.parametrize("rectifier", ["relu", "leaky", "plain"])
def test_guided_gradients_are_those_of_the_cpu(rectifier: str) -> None:
    settings = GuidedSettings(layer=-1, shown=3, measured=3, strongest=2, rectifier=rectifier, statistics_batches=1)
    one, two = on_both(lambda place: answers(discriminator(place), IMAGES, settings).gradients)
    assert torch.allclose(one, two, atol=1e-4 * float(one.abs().max())) and one.any()


def test_samples_without_maps_are_those_of_the_cpu() -> None:
    def samples(place: torch.device) -> Tensor:
        generator = Generator(SMALLEST).initialize(torch_generator(1, "g")).to(place)
        z = generator.draw_latents(12, torch_generator(1, "z"))
        removal = Removal(generator, -2, "batch")
        fitted = removal.fit(z, [], 1.0, numpy_generator(1, "positions"))
        distance = distance_to_real(generator, IMAGES, 1)
        drawn = torch.from_numpy(removal.without(z, np.arange(len(fitted.weights))[:2])).float()
        return torch.cat([drawn.flatten(), torch.tensor([distance])])

    one, two = on_both(samples)
    assert (one - two).abs().max() <= 1, "grey levels, rounded"


@pytest.mark.parametrize(("rows", "width"), [(200, 40), (60, 90)], ids=["primal", "kernel"])
def test_the_svms_optimum_is_that_of_the_cpu(tmp_path: Path, rows: int, width: int) -> None:
    random = np.random.default_rng(3)
    x, y = random.normal(size=(rows, width)).astype(np.float32), np.arange(rows) % 3
    split, draws = whole(table_of(tmp_path / "t.h5", x, y)), [np.arange(0, 40), np.arange(10, 50)]

    def weights(place: torch.device) -> Tensor:
        solver = Solver(tolerance=1e-6, memory_bytes=1 << 26, device=place)
        fits = [fit_rows(split, [0.01, 0.1], solver), *fit_draws(split, draws, [0.01, 0.1], solver)]
        return torch.stack([fit.weights for fit in fits])

    assert torch.allclose(*on_both(weights), atol=2e-3)


def test_the_svms_blocks_are_sized_by_the_device() -> None:
    """Products of few rows leave a GPU idle; half of its memory is for the work on them, whatever is allowed."""
    cpu, cuda = torch.device("cpu"), torch.device("cuda", 0)
    assert (block_rows(28_672, cpu), block_rows(28_672, cuda), block_rows(1, cuda)) == (73, 2340, 4096)
    with_room = torch.zeros(100, 28_672)
    assert [len(list(tensor_blocks(with_room.to(place))())) for place in (cpu, cuda)] == [2, 1]
    whole_memory = torch.cuda.mem_get_info(cuda)[1]
    assert memory_on(cuda, 1 << 60) == whole_memory // 2 and memory_on(cuda, 1 << 20) == 1 << 20
    assert memory_on(cpu, 1 << 60) == 1 << 60


def test_kmeans_features_are_those_of_the_cpu() -> None:
    settings = KmeansSettings(
        side=6, patches=300, centroids=8, iterations=2, statistics_images=16, batch_size=8, seed=1
    )

    def features(place: torch.device) -> Tensor:
        made = fit_features(IMAGES, settings, place)
        return torch.cat([made[kind](IMAGES[:4]) for kind in ("trained", "random")])

    assert torch.allclose(*on_both(features), atol=1e-2)


def test_nearest_neighbours_are_exactly_those_of_the_cpu() -> None:
    pixels = IMAGES[:, :, :, :1]

    def found(place: torch.device) -> Tensor:
        search = NearestNeighbour(pixels[:20], place)
        search.add(pixels[20:], np.arange(44) % 10, 0)
        return torch.from_numpy(np.stack([search.labels, search.distances]))

    assert torch.equal(*on_both(found))


def test_the_supervised_cnn_learns_what_it_learns_on_the_cpu() -> None:
    labelled = LabelledImages(IMAGES, np.arange(64) % 4)

    def scores(place: torch.device) -> Tensor:
        cnn = SupervisedCnn(SMALLEST, 4, 0.3, torch_generator(1, "cnn")).to(place)
        optimizer = torch.optim.Adam(cnn.parameters(), 1e-4, (0.5, 0.999), weight_decay=1e-4)
        train_epoch(cnn, optimizer, labelled, 16, torch_generator(1, "order"))
        return torch.cat([weights.detach().flatten() for weights in cnn.parameters()])

    assert torch.allclose(*on_both(scores), atol=1e-4)


def test_no_step_of_the_supervised_cnn_waits_for_the_device() -> None:
    """Images, labels and dropout's masks are sent while earlier steps are computed."""
    cnn = SupervisedCnn(SMALLEST, 4, 0.3, torch_generator(1, "cnn")).to("cuda")
    optimizer = torch.optim.Adam(cnn.parameters(), 1e-4)
    for mode in ("default", "error"):  # the first steps make what is kept
        torch.cuda.set_sync_debug_mode(mode)
        try:
            train_epoch(cnn, optimizer, LabelledImages(IMAGES, np.arange(64) % 4), 16, torch_generator(1, "order"))
        finally:
            torch.cuda.set_sync_debug_mode("default")
