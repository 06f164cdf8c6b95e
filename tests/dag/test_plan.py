"""A plan predicts what a run takes, and the DAG asks schedulers for enough."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from dcgan.core.files import InputError, read_csv
from tests.dag.demo import cached_preset, preset_values
from workflow.description import describe
from workflow.engines.dag import Stage
from workflow.params.load import OFF, check_params, read_yaml
from workflow.planning.plan import RATES, Job, by_kind, least_seconds, longest_chain, main, plan, threads_of
from workflow.presets.merge import preset_params
from workflow.report.reference import STAGES
from workflow.workload import Work

LONG_SECONDS = 7.0  # what is shorter is mostly the start of the job
RATES_TABLE = read_yaml(RATES)


@cache
def preset_plan(root: Path, name: str, gpu: str = "none", cores: int = 10_000) -> list[Job]:
    return plan(root, cached_preset(name), RATES_TABLE, gpu, cores)


def reference(root: Path, column: str) -> dict[str, float]:
    """A column of the reference run's stages."""
    table = read_csv(root / STAGES, {"stage": str, column: float})
    return dict(zip(table.stage, table[column], strict=True))


def test_prediction_for_the_demo_is_within_a_factor_of_two_of_a_run(root: Path) -> None:
    """Seconds of each stage of one `make repro` on the machine that rates.yaml describes; as a whole, and each."""
    took = reference(root, "seconds")
    predicted = {job.stage.name: job.seconds for job in preset_plan(root, "demo")}
    assert took.keys() == predicted.keys(), "the DAG has changed: run the demo, then `make reference`"
    assert 0.5 < sum(predicted.values()) / sum(took.values()) < 2
    wrong = {name: (took[name], predicted[name]) for name in took if took[name] > LONG_SECONDS}
    assert {n: pair for n, pair in wrong.items() if not 0.5 < pair[1] / pair[0] < 2} == {}


def test_prediction_of_the_demos_bytes_is_within_a_factor_of_two_of_a_run(root: Path) -> None:
    """As a whole, and for each stage that leaves ten megabytes."""
    left = reference(root, "output_bytes")
    predicted = {job.stage.name: job.work.written_bytes for job in preset_plan(root, "demo")}
    assert 0.5 < sum(predicted.values()) / sum(left.values()) < 2
    wrong = {name: (left[name], predicted[name]) for name in predicted if left[name] > 10e6}
    assert len(wrong) > 8
    assert {name: pair for name, pair in wrong.items() if not 0.5 < pair[1] / pair[0] < 2} == {}


def test_prediction_of_the_demos_memory_is_within_a_factor_of_two_of_a_run(root: Path) -> None:
    """Of each stage."""
    took = reference(root, "peak_memory_mb")
    predicted = {job.stage.name: job.process_mb for job in preset_plan(root, "demo")}
    assert {n: (took[n], mb) for n, mb in predicted.items() if not 0.5 < mb / took[n] < 2} == {}


def test_every_job_of_the_paper_asks_for_more_memory_than_is_predicted(root: Path) -> None:
    """By a quarter; and none for 25 times as much, which would keep others waiting."""
    jobs = preset_plan(root, "paper", "a100")
    shares = {job.stage.name: job.process_mb * job.stage.processes / job.stage.mem_mb for job in jobs}
    assert {name: share for name, share in shares.items() if not 0.04 < share < 0.8} == {}


def test_every_kind_of_job_of_the_paper_asks_for_two_to_twelve_times_what_is_predicted(root: Path) -> None:
    """Of time, by its longest job; or for up to two hours where that is little: GPU rates are not measured."""
    longest: dict[str, tuple[float, int]] = {}
    for job in preset_plan(root, "paper", "a100"):
        kind = job.stage.name.partition("@")[0]
        longest[kind] = max(longest.get(kind, (0.0, 0)), (job.seconds / 60, job.stage.runtime_minutes))
    assert len(longest) > 20
    assert {k: two for k, two in longest.items() if not 0 < 2 * two[0] < two[1] <= max(120, 12 * two[0])} == {}


def test_every_job_of_small_has_a_prediction(root: Path) -> None:
    assert min(job.seconds for job in preset_plan(root, "small")) > 0


