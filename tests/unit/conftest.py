"""What a run leaves for the report, made small."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dcgan.core.pixels import write_png
from workflow.claims.judge import judge_all, read_registry
from workflow.claims.words import CLAIMS
from workflow.engines.dag import Stage
from workflow.engines.digests import digest_of_input, digest_of_output

PARAMS = "run: {seed: 42}\nexport: {source: data/demo/bedrooms}\nreport: {title: Test}\n"
SVM = {
    "error": 0.2,
    "interval": 0.01,
    "published": 0.172,
    "random_weights_error": 0.5,
    "accuracy": 0.8,
    "n_features": 3584,
    "n_maps": 128,
}


def stage(name: str, outputs: list[str]) -> Stage:
    return Stage(name, f"Does {name}", "true", [], [], [], outputs, {}, 1, 0, 100, 10, False)


def leave_sidecar(root: Path, stage: Stage, /, **further: Any) -> None:
    """What a stage leaves about a run with its parameters, whose outputs and inputs are those that lie there."""
    outputs = {path: digest_of_output(root, path) for path in stage.outputs}
    inputs = {path: digest_of_input(root, path) for path in stage.dependencies}
    record = {"command": stage.command, "parameters": stage.parameters, "inputs": inputs, "outputs": outputs}
    path = root / "results/provenance" / f"{stage.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record | {"seconds": 5} | further))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return make_results(tmp_path)


def make_results(root: Path) -> Path:
    """A folder as a run leaves it, with a stale picture in it."""
    (root / "params.yaml").write_text(PARAMS)
    for folder in ("metrics", "figures/training/bedrooms", "curves"):
        (root / "results" / folder).mkdir(parents=True)
    (root / "results/metrics/svm_cifar10.json").write_text(json.dumps(SVM))
    picture = np.full((40, 900, 3), 200, np.uint8)
    for name in ("walk_bedrooms", "stale", "training/bedrooms/epoch-0001", "training/bedrooms/epoch-0005"):
        write_png(root / f"results/figures/{name}.png", picture)
    curve = pd.DataFrame({"epoch": [1, 2, 3], "d_loss": [1.2, 1.0, None], "g_loss": [0.7, 0.9, 1.1]})
    right = np.asarray(np.arange(400) < 380, np.float32)[None]
    faces = {"turn_faces": {"turned": right, "random_direction": 1 - right}}
    pd.DataFrame(judge_all(read_registry(), faces, 1)).to_csv(root / CLAIMS, index=False)
    curve.to_csv(root / "results/curves/bedrooms.csv", index=False)
    return root


@pytest.fixture
def stages() -> dict[str, Stage]:
    return make_stages()


def make_stages() -> dict[str, Stage]:
    found = [
        stage("train_dcgan@bedrooms", ["results/figures/training/bedrooms", "results/curves/bedrooms.csv"]),
        stage("evaluate_svm@cifar10", ["results/metrics/svm_cifar10.json"]),
        stage("draw_walk@bedrooms", ["results/figures/walk_bedrooms.png"]),
        stage("judge_claims", ["results/claims.csv"]),
        stage("build_report", ["data/report.html"]),
    ]
    return {one.name: one for one in found}
