"""Every section of params.yaml can be off: left out, or, where DVC needs its lists, with these empty alone."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dcgan.core.files import InputError
from tests.dag.demo import demo_project, demo_stages, preset_values
from tests.dag.test_params import REMOVED, change, one_line, write
from workflow.description import kind_of
from workflow.engines import dag
from workflow.params.load import LEFT_OUT, OFF, check_params, load_params, read_yaml
from workflow.params.sections import Params

WITH_LISTS = {name: off for name, off in OFF.items() if name not in LEFT_OUT}
ALWAYS = {"digest_code", "judge_claims", "build_report"}
# By section, the kinds of stages that it makes, of sections that nothing else in the preset `demo` rests on.
KINDS = {
    "quality": {"evaluate_samples"},
    "svm": {"evaluate_svm"},
    "neighbours": {"evaluate_neighbours"},
    "onnx": set[str](),
    "published": set[str](),
    "figures": {f"draw_{name}" for name in ("samples", "walk", "guided", "nearest", "windows", "arithmetic", "turn")}
    | {"animate_training"},
    "explore": {"explore_networks"},
    "supervised": {"search_supervised_cnn", "select_supervised_cnn"},
    "guidelines": {"train_guideline", "compare_guidelines"},
}


@pytest.fixture
def nothing() -> dict[str, Any]:
    """Parameters with every section, each of them off."""
    params = preset_values()
    return {"run": params["run"], "shared": params["shared"], "report": params["report"], **OFF}


def stages_of(folder: Path, params: dict[str, Any]) -> set[str]:
    """The stages that both engines see, by DVC's own reader."""
    write(demo_project(folder) / "params.yaml", params)
    load_params(folder / "params.yaml")
    return set(dag.resolve(folder))


def test_every_section_can_be_off_and_both_engines_have_the_same_defaults(root: Path) -> None:
    assert OFF.keys() == Params.model_fields.keys() - {"run", "shared", "report"}
    assert read_yaml(root / "dvc.yaml")["vars"] == [LEFT_OUT]


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_section_that_is_left_out_makes_no_stage(tmp_path: Path, nothing: dict[str, Any], name: str) -> None:
    del nothing[name]
    assert stages_of(tmp_path, nothing) == ALWAYS


def test_parts_of_a_section_can_be_left_out(tmp_path: Path) -> None:
    params = preset_values()
    for figure in ("walk", "guided"):
        del params["figures"][figure]
    left = {name for name in demo_stages() if kind_of(name) not in ("draw_walk", "draw_guided")}
    assert stages_of(tmp_path, params) == left < demo_stages().keys()


@pytest.mark.parametrize("name", KINDS)
def test_the_rest_stays(tmp_path: Path, name: str) -> None:
    params = preset_values()
    params[name] = OFF[name]
    if name in LEFT_OUT and name != "figures":  # some of which the page of generators reads
        del params[name]
    left = {stage for stage in demo_stages() if kind_of(stage) not in KINDS[name]}
    assert stages_of(tmp_path, params) == left


@pytest.mark.parametrize("name", ["windows", "arithmetic", "turn"])
def test_figures_that_the_page_of_generators_offers_to_annotate_are_empty_not_left_out(name: str) -> None:
    params = change(preset_values(), f"figures.{name}", REMOVED)
    with pytest.raises(InputError) as error:
        check_params(params, "params.yaml")
    told = f"figures.{name}: missing (explore reads it; to switch it off, write figures: {{{name}: {{}}}})"
    assert one_line(error) == f"params.yaml: {told}"
    check_params(params | {"explore": OFF["explore"]}, "params.yaml")


@pytest.mark.parametrize("name", WITH_LISTS)
def test_a_section_with_lists_is_told_how_to_be_off(nothing: dict[str, Any], name: str) -> None:
    del nothing[name]
    with pytest.raises(InputError) as error:
        check_params(nothing, "params.yaml")
    line = one_line(error)
    start, _, written = line.partition(f"(to switch it off, write {name}: ")
    assert start == f"params.yaml: {name}: missing "
    assert written == f"{str(OFF[name])[:-1].replace(chr(39), '')}}})"


@pytest.mark.parametrize("place", [*OFF, "figures.turn", "quality.sets", "svm.cifar10"])
def test_enabled_is_refused_with_what_to_do_instead(place: str) -> None:
    params = change(preset_values(), f"{place}.enabled", False)
    with pytest.raises(InputError) as error:
        check_params(params, "params.yaml")
    told = f"write {place}: {{" if place in WITH_LISTS else f"leave {place} out"
    assert one_line(error).startswith(f"params.yaml: {place}.enabled: unknown key (to switch it off, {told}")


def test_a_section_without_anything_below_it_is_told_to_go(nothing: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"svm: null is not allowed \(.*; to switch it off, leave svm out\)"):
        check_params(nothing | {"svm": None}, "params.yaml")


def test_what_is_exported_needs_numbers_for_duplicates() -> None:
    params = change(preset_values(), "deduplicate", {"truth": []})
    with pytest.raises(InputError, match=r"deduplicate\.drop: missing"):
        check_params(params, "params.yaml")


def test_a_section_that_is_on_needs_all_of_its_numbers() -> None:
    for key in ("quality.draws", "pack.antialias", "demo.photos", "export.image_size"):
        with pytest.raises(InputError) as error:
            check_params(change(preset_values(), key, REMOVED), "params.yaml")
        assert one_line(error) == f"params.yaml: {key}: missing"


def test_the_engines_themselves(checkout: Path, run: Callable[..., Any], nothing: dict[str, Any]) -> None:
    """DVC alone, which reads params.yaml without this project's code; the line that every start gives; and a report of
    nothing, though no stage is left that writes into folders that it reads.
    """
    few = {name: section for name, section in nothing.items() if name not in LEFT_OUT}
    write(checkout / "params.yaml", few)
    assert set(run(checkout, "dvc", "stage", "list", "--name-only").stdout.split()) == ALWAYS
    assert "params.yaml is fine: 0 sources" in run(checkout, "python", "-m", "workflow.engines.check").stdout
    for command in ("python -m workflow.repro", "snakemake --cores 1"):
        shutil.rmtree(checkout / "results/curves")
        (checkout / "data/report.html").unlink(missing_ok=True)
        run(checkout, *command.split())
        assert "Not judged with these parameters" in (checkout / "data/report.html").read_text(), command
    del few["demo"]
    write(checkout / "params.yaml", few)
    for command in ("python -m workflow.engines.check", "python -m workflow.repro", "snakemake --cores 1"):
        told = run(checkout, *command.split(), status=2).stderr
        assert told.splitlines()[-1].endswith("demo: missing (to switch it off, write demo: {sets: []})"), command
        assert "Traceback" not in told