@pytest.fixture
def further() -> dict[str, Any]:
    """The preset `paper` with what it leaves out: the guidelines, the authors' weights, near codes that are equal."""
    params = preset_values("paper")
    params["guidelines"]["sets"] = ["bedrooms"]
    params["published"] = {"svhn": {"arrays": "somewhere", "architecture": "svhn32"}}
    params["features"]["svhn"]["discriminator"] = "data/networks/published_svhn/discriminator.safetensors"
    params["deduplicate"]["radius"] = 12
    return params


def test_what_the_presets_leave_out_is_planned_too(root: Path, further: dict[str, Any]) -> None:
    jobs = {job.stage.name: job for job in plan(root, further, RATES_TABLE, "a100", 10_000)}
    paper = {job.stage.name: job for job in preset_plan(root, "paper", "a100")}
    guidelines = [job for name, job in jobs.items() if name.startswith("train_guideline")]
    params = check_params(further, "further")
    assert len(guidelines) == len(params.guidelines.variants) * len(params.guidelines.seeds)
    assert {job.work.images for job in guidelines} == {
        params.guidelines.epochs * paper["train_dcgan@bedrooms"].work.images / params.train["bedrooms"].epochs
    }
    assert [job for job in guidelines if not 2 * job.seconds / 60 < job.stage.runtime_minutes] == []
    assert jobs["extract_features@svhn"].work == paper["extract_features@svhn"].work
    assert jobs["evaluate_svm@svhn"].work == paper["evaluate_svm@svhn"].work
    near = jobs["drop_duplicates@bedrooms"].seconds - paper["drop_duplicates@bedrooms"].seconds
    assert near == pytest.approx(304, rel=0.5)  # seconds of one core: docs/performance.md
    assert 2 * jobs["drop_duplicates@bedrooms"].seconds / 60 < jobs["drop_duplicates@bedrooms"].stage.runtime_minutes


def test_one_branch_alone_is_planned(root: Path) -> None:
    whole = cached_preset("small")
    branches = {"train": "svhn", "features": "svhn", "svm": "svhn"}
    values = {name: whole[name] for name in ("run", "shared", "report")} | OFF
    values |= {name: {key: whole[name][key]} for name, key in branches.items()}
    values["pack"] = whole["pack"] | {"sets": {"svhn": whole["pack"]["sets"]["svhn"]}}
    assumed: list[str] = []
    jobs = plan(root, values, RATES_TABLE, "none", 2, assumed)
    names = [job.stage.name for job in jobs if job.seconds > 0]
    assert {"pack_images@svhn", "train_dcgan@svhn", "extract_features@svhn", "evaluate_svm@svhn"} <= set(names)
    assert not [name for name in names if name.partition("@")[2] not in ("svhn", "")]
    assert [line.partition(":")[0] for line in assumed] == ["data/raw/svhn"]


def test_every_kind_of_stage_whose_work_grows_has_a_rule(root: Path) -> None:
    """A stage without one is taken for a few seconds; none of these asks for a GPU."""
    stages = {job.stage.name.partition("@")[0]: job.stage for job in preset_plan(root, "paper", "a100")}
    on_gpus = {kind for kind, stage in stages.items() if stage.gpu}
    assert {"train_dcgan", "extract_features"} <= on_gpus
    assert {kind for kind in on_gpus if not describe(kind).work} == set()


def test_k_means_takes_what_was_measured(root: Path) -> None:
    """21 ms of a core an image of CIFAR-10 at 4,800 centroids (docs/performance.md), within a factor of two."""
    (job,) = [job for job in preset_plan(root, "paper") if job.stage.name == "fit_kmeans@cifar10"]
    section = preset_params("paper").kmeans["cifar10"]
    assert section.centroids == 4800
    of_two_kinds = job.seconds * threads_of(job.stage, preset_params("paper"))
    assert 0.5 < of_two_kinds / 2 / job.work.images / 0.021 < 2


