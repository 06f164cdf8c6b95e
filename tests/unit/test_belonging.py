"""Results of other parameters are told from those of this run: by sidecars, by dvc.lock, by what they rest on."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.unit.conftest import SVM, leave_sidecar, stage
from workflow.claims.words import CLAIMS
from workflow.engines.dag import TIMESTAMP, Stage
from workflow.engines.digests import digest_of_input, digest_of_output
from workflow.report.belonging import belonging
from workflow.report.collect import EXPLORE, leftovers, marked, render
from workflow.report.run_history import account_of
from workflow.report.summary import summary

TRAINED, SVM_OF_IT, WALK = "train_dcgan@bedrooms", "evaluate_svm@cifar10", "draw_walk@bedrooms"
NETWORK = "data/networks/bedrooms"
Change = Callable[[Path, dict[str, Stage]], None]


@pytest.fixture
def run(results: Path, stages: dict[str, Stage]) -> dict[str, Stage]:
    """A run that has left its sidecars: a network, a walk through it, a classifier and claims that rest on nothing."""
    (results / NETWORK).mkdir(parents=True)
    (results / NETWORK / "generator.safetensors").write_text("weights")
    trained, walk = stages[TRAINED], stages[WALK]
    found = {
        **stages,
        TRAINED: replace(
            trained,
            outputs=[*trained.outputs, NETWORK],
            parameters={"run.seed": 42, "train.bedrooms": {"epochs": 18, "images": None}},
        ),
        WALK: replace(
            walk,
            inputs=[NETWORK],
            dependencies=["data/code/draw_walk.txt", f"{NETWORK}/generator.safetensors", "workflow/x.html.j2"],
        ),
    }
    del found["build_report"]
    for one in found.values():
        leave_sidecar(results, replace(one, dependencies=one.dependencies[1:2]))
    return found


def with_parameters(stages: dict[str, Stage], name: str, **changes: object) -> dict[str, Stage]:
    """Stages as another params.yaml has them."""
    return stages | {name: replace(stages[name], parameters=stages[name].parameters | changes)}


def reasons(root: Path, stages: dict[str, Stage]) -> dict[str, str]:
    """Why results of stages do not belong, in words."""
    return {name: reason.about(name) for name, reason in belonging(root, stages)[1].items()}


def test_all_results_of_a_run_belong(results: Path, run: dict[str, Stage]) -> None:
    records, others = belonging(results, run)
    assert records.keys() == run.keys() and others == {}


def test_other_parameters_and_what_rests_on_them_are_told_with_the_reason(results: Path, run: dict[str, Stage]) -> None:
    train = {"epochs": 20, "images": None}
    found = reasons(results, with_parameters(run, TRAINED, **{"run.seed": 43, "train.bedrooms": train}))
    why = "run.seed was 42, is 43; train.bedrooms.epochs was 18, is 20"
    assert found == {TRAINED: why, WALK: f"{why} (of {TRAINED}, on which they rest)"}
    train = {"images": "a", "rate": 1e-4, "beta": 0.5}
    (why, _) = reasons(results, with_parameters(run, TRAINED, **{"run.seed": 43, "train.bedrooms": train})).values()
    assert why.endswith('epochs was 18, is left out; train.bedrooms.images was empty, is "a"; and 2 more')


def test_values_that_look_alike_are_not_the_same(results: Path, run: dict[str, Stage]) -> None:
    leave_sidecar(results, with_parameters(run, SVM_OF_IT, rate=0.00012345)[SVM_OF_IT])
    assert SVM_OF_IT not in reasons(results, with_parameters(run, SVM_OF_IT, rate=0.00012345))
    assert SVM_OF_IT in reasons(results, with_parameters(run, SVM_OF_IT, rate=0.000123451))


def edit_metrics(root: Path, _: dict[str, Stage]) -> None:
    (root / "results/metrics/svm_cifar10.json").write_text(json.dumps(SVM | {"error": 0.1}))


def train_again(root: Path, stages: dict[str, Stage]) -> None:
    (root / NETWORK / "generator.safetensors").write_text("other weights")
    leave_sidecar(root, stages[TRAINED])


def damage_sidecar(root: Path, _: dict[str, Stage]) -> None:
    (root / f"results/provenance/{SVM_OF_IT}.json").write_text("{")


def change_command(root: Path, stages: dict[str, Stage]) -> None:
    leave_sidecar(root, replace(stages[SVM_OF_IT], command="false"))


@pytest.mark.parametrize(
    ("change", "name", "why"),
    [
        (edit_metrics, SVM_OF_IT, "results/metrics/svm_cifar10.json is not what that run left"),
        (train_again, WALK, f"{NETWORK}/generator.safetensors has changed since"),
        (damage_sidecar, SVM_OF_IT, "nothing says how they were made"),
        (change_command, SVM_OF_IT, "another command made them"),
    ],
)
def test_what_else_makes_a_result_one_of_another_run(
    results: Path, run: dict[str, Stage], change: Change, name: str, why: str
) -> None:
    change(results, run)
    assert reasons(results, run) == {name: why}


def test_a_clone_without_data_has_results_that_belong(results: Path, run: dict[str, Stage]) -> None:
    (results / NETWORK / "generator.safetensors").unlink()
    (results / "results/figures/walk_bedrooms.png").unlink()
    assert reasons(results, run) == {}


def test_what_is_too_large_to_be_read_counts_by_its_size(results: Path, run: dict[str, Stage]) -> None:
    """A sidecar has size and time of a large input; engines renew times."""
    path = f"{NETWORK}/generator.safetensors"
    for inputs, found in (
        ("unread: 1 files, 9 bytes, changed 2020", {}),
        ("md5:other", {WALK: f"{path} has changed since"}),
    ):
        leave_sidecar(results, replace(run[WALK], dependencies=[]), inputs={path: inputs})
        assert reasons(results, run) == found


def test_dvc_lock_vouches_for_what_dvc_took_from_its_cache(results: Path, run: dict[str, Stage]) -> None:
    """The sidecar is that of the run in between; DVC has put back the outputs of the one before, and says so."""
    before = run[TRAINED]
    leave_sidecar(results, replace(before, parameters={"run.seed": 43}))
    assert TRAINED in reasons(results, run)
    outs = [{"path": path, "md5": digest_of_output(results, path).removeprefix("md5:")} for path in before.outputs]
    entry = {"cmd": "true", "params": {"params.yaml": before.parameters}, "outs": outs}
    YAML().dump({"schema": "2.0", "stages": {TRAINED: entry}}, results / "dvc.lock")
    assert reasons(results, run) == {}
    account = account_of(results, run)
    assert account.belongs(TRAINED) and account.time(TRAINED) == "not known"
    (results / "results/curves/bedrooms.csv").write_text("epoch\n1\n")
    assert TRAINED in reasons(results, run)


def test_folders_of_raw_data_are_not_read(results: Path, run: dict[str, Stage]) -> None:
    (results / "raw").mkdir()
    (results / "raw/a.png").write_text("a")
    (results / "boxes.json").write_text("[]")
    run[SVM_OF_IT] = replace(run[SVM_OF_IT], dependencies=["raw", "boxes.json"], inputs=["raw", "boxes.json"])
    leave_sidecar(results, run[SVM_OF_IT])
    assert digest_of_input(results, "raw") != (results / "raw/a.png").write_text("b") and reasons(results, run) == {}
    (results / "boxes.json").write_text("[1]")
    assert reasons(results, run) == {SVM_OF_IT: "boxes.json has changed since"}


def page_of(root: Path, stages: dict[str, Stage]) -> str:
    return render(root, stages, "Test", account_of(root, stages))


def test_the_report_marks_results_of_other_parameters_and_counts_them_nowhere(
    results: Path, run: dict[str, Stage]
) -> None:
    """All of it follows from parameters: a seed for training, another number for the classifier and for the claims."""
    explorer = replace(run[WALK], name="explore_networks@explore", outputs=[EXPLORE], inputs=[], dependencies=[])
    run[explorer.name] = explorer
    (results / EXPLORE).write_text("a page")
    leave_sidecar(results, explorer)
    before = page_of(results, run)
    assert "ot of these parameters" not in before and 'class="ours"' in before
    assert "Figure 8</span> A turn vector turns any face" in before

    other = run
    for name in run:
        other = with_parameters(other, name, **{"run.seed": 43})
    after = page_of(results, other)
    assert "Not of these parameters: results of 5 stages." in after
    assert after.count("<strong>Not of these parameters</strong>:") == 3  # neither claims nor the page have a place
    assert "At a glance" in before and "At a glance" not in after, "it would be empty"
    assert "which stand beside them" in before and "which stand beside them" not in after
    assert "<code>results/explore.html</code>, beside this page, is <strong>not of these parameters" in after
    assert 'href="explore.html"' in before and 'href="explore.html"' not in after
    assert '<th scope="col">this run</th>' in before and '<th scope="col">this run</th>' not in after
    assert "<li>run.seed was 42, is 43</li>" in after
    assert 'class="ours"' not in after and "A turn vector" not in after and "Not judged with these parameters" in after
    assert "in small" not in after and "not with these parameters" in after
    assert "No stage has left an account of a run with these parameters" in after


def test_the_summary_names_results_of_other_parameters_and_leaves_them_out(
    results: Path, run: dict[str, Stage]
) -> None:
    def lines(stages: dict[str, Stage]) -> list[str]:
        return list(summary(results, stages, marked(results, stages, account_of(results, stages))))

    before = lines(run)
    assert before[:2] == [
        "Ours beside the paper's (of other data: ours are stand-ins):",
        "  Table 1, CIFAR-10: 20.0 % error (published 17.2 %), 50.0 % with random weights",
    ]
    assert any("Figure 8: A turn vector" in line for line in before)
    after = lines(with_parameters(with_parameters(run, SVM_OF_IT, cost=1), "judge_claims", **{"run.seed": 1}))
    assert after[1:] == [
        "Left out, because they are not of these parameters: results of 2 stages, for example",
        f"  {SVM_OF_IT}: cost was left out, is 1",
        "  judge_claims: run.seed was left out, is 1",
        "Everything, with pictures: results/report.html",
    ]


def test_files_of_other_presets_are_named_and_not_shown(results: Path, run: dict[str, Stage]) -> None:
    (results / "results/metrics/svm_other.json").write_text(json.dumps({"error": 0.123456}))
    (results / "results/figures" / TIMESTAMP).touch()
    assert leftovers(results, run) == ["results/metrics/svm_other.json", "results/figures/stale.png"]
    text = page_of(results, run)
    assert "<code>results/metrics/svm_other.json</code>" in text and "0.1235" not in text
    assert "svm_other" not in render(results, run, "Test")
    assert CLAIMS.as_posix() not in leftovers(results, run)


def test_the_dag_s_own_page_does_not_depend_on_sidecars(results: Path, run: dict[str, Stage]) -> None:
    text = render(results, run, "Test")
    edit_metrics(results, run)
    (results / "results/metrics/svm_cifar10.json").write_text(json.dumps(SVM))
    damage_sidecar(results, run)
    assert render(results, run, "Test") == text and "ot of these parameters" not in text


def test_one_stage_without_an_account_is_told_from_one_of_other_parameters(results: Path) -> None:
    one = stage("draw_walk@bedrooms", ["results/figures/walk_bedrooms.png"])
    assert reasons(results, {one.name: one}) == {one.name: "nothing says how they were made"}
    assert marked(results, {one.name: one}, account_of(results, {one.name: one})).keys() == {one.name}
