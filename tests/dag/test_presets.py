"""`make preset` is the whole switch; what it writes, DVC changes line by line, and a person's edits are kept."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from difflib import ndiff
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from dcgan.models.architectures import ARCHITECTURES
from tests.dag.demo import cached_preset, preset_values
from workflow.engines import dag
from workflow.params.load import load_params, read_yaml
from workflow.presets.merge import main, names, preset, preset_params, preset_text
from workflow.report.table_rows import TABLES

PRESETS = ("demo", "evening", "folder", "paper", "small")
DIFFERENT = """# Preset `other`: for this test

a:
  changed: 2
  # over a list
  listed:
  - 3
  commented: 5  # new
  added: {x: 1}
  gone: left out
  emptied: {}
  inner:
    deep: 9
b:
  c: 1
"""
PLAIN = """# Preset `demo`: the base
# second line

# about a
a:
  changed: 1    # why 1
  listed:
  - 1
  - k: 1
    l: 2
  commented: 4  # old
  gone:
    x: 1
    y: 2
  emptied:
    x: 1
  inner:
    deep: 8     # how deep
    other: 1

z: {}           # the end
"""
MERGED = """# Preset `other`: for this test
# second line

# about a
a:
  changed: 2    # why 1
  # over a list
  listed:
  - 3
  commented: 5  # new
  emptied: {}
  inner:
    deep: 9     # how deep
    other: 1
  added: {x: 1}

z: {}           # the end

b:
  c: 1
"""


def project(root: Path, folder: Path, name: str) -> Path:
    shutil.copy(root / "dvc.yaml", folder)
    (folder / "params.yaml").write_text(preset_text(name))
    return folder


def test_demo_is_what_is_in_git(root: Path) -> None:
    """In the index: a run of another preset in this checkout changes nothing about that."""
    command = ["git", "show", ":params.yaml"]
    in_git = subprocess.run(command, cwd=root, check=True, capture_output=True).stdout
    assert (root / "workflow/presets/demo.yaml").read_bytes() == in_git


def test_a_preset_is_the_base_with_what_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "demo.yaml").write_text(PLAIN)
    (tmp_path / "other.yaml").write_text(DIFFERENT)
    monkeypatch.setattr("workflow.presets.merge.FOLDER", tmp_path)
    assert preset_text("other") == MERGED
    assert preset("other")["a"] == {
        "changed": 2,
        "listed": [3],
        "commented": 5,
        "emptied": {},
        "inner": {"deep": 9, "other": 1},
        "added": {"x": 1},
    }


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize(
    "changes",
    [
        {"run.device=auto": None},
        {
            "run.device=cuda": "  device: cuda              # auto | cpu | cuda",
            "shared.train.beta1=0.6": "    beta1: 0.6                # Adam [paper]",
            "train.bedrooms.learning_rate=0.0004": "    learning_rate: 0.0004     # ",
            "++train.bedrooms.beta1=0.6": "    beta1: 0.6",
        },
    ],
    ids=["nothing", "four keys"],
)
def test_dvc_changes_only_the_line_of_a_key(tmp_path: Path, name: str, changes: dict[str, str | None]) -> None:
    """`dvc exp run -S` reads the file and writes it anew: comments and form stay."""
    network = next(iter(cached_preset(name)["train"]))
    path = changed_by_dvc(tmp_path, name, *(change.replace("bedrooms", network) for change in changes))
    before, after, lines = preset_text(name), path.read_text(), list(filter(None, changes.values()))
    different = [line for line in ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]
    written = [line[2:] for line in different if line[0] == "+"]
    assert [line.startswith(expected) for line, expected in zip(written, lines, strict=True)] == [True] * len(lines)
    added = sum(change.startswith("++") for change in changes)
    assert len(different) == 2 * len(lines) - added


@pytest.mark.parametrize("name", PRESETS)
def test_dvc_can_empty_every_list_and_section(tmp_path: Path, name: str) -> None:
    """What ruamel.yaml writes then is broken if the key has a comment beside it, or its first item one above."""
    content = preset_values(name)
    lists = [place for place, value in places(content) if isinstance(value, list)]
    emptied = dict(places(read_yaml(changed_by_dvc(tmp_path, name, *(f"{place}=[]" for place in lists)))))
    assert len(lists) > 15 and emptied == {**dict(places(content)), **emptied, **dict.fromkeys(lists, [])}
    of_names = ["train", "features", "svm", "neighbours", "kmeans", "guidelines.variants", "pack.sets"]
    of_names += [f"{above}.{kind}" for above in ("figures", "classifiers") for kind in content[above]]
    sections = [(place, section) for place, section in places(content) if place in of_names]
    removed = [f"~{place}.{key}" for place, section in sections for key in section]
    kept = read_yaml(changed_by_dvc(tmp_path, name, *removed))
    for _, section in sections:
        section.clear()
    assert len(removed) > 15 and kept == content


def changed_by_dvc(folder: Path, name: str, *changes: str) -> Path:
    """A preset as it is after `dvc exp run -S` with these changes."""
    (folder / "params.yaml").write_text(preset_text(name))
    apply_overrides(folder / "params.yaml", list(changes))
    return folder / "params.yaml"


def places(tree: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every dotted key of a tree, with its value."""
    for key, value in tree.items():
        yield above + key, value
        if isinstance(value, dict):
            yield from places(value, f"{above}{key}.")


