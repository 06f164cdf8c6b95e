"""The sweep over the guidelines on a small store: a run, what is made of runs, and the stages that it is made of."""

import argparse
import importlib
import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML
from torch import Tensor

from dcgan.core.files import InputError
from dcgan.core.outcomes import read_outcomes
from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.data.image_store import StoreWriter
from dcgan.data.minibatches import Batches
from dcgan.dedup.autoencoder import Autoencoder
from dcgan.models.networks import Generator
from dcgan.training.guidelines import SampleArrays, figures_of_run, measured_epochs
from dcgan.training.loop import TrainingRun
from dcgan.training.stability import oscillation, restlessness
from stages import compare_guidelines, train_guideline
from tests.dag.demo import demo_stages
from tests.dag.tiny import tiny_params
from workflow.description import describe
from workflow.engines import dag
from workflow.params.load import load_params, read_yaml

ROOT = Path(__file__).parents[2]
SWEEP = {"sets": ["svhn"], "seeds": [0, 1], "batch_size": 8, "shown": 5}


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of noise, an untrained autoencoder, and the demo's parameters with a small sweep turned on."""
    monkeypatch.setenv("DCGAN_STATE", str(tmp_path / "state"))
    tiny_params(tmp_path / "params.yaml", {"guidelines": SWEEP})
    autoencoder = Autoencoder((32, 32, 3), 128, False)
    autoencoder.initialize(torch_generator(1, "a"))
    autoencoder.save(tmp_path / "autoencoder.safetensors")
    images = numpy_generator(1, "images").integers(0, 256, (80, 32, 32, 3), dtype=np.uint8)
    with StoreWriter(tmp_path / "images.h5", (32, 32, 3), {}) as store:
        store.append(images, [f"{number:02}" for number in range(80)])
    return tmp_path


def train(inputs: Path, variant: str, seed: int) -> dict[str, Any]:
    options = {"params": "params.yaml", "images": "images.h5", "autoencoder": "autoencoder.safetensors"}
    paths = [word for name, file in options.items() for word in (f"--{name}", str(inputs / file))]
    out = inputs / "runs" / variant / str(seed)
    train_guideline.main(
        [*paths, "--name", "svhn", "--variant", variant, "--seed", str(seed), "--out", str(out)],
    )
    figures: dict[str, Any] = json.loads((out / "figures.json").read_text())
    return figures


