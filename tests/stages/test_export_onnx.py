"""A generator leaves PyTorch: onnxruntime draws the same pictures, in batches of any size."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML

from dcgan.core.files import InputError
from dcgan.models.architectures import ARCHITECTURES, Architecture
from dcgan.models.networks import Generator
from dcgan.models.onnx import export_generator
from dcgan.models.pixel_range import to_uint8
from stages.export_onnx import main
from tests.dag.demo import DEMO
from tests.unit.test_guidelines import BROKEN, broken

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


def export(folder: Path, network: str, statistics: str) -> Generator:
    parameters = YAML(typ="safe").load(DEMO.read_text())
    parameters["onnx"] = {"bedrooms": {"statistics": statistics, "statistics_batches": 2}}
    with (folder / "params.yaml").open("w") as file:
        YAML().dump(parameters, file)
    generator = Generator(ARCHITECTURES[network]).initialize(torch.Generator().manual_seed(1))
    generator.save(folder / "generator.safetensors", {})
    options = {"params": "params.yaml", "generator": "generator.safetensors", "out": "generator.onnx"}
    main(
        [word for name, file in options.items() for word in (f"--{name}", str(folder / file))] + ["--name", "bedrooms"]
    )
    return generator


def test_onnxruntime_draws_the_same_pictures(tmp_path: Path) -> None:
    generator = export(tmp_path, "demo_mnist28", "batch")
    session = onnxruntime.InferenceSession(tmp_path / "generator.onnx", providers=["CPUExecutionProvider"])
    for n in (64, 7):
        z, labels = generator.draw_latents(n, torch.Generator().manual_seed(n)), torch.arange(n) % 10
        drawn = torch.from_numpy(session.run(None, {"z": z.numpy(), "labels": labels.numpy()})[0])
        with torch.no_grad():
            ours = generator(z, labels)
        assert (drawn - ours).abs().max() < 1e-5
        steps = to_uint8(drawn, "sigmoid").astype(int) - to_uint8(ours, "sigmoid")
        assert np.abs(steps).max() <= 1 and (steps == 0).mean() > 0.999


def test_with_estimated_statistics_an_image_does_not_depend_on_its_mates(tmp_path: Path) -> None:
    export(tmp_path, "demo32", "estimated")
    session = onnxruntime.InferenceSession(tmp_path / "generator.onnx", providers=["CPUExecutionProvider"])
    z = Generator(ARCHITECTURES["demo32"]).draw_latents(8, torch.Generator().manual_seed(2)).numpy()
    whole, part = session.run(None, {"z": z})[0], session.run(None, {"z": z[:3]})[0]
    assert np.abs(whole[:3] - part).max() < 1e-5


def thin(row: Architecture) -> Architecture:
    """The same kind of generator with fewer maps."""
    maps, side = row.projection
    layers = *((8, stride) for _, stride in row.generator_layers[:-1]), *row.generator_layers[-1:]
    hidden = (16,) * len(row.generator_hidden)
    return replace(
        row,
        name=f"like {row.name}",
        latent="uniform",
        projection=(8 if layers else maps, side),
        generator_layers=layers,
        generator_hidden=hidden,
        discriminator_layers=(),
        discriminator_hidden=(),
        discriminator_activation="leaky_relu",
        global_pooling=False,
    )


# Of rows that differ in their maps alone, one.
ROWS = {
    repr(replace(row, name="")): row for row in [*map(thin, ARCHITECTURES.values()), *map(thin, map(broken, BROKEN))]
}


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.name)
def test_every_generator_draws_any_number_of_images(row: Architecture, tmp_path: Path) -> None:
    generator = Generator(row).initialize(torch.Generator().manual_seed(1))
    generator.estimate(1)
    export_generator(generator, tmp_path / "any.onnx", "estimated")
    session = onnxruntime.InferenceSession(tmp_path / "any.onnx", providers=["CPUExecutionProvider"])
    for n in (1, 2, 5):
        inputs = {"z": generator.latents(n, seed=n)} | ({"labels": torch.arange(n)} if row.classes else {})
        drawn = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})[0]
        with torch.no_grad():
            expected = generator(**inputs, statistics="estimated").numpy()
        assert drawn.shape == (n, row.channels, row.image_size, row.image_size)
        assert np.abs(drawn - expected).max() < 1e-5


def test_statistics_that_were_never_estimated_are_refused(tmp_path: Path) -> None:
    generator = Generator(ARCHITECTURES["demo32"]).initialize(torch.Generator().manual_seed(1))
    with pytest.raises(InputError, match="never estimated"):
        export_generator(generator, tmp_path / "generator.onnx", "estimated")
