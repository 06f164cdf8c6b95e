"""Copying a preset over params.yaml is the whole switch."""

import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from dcgan.models.architectures import ARCHITECTURES
from workflow.engines import dag
from workflow.params.load import load_params, read_yaml
from workflow.report.paper_tables import TABLES

PRESETS = ("demo", "small", "paper")


def project(root: Path, folder: Path, preset: str) -> Path:
    shutil.copy(root / "dvc.yaml", folder)
    shutil.copy(root / "workflow" / "presets" / f"{preset}.yaml", folder / "params.yaml")
    return folder


def test_demo_is_what_is_in_git(root: Path) -> None:
    assert (root / "workflow/presets/demo.yaml").read_bytes() == (root / "params.yaml").read_bytes()


@pytest.mark.parametrize("preset", PRESETS)
def test_preset_is_allowed_and_its_dag_resolves(root: Path, tmp_path: Path, preset: str) -> None:
    folder = project(root, tmp_path, preset)
    params, stages = load_params(folder / "params.yaml"), dag.resolve(folder)
    assert len([name for name in stages if name.startswith("export_lsun@")]) == len(params.export.shards)
    assert {f"train_dcgan@{name}" for name in params.train} <= stages.keys()
    assert "build_report" in stages


@pytest.mark.parametrize("preset", ["small", "paper"])
def test_real_data_comes_from_data_raw_and_needs_no_recorded_truth(root: Path, tmp_path: Path, preset: str) -> None:
    stages = dag.resolve(project(root, tmp_path, preset)).values()
    outputs = {path for stage in stages for path in stage.outputs}
    outside = {path for stage in stages for path in stage.inputs if path.startswith("data/")} - outputs
    assert {path.split("/")[1] for path in outside} == {"raw", "annotations"}
    groups = {stage.name.split("@")[0] for stage in stages}
    assert not groups & {"render_demo", "evaluate_duplicates", "fit_window_classifier", "fit_face_classifier"}
    # Nobody has looked at samples that nobody has drawn yet: the files are there, and empty.
    by_hand = {path for path in outside if path.startswith("data/annotations/")}
    assert by_hand == {"data/annotations/bedrooms.json", "data/annotations/faces.json"}
    assert all((root / path).read_text() == "{}\n" for path in by_hand)
    assert groups >= {"draw_windows", "draw_arithmetic", "draw_turn"}


def test_paper_is_the_papers(root: Path) -> None:
    params = load_params(root / "workflow/presets/paper.yaml")
    networks = {name: section.network for name, section in params.train.items()}
    assert networks == {
        "bedrooms": "lsun64",
        "faces": "faces64",
        "imagenet": "imagenet32",
        "svhn": "svhn32",
        "mnist": "mnist28",
        "mnist_dense": "mnist28_dense",
    }
    assert {params.train[name].batch_size for name in ("bedrooms", "faces", "imagenet")} == {128}
    assert {params.train[name].learning_rate for name in ("bedrooms", "faces", "imagenet", "mnist")} == {0.0002}
    assert ARCHITECTURES["imagenet32"].feature_count == 28_672
    assert ARCHITECTURES["svhn32"].feature_count == 7_168
    assert (params.svm["cifar10_few"].labels_per_class, params.svm["svhn"].labels_per_class) == (400, 100)
    assert (params.svm["svhn"].search_draws, params.svm["svhn"].draws) == (10, 100)
    assert (params.supervised.trials, params.kmeans["cifar10"].centroids) == (64, 4800)
    assert params.neighbours["mnist"].samples[-1] == 10_000_000


@pytest.mark.parametrize("preset", PRESETS)
def test_what_the_documents_add_for_the_authors_weights_resolves(root: Path, tmp_path: Path, preset: str) -> None:
    text = (root / "docs/results.md").read_text(encoding="utf-8")
    addition = YAML(typ="safe").load(text.split("```yaml\n")[1].split("```")[0])
    folder = project(root, tmp_path, preset)
    params = read_yaml(folder / "params.yaml")
    for section, entries in addition.items():
        params[section] |= entries
    YAML(typ="safe").dump(params, folder / "params.yaml")
    allowed, stages = load_params(folder / "params.yaml"), dag.resolve(folder)
    assert set(allowed.published) == {"imagenet", "svhn"}
    for table in TABLES:
        for source in (source for row in table.rows for source in row.authors if source):
            assert stages[f"evaluate_svm@{source.file.removeprefix('svm_')}"].inputs
    assert set(stages["import_published@svhn"].outputs) & set(stages["extract_features@svhn_published"].inputs)