def compare(inputs: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    options = {"params": "params.yaml", "runs": "runs", "images": "images.h5"}
    options |= {"figure": "page.png", "metrics": "metrics.json", "table": "table.csv", "outcomes": "outcomes.h5"}
    paths = [word for name, file in options.items() for word in (f"--{name}", str(inputs / file))]
    compare_guidelines.main(["--name", "svhn", *paths])
    table = pd.read_csv(inputs / "table.csv", keep_default_na=False, na_values=[""])
    return table, json.loads((inputs / "metrics.json").read_text())


def test_runs_become_a_table_a_page_and_a_sentence(inputs: Path) -> None:
    found = {(v, seed): train(inputs, v, seed) for v in ("published", "global_pooling") for seed in (0, 1)}
    assert Generator.from_file(inputs / "runs/global_pooling/1/generator.safetensors").architecture.global_pooling
    table, metrics = compare(inputs)
    assert table.variant.tolist() == ["published", "global_pooling"]
    assert table.runs.tolist() == [2, 2] and table.diverged.tolist() == [0, 0]
    assert table.change.fillna("").tolist() == ["", "global_pooling=True"]
    pair = [found["global_pooling", seed]["d_loss"] for seed in (0, 1)]
    assert metrics["global_pooling_d_loss"] == pytest.approx(np.mean(pair))
    assert metrics["global_pooling_d_loss_spread"] == pytest.approx(np.std(pair, ddof=1))
    outcomes = read_outcomes(inputs / "outcomes.h5")
    np.testing.assert_allclose(outcomes["global_pooling_d_loss"], np.array([pair]).T)
    # Three rows, of real images and of two variants, of 32 pixels twice as large, with margins of 2 that are enlarged.
    page = cv2.imread(str(inputs / "page.png"))
    assert page.shape == (3 * 2 * 36, 230 + 4 + 2 * (5 * 34 + 2), 3)
    assert "of 1 rules broken one at a time" in describe("compare_guidelines@svhn").measured(metrics)


def test_a_run_again_gives_the_same_bytes_and_seeds_differ(inputs: Path) -> None:
    first = train(inputs, "published", 0)
    bytes_before = (inputs / "runs/published/0/generator.safetensors").read_bytes()
    assert train(inputs, "published", 0) == first
    assert (inputs / "runs/published/0/generator.safetensors").read_bytes() == bytes_before
    assert train(inputs, "published", 1) != first


def test_no_images_are_gathered_for_a_minibatch_of_the_generator(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gathered: list[bool] = []
    batch = Batches.batch

    def watched(batches: Batches, number: int) -> tuple[Tensor | None, Tensor | None]:
        images, labels = batch(batches, number)
        gathered.append(images is not None)
        return images, labels

    monkeypatch.setattr(Batches, "batch", watched)
    train(inputs, "published", 0)
    assert gathered == [False, True] * (len(gathered) // 2) and gathered


def test_a_run_that_diverges_is_a_result(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole: Callable[[TrainingRun, str], None] = TrainingRun.complete

    def explode(run: TrainingRun, label: str) -> None:
        whole(run, label)
        run.curves.append({"d_loss": float("nan")})
        raise InputError("training diverged")

    train(inputs, "published", 0)
    train(inputs, "published", 1)
    with monkeypatch.context() as patched:
        patched.setattr(TrainingRun, "complete", explode)
        assert train(inputs, "global_pooling", 0) == {"diverged": True}
        assert train(inputs, "global_pooling", 1) == {"diverged": True}
    table, metrics = compare(inputs)
    assert table.diverged.tolist() == [0, 2]
    assert metrics["global_pooling_coverage"] is None and metrics["clearly_worse"] == 1
    outcomes = read_outcomes(inputs / "outcomes.h5")
    assert outcomes["global_pooling_recall"].tolist() == [[0], [0]] and "global_pooling_d_loss" not in outcomes


def test_a_variant_that_is_not_in_the_parameters_is_refused(inputs: Path) -> None:
    with pytest.raises(InputError, match=r"guidelines\.variants\.cubism: no such section"):
        train(inputs, "cubism", 0)


def test_oscillation_is_what_a_line_leaves_in_the_second_half() -> None:
    places = np.arange(20.0)
    assert oscillation([100, -100] * 5 + list(3 * places[:10])) == pytest.approx(0, abs=1e-9)
    # +1, -1, ... about a line: a sum of squares of 100, less what the line takes, over 98 degrees of freedom.
    swing = np.tile([1.0, -1.0], 100)
    assert oscillation(swing + 0.5 * np.arange(200)) == pytest.approx(1, abs=0.02)
    # 0, 1, 0, 1: a sum of squares of 1, of which the line of slope 1/5 takes 1/5, over 2 degrees of freedom.
    assert oscillation([9, 9, 9, 9, 0, 1, 0, 1]) == pytest.approx(0.4**0.5)
    with pytest.raises(ValueError, match="at least 5"):
        oscillation([1.0, 2.0, 3.0])


def test_restlessness_is_the_root_mean_square_change_of_pixels() -> None:
    black, grey = np.zeros((2, 4, 4, 3), np.uint8), np.full((2, 4, 4, 3), 10, np.uint8)
    assert restlessness([black, black]) == 0
    assert restlessness([black, grey, black]) == 10
    assert restlessness([black, grey, grey]) == 5
    with pytest.raises(ValueError, match="two epochs"):
        restlessness([black])


def sweeping(folder: Path, changes: dict[str, Any]) -> Path:
    """The project's DAG with the sweep turned on in the demo's parameters."""
    tiny_params(folder / "params.yaml", {"guidelines": {"sets": ["svhn"]} | changes})
    shutil.copy(ROOT / "dvc.yaml", folder)
    return folder


def test_the_sweep_is_off_in_git_and_a_stage_a_variant_and_seed_when_it_is_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not [name for name in demo_stages() if "guideline" in name]
    stages = dag.resolve(sweeping(tmp_path, {"seeds": [0, 3]}))
    names = {f"train_guideline@svhn-{v}-{seed}" for v in ("published", "global_pooling") for seed in (0, 3)}
    assert {name for name in stages if "guideline" in name} == names | {"compare_guidelines@svhn"}
    runs = {path for path in stages["compare_guidelines@svhn"].inputs if path.startswith("data/guidelines/")}
    assert runs == {path for name in names for path in stages[name].outputs}
    tracked = stages["train_guideline@svhn-global_pooling-3"].parameters
    assert tracked["guidelines.variants.global_pooling"] == {"global_pooling": True}
    read = {f"guidelines.{key}" for key in set(load_params(tmp_path / "params.yaml").guidelines.model_dump())}
    of_the_comparison = {
        f"guidelines.{key}" for key in ("sets", "images", "autoencoder", "seeds", "shown", "enlargement", "variants")
    }
    assert read - of_the_comparison < set(tracked)
    original = argparse.ArgumentParser.parse_args

    def parse_and_stop(self: argparse.ArgumentParser, given: list[str]) -> None:
        original(self, given)
        raise StopIteration

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    for name in (*names, "compare_guidelines@svhn"):
        _, _, module, *arguments = shlex.split(stages[name].command)
        with pytest.raises(StopIteration):
            importlib.import_module(module).main(arguments)
        assert set(stages[name].outputs) <= set(arguments)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sets": ["kitchens"]}, "guidelines.sets.kitchens: 'kitchens' is not allowed"),
        ({"images": "data/faces/crops.h5"}, "guidelines.images: 'data/faces/crops.h5' is not allowed"),
        ({"network": "demo33"}, "guidelines.network: 'demo33' is not allowed"),
        ({"network": "demo_mnist28"}, "guidelines.network: 'demo_mnist28' is not allowed"),
        ({"network": "lsun64"}, "guidelines.network: 'lsun64' is not allowed .it makes 64 x 64 x 3"),
        ({"variants": {"published": {"bounded": False}}}, "exactly one has to change nothing"),
        ({"variants": {"global_pooling": {"global_pooling": "yes"}}}, "guidelines.variants.global_pooling.global_poo"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused_in_one_line(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = sweeping(tmp_path, {}) / "params.yaml"
    params = read_yaml(path)
    for key, value in changes.items():
        before = params["guidelines"][key]
        params["guidelines"][key] = before | value if isinstance(value, dict) else value
    YAML(typ="safe").dump(params, path)
    with pytest.raises(InputError, match=message) as error:
        load_params(path)
    assert all(line.startswith(str(tmp_path)) for line in str(error.value).splitlines())


def test_figures_of_a_run_by_hand(tmp_path: Path) -> None:
    """Epochs 1 (a quarter) to 4 of one grey each; early samples are fewer than real images."""
    samples = SampleArrays(tmp_path, {})
    for epoch, grey in ((1, 200), (2, 40), (3, 50), (4, 70)):
        samples.samples(epoch, np.full((4, 8, 8, 3), grey, np.uint8))
    real = np.full((9, 8, 8, 3), 200, np.uint8)
    real[4:] = 0  # with which the early samples are not compared
    curves = [{"d_loss": float(n), "g_loss": 2.0 * n} for n in range(8)]
    plan = SimpleNamespace(epochs=4, sample_epochs=measured_epochs(4))
    found = figures_of_run(SimpleNamespace(plan=plan, curves=curves), samples, real, 1)  # type: ignore[arg-type]
    assert plan.sample_epochs == [1, 2, 3, 4]
    assert found.pop("early_wasserstein") == 0
    swings = {"d_loss_oscillation": 0, "g_loss_oscillation": 0}
    assert found == pytest.approx({"d_loss": 5.5, "g_loss": 11, "restlessness": 15} | swings, abs=1e-9)