def test_edits_are_kept_when_another_preset_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("demo", "small", "demo"):
        main([name])
        assert Path("params.yaml").read_text() == preset_text(name)
    assert capsys.readouterr().out.splitlines() == [
        f"params.yaml is now the preset {n}" for n in ("demo", "small", "demo")
    ]
    for edits, backup in ((b"first\n", "params.yaml.bak"), (b"\xff", "params.yaml.1.bak"), (b"", "params.yaml.2.bak")):
        Path("params.yaml").write_bytes(edits)
        main(["paper"])
        assert Path(backup).read_bytes() == edits and f"it is {backup} now" in capsys.readouterr().out
    assert Path("params.yaml.bak").read_bytes() == b"first\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "params.yaml",
        *(f"params.yaml.{end}" for end in ("1.bak", "2.bak", "bak")),
    ]


def test_without_a_name_the_presets_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    main([])
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(PRESETS) == names() and "PRESET=NAME" in last
    assert all(len(line) > 60 and "GPU" in line or "CPU" in line for line in lines)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_preset_ends_with_status_2_and_the_list(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "workflow.presets.merge", "nonsense"]
    environment = os.environ | {"PYTHONPATH": str(root)}
    finished = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (
        finished.returncode == 2
        and finished.stderr == "error: PRESET=nonsense: one of demo, evening, folder, paper, small\n"
    )
    assert not (tmp_path / "params.yaml").exists()


@pytest.mark.parametrize("name", PRESETS)
def test_preset_is_allowed_and_its_dag_resolves(root: Path, tmp_path: Path, name: str) -> None:
    folder = project(root, tmp_path, name)
    params, stages = load_params(folder / "params.yaml"), dag.resolve(folder)
    assert len([stage for stage in stages if stage.startswith("export_lsun@")]) == len(params.export.shards)
    assert {f"train_dcgan@{network}" for network in params.train} <= stages.keys()
    assert "build_report" in stages


@pytest.mark.parametrize("name", ["small", "paper"])
def test_real_data_comes_from_data_raw_and_needs_no_recorded_truth(root: Path, tmp_path: Path, name: str) -> None:
    stages = dag.resolve(project(root, tmp_path, name)).values()
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


def test_paper_is_the_papers() -> None:
    params = preset_params("paper")
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


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "folder"])
def test_what_the_documents_add_for_the_authors_weights_resolves(root: Path, tmp_path: Path, name: str) -> None:
    addition = read_yaml(root / "docs/results/published_weights.yaml")
    folder = project(root, tmp_path, name)
    params = read_yaml(folder / "params.yaml")
    for section, entries in addition.items():
        params[section] |= entries
    YAML(typ="safe").dump(params, folder / "params.yaml")
    allowed, stages = load_params(folder / "params.yaml"), dag.resolve(folder)
    assert set(allowed.published) == {"imagenet", "svhn"}
    for table in TABLES:
        for source in (source for row in table["rows"] for source in row.get("authors", [])):
            assert stages[f"evaluate_svm@{source.partition('.')[0].removeprefix('svm_')}"].inputs
    assert set(stages["import_published@svhn"].outputs) & set(stages["extract_features@svhn_published"].inputs)