def test_the_papers_classifiers_have_the_memory_that_they_are_told_to_use(root: Path) -> None:
    params = preset_params("paper")
    for job in preset_plan(root, "paper"):
        group, _, key = job.stage.name.partition("@")
        if group == "evaluate_svm":
            assert job.stage.mem_mb > 1074 * params.svm[key].memory_gb + 2000


def test_paper_trains_on_as_many_images_as_published(root: Path) -> None:
    """Five epochs over what is left of 3,033,042 bedrooms; features of 50,000 + 10,000 images by 28,672."""
    work = {job.stage.name: job.work for job in preset_plan(root, "paper")}
    assert work["train_dcgan@bedrooms"].images == pytest.approx(5 * 2_758_000, rel=0.01)
    assert work["extract_features@cifar10"].written_bytes == 2 * 60_000 * 28_672 * 4
    assert sum(job.images for name, job in work.items() if name.startswith("export_lsun")) == pytest.approx(3_033_042)


def test_the_longest_chain_is_a_path_through_the_dag(root: Path) -> None:
    jobs = preset_plan(root, "demo")
    seconds, names = longest_chain(jobs)
    by_name = {job.stage.name: job for job in jobs}
    assert seconds == pytest.approx(sum(by_name[name].seconds for name in names))
    for before, after in zip(names, names[1:], strict=False):
        assert set(by_name[before].stage.outputs) & set(by_name[after].stage.inputs)


def test_the_longest_chain_the_cores_or_the_gpus_decide() -> None:
    """Two jobs of 10 s wait for one of 1 s; both take one of the GPUs, and two of the cores."""
    names = {"a": (1, 0, 1.0, []), "b": (2, 1, 10.0, ["a"]), "c": (2, 1, 10.0, ["a"])}
    jobs = [
        Job(Stage(name, "", "true", i, i, [], [name], {}, cores, gpus, 1, 1, False), Work(), seconds, cores, gpus)
        for name, (cores, gpus, seconds, i) in names.items()
    ]
    assert [least_seconds(jobs, cores, gpus) for cores, gpus in ((64, 8), (2, 8), (64, 1))] == [11, 20.5, 20]
    with pytest.raises(InputError, match="asks for 1 GPUs, and there are 0"):
        least_seconds(jobs, 64, 0)


def test_a_job_s_share_of_its_memory_is_that_of_all_its_processes() -> None:
    """As is what it asks for: each of three takes 300 of 1,000 MB. Its minutes are half of those that it asks for."""
    stage = Stage("a", "", "true", [], [], {}, [], {}, 3, 3, 1000, 2, False, processes=3)
    row = by_kind([Job(stage, Work(), 60.0, 3, 3, process_mb=300.0)]).loc["a"]
    assert (row["of memory"], row["of time"], row["MB"]) == (0.9, 0.5, 300)


def test_sets_are_as_large_as_their_sources_say(root: Path) -> None:
    """MNIST of the demo has a quarter as many digits for the test as for training; SVHN's 1,000 for validation are of
    the latter.
    """
    params = cached_preset("demo")
    work = {job.stage.name: job.work for job in preset_plan(root, "demo")}
    digits = params["demo"]["digits"]
    assert work["pack_images@mnist"].images == work["pack_images@svhn"].images == 1.25 * digits
    assert work["pack_images@mnist"].written_bytes == 1.25 * digits * 28 * 28


def test_a_gpu_or_source_that_nobody_knows_is_an_error(root: Path) -> None:
    with pytest.raises(InputError, match="one of none, a100"):
        preset_plan(root, "paper", "abacus")
    with pytest.raises(InputError, match="sources has no 'data/raw/bedroom_train_lmdb'"):
        plan(root, cached_preset("paper"), {**RATES_TABLE, "sources": {}}, "none", 1)


def test_what_is_printed_names_sums_and_rates(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    monkeypatch.setattr("workflow.planning.plan.MEASURED", root / "no such file")
    main(["--preset", "paper", "--gpu", "a100", "--gpus", "4", "--cores", "64"])
    printed = capsys.readouterr().out
    for part in (
        "train_dcgan",
        "core-hours",
        "GPU-hours",
        "GB on the disk",
        "longest chain",
        "64 cores and 4 GPUs",
        "not measured",
        "GFLOP/s",
    ):
        assert part in printed
