"""The stage that measures samples: figures of the delivered generator, distances by draw of it and of an early one."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dcgan.core.outcomes import Outcomes, read_outcomes
from dcgan.core.pixels import Images
from dcgan.core.seeding import torch_generator
from dcgan.data.image_store import StoreWriter
from dcgan.dedup.autoencoder import Autoencoder
from dcgan.models.architectures import ARCHITECTURES
from dcgan.models.networks import Generator
from stages.evaluate_samples import main
from tests.dag.tiny import tiny_params

HELD_OUT, DRAWS = 24, 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A generator, a store of its own samples, an autoencoder, parameters."""
    tiny_params(tmp_path / "params.yaml", {"quality": {"draws": DRAWS}})
    generator = Generator(ARCHITECTURES["demo32"]).initialize(torch_generator(1, "generator"))
    generator.save(tmp_path / "networks/generator.safetensors", {})
    with StoreWriter(tmp_path / "images.h5", (32, 32, 3), {}) as store:
        store.append(generator.sample(90, seed=7), [f"{n:03}" for n in range(90)])
    autoencoder = Autoencoder((32, 32, 3), 16, normalise=False)
    autoencoder.initialize(torch_generator(1, "autoencoder"))
    autoencoder.save(tmp_path / "autoencoder.safetensors")
    return tmp_path


def keep(folder: Path, images: int, scale: float) -> None:
    """Keeps the generator after so many images, with a last layer that is scaled: 1 is the delivered one."""
    generator = Generator.from_file(folder / "networks/generator.safetensors")
    with torch.no_grad():
        generator.convolutions[-1].weight *= scale
    generator.save(folder / f"networks/kept/generator-{images:010d}.safetensors", {})


def evaluated(folder: Path) -> tuple[dict[str, float], dict[str, Outcomes]]:
    paths = {"images": "images.h5", "networks": "networks", "autoencoder": "autoencoder.safetensors"}
    paths |= {"metrics": "metrics.json", "outcomes": "outcomes.h5", "params": "params.yaml"}
    main(["--name", "bedrooms", *(word for name, path in paths.items() for word in (f"--{name}", str(folder / path)))])
    return json.loads((folder / "metrics.json").read_text()), read_outcomes(folder / "outcomes.h5")


def test_distances_of_draws_are_those_of_the_last_generator_and_of_the_first_that_was_kept(folder: Path) -> None:
    keep(folder, 40000, scale=0.0)
    keep(folder, 80000, scale=1.0)
    metrics, distances = evaluated(folder)
    assert metrics["n"] == HELD_OUT and metrics["first_images"] == 40000
    assert {name: array.shape for name, array in distances.items()} == dict.fromkeys(("first", "last"), (DRAWS, 1))
    assert (distances["first"] > 1.2 * distances["last"]).all(), "an even grey is farther from samples than samples are"
    assert len(np.unique(distances["last"])) == DRAWS
    assert distances["last"].mean() == pytest.approx(metrics["sliced_wasserstein"], rel=0.2)
    before = (folder / "outcomes.h5").read_bytes()
    evaluated(folder)
    assert (folder / "outcomes.h5").read_bytes() == before


def test_both_generators_get_the_same_z_and_projections_in_a_draw_and_others_in_the_next(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, seeds = Generator.sample, []

    def watched(generator: Generator, n: int, seed: int, **kwargs: str) -> Images:
        seeds.append(seed)
        return original(generator, n, seed, **kwargs)

    monkeypatch.setattr(Generator, "sample", watched)
    keep(folder, 40000, scale=1.0)
    keep(folder, 80000, scale=0.0)
    distances = evaluated(folder)[1]
    np.testing.assert_array_equal(distances["first"], distances["last"])
    assert len(set(seeds[1:])) == DRAWS and seeds[1:] == 2 * seeds[1 : 1 + DRAWS]


def test_without_kept_weights_there_is_no_first_generator(folder: Path) -> None:
    metrics, distances = evaluated(folder)
    assert "first_images" not in metrics and set(distances) == {"last"}
    keep(folder, 40000, scale=1.0)
    assert set(evaluated(folder)[1]) == {"last"}, "what was kept last is not early"


def test_beside_samples_stand_other_real_images(folder: Path) -> None:
    """The delivered generator makes an even grey; real images are not."""
    generator = Generator.from_file(folder / "networks/generator.safetensors")
    with torch.no_grad():
        generator.convolutions[-1].weight *= 0
    generator.save(folder / "networks/generator.safetensors", {})
    metrics = evaluated(folder)[0]
    assert metrics["sliced_wasserstein"] > 1.2 * metrics["sliced_wasserstein_real"]
    assert metrics["recall"] == 0 < 0.5 < metrics["recall_real"]
