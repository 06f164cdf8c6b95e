"""Which snapshot is the best: how far samples are from real images, against a calculation of its own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance
from torch.nn.utils import parameters_to_vector

from dcgan.core.pixels import Images
from dcgan.core.seeding import derived_seed, torch_generator
from dcgan.models.networks import Generator
from dcgan.training.snapshots import PROJECTIONS, Snapshots, distance_to_real
from stages.train_dcgan import delivered_generator
from tests.unit.test_adversarial import PLAN, SMALLEST, WATCH, images
from tests.unit.test_training_run import make_run

SEED = 5


def network(scale: float) -> Generator:
    """A generator whose last weights are so many times what they are drawn as: with 0, all images are grey 128."""
    generator = Generator(SMALLEST).initialize(torch_generator(1, "weights"))
    with torch.no_grad():
        generator.convolutions[-1].weight.mul_(scale)
    return generator


def grey(level: int) -> Images:
    return np.full((12, 32, 32, 3), level, np.uint8)


def test_images_of_one_grey_are_as_far_as_their_greys_are() -> None:
    """All D coordinates differ by d: over unit vectors u in D dimensions, E|<d, u>| = d sqrt(2 / pi) for large D."""
    assert distance_to_real(network(0.0), grey(128), SEED) == 0
    for level in (28, 228):
        expected = 100 / 255 * np.sqrt(2 / np.pi)
        assert distance_to_real(network(0.0), grey(level), SEED) == pytest.approx(expected, rel=0.15)


def test_the_distance_of_samples_is_that_of_their_projections() -> None:
    """SciPy's Wasserstein distance of each projection; images of noise are far from those of the network."""
    generator, real = network(20.0), images()
    with torch.no_grad():
        z = generator.latents(len(real), derived_seed(SEED, "best"))
        samples = ((generator(z, statistics="batch") + 1) * 127.5).round() / 255
    fake = samples.permute(0, 2, 3, 1).reshape(len(real), -1).double().numpy()
    assert fake.std() > 0.05, "they are samples, not one image"
    random = torch_generator(SEED, "best projections")
    directions = np.hstack([torch.randn(fake.shape[1], 64, generator=random).numpy() for _ in range(PROJECTIONS // 64)])
    directions = directions.astype(np.float64) / np.linalg.norm(directions.astype(np.float64), axis=0)
    projected = zip((real.reshape(len(real), -1) / 255 @ directions).T, (fake @ directions).T, strict=True)
    expected = np.mean([wasserstein_distance(*pair) for pair in projected])
    assert distance_to_real(generator, real, SEED) == pytest.approx(expected, rel=1e-4)


def test_what_is_delivered_takes_the_place_of_an_earlier_run_s(tmp_path: Path) -> None:
    """But of no other kind of file, nor of what the folder does not have from a training."""
    snapshots, out = Snapshots(tmp_path / "state", {}), tmp_path / "out"
    out.mkdir()
    for name in ("frame-0000000099.png", "epoch-0001.png", "kept.csv"):
        (out / name).touch()
    snapshots.frame(40, images()[:8])
    snapshots.deliver("frames", out)
    assert {path.name for path in out.iterdir()} == {"frame-0000000040.png", "epoch-0001.png", "kept.csv"}
    snapshots.deliver("samples", out)  # this run has left none
    assert {path.name for path in out.iterdir()} == {"frame-0000000040.png", "kept.csv"}


@pytest.mark.parametrize("nearest", [1, 2, 3])
def test_the_delivered_generator_is_the_nearest_and_not_the_first(tmp_path: Path, nearest: int) -> None:
    """Real images are all grey 128, as are those of a last layer of zeros, which just one of four snapshots has."""
    plan = replace(PLAN, curve_interval=5, keep_images=40, watch=replace(WATCH, action="continue"))
    run = make_run(tmp_path, plan=plan)
    run.unseen = grey(128)
    generator = run.training.generator

    @torch.no_grad()
    def set_last_layer(_: dict[str, float]) -> None:
        """Called just before each snapshot."""
        generator.convolutions[-1].weight.fill_(0.0 if len(run.curves) - 1 == nearest else 0.1)

    run.on_row = set_last_layer
    run.complete("test")
    distances = [score["sliced_wasserstein"] for score in run.scores]
    assert [score["images"] for score in run.scores] == [40, 80, 120, 160]
    assert distances[nearest] == 0 < min(distances[:nearest] + distances[nearest + 1 :])
    kept = Generator.from_file(run.snapshots.weights_file(generator, 40 * (nearest + 1)))
    delivered = delivered_generator(run, "best")
    assert torch.equal(parameters_to_vector(delivered.parameters()), parameters_to_vector(kept.parameters()))
    assert not delivered.convolutions[-1].weight.any()
