"""What a stage reads of params.yaml is what dvc.yaml says it depends on: else a change of a key makes nothing stale."""

from collections import defaultdict
from collections.abc import Callable

import pytest

from tests.dag.demo import DEMO
from tests.dag.reads import recording, undeclared, unread, written_at
from tests.dag.world import World
from workflow.engines import dag
from workflow.engines.options import section_named
from workflow.params.load import load_params
from workflow.params.sections import Params


@pytest.mark.slow
def test_every_key_that_a_stage_reads_is_declared_and_every_declared_key_is_read(every_stage: World) -> None:
    """A stage may read a key under conditions only; so one of its kind has to read what they declare."""
    stages, read = dag.resolve(every_stage.folder), every_stage.read
    assert stages.keys() == read.keys()
    missing = {name: undeclared(read[name], stage.parameters) for name, stage in stages.items()}
    assert {name: keys for name, keys in missing.items() if keys} == {}, "dvc.yaml does not declare what these read"
    of_kind: dict[str, set[str]] = defaultdict(set)
    for name, keys in read.items():
        of_kind[name.partition("@")[0]] |= keys
    in_vain = {name: unread(of_kind[name.partition("@")[0]], stage.parameters) for name, stage in stages.items()}
    assert {name: keys for name, keys in in_vain.items() if keys} == {}, "dvc.yaml declares what these do not read"


def of_a_section_by_name(params: Params) -> object:
    return params.train["svhn"].epochs


def of_a_local_name(params: Params) -> object:
    section = section_named(params.train, "svhn", "train")
    return section.epochs


def of_a_section_within(params: Params) -> object:
    return params.train["svhn"].watch.intervals


def of_a_dump(params: Params) -> object:
    return params.train["svhn"].model_dump(include={"epochs", "held_out"})


def of_a_dump_by_the_names_of_another(params: Params) -> object:
    return params.guidelines.model_dump(include=set(params.train["svhn"].model_dump(include={"epochs", "latent"})))


def of_all_but(params: Params) -> object:
    return params.quality.model_dump(exclude={"inception"}), params.report.model_dump(exclude={"title"})


def of_a_copy(params: Params) -> object:
    return params.quality.model_copy()


def of_names(params: Params) -> object:
    return list(params.train)


def of_a_list(params: Params) -> object:
    return len(params.export.shards)


@pytest.mark.parametrize(
    ("stage", "read"),
    [
        (of_a_section_by_name, {"train.svhn.epochs"}),
        (of_a_local_name, {"train.svhn.epochs"}),
        (of_a_section_within, {"train.svhn.watch.intervals"}),
        (of_a_dump, {"train.svhn.epochs", "train.svhn.held_out"}),
        (of_a_dump_by_the_names_of_another, {"train.svhn.epochs", "train.svhn.latent", "guidelines.epochs"}),
        (of_all_but, {"quality.draws", "quality.sets", "report.max_megabytes"}),
        (of_a_copy, {"quality.draws", "quality.inception", "quality.sets"}),
        (of_names, {"train"}),
        (of_a_list, {"export.shards"}),
    ],
)
def test_a_key_is_seen_however_it_is_read(stage: Callable[[Params], object], read: set[str]) -> None:
    with recording() as recorder:
        stage(recorder.watch(load_params(DEMO)))
    assert recorder.read == read


def test_a_key_counts_where_it_is_written() -> None:
    content = {
        "shared": {"train": {"epochs": 9, "beta1": 0.5, "keep_images": None, "watch": {"intervals": 20}}},
        "train": {"svhn": {"epochs": 3, "watch": {"action": "stop"}}},
        "run": {"seed": 1},
    }
    assert written_at("train.svhn.epochs", content) == {"train.svhn.epochs"}
    assert written_at("train.svhn.beta1", content) == {"shared.train.beta1"}
    assert written_at("train.svhn.keep_images", content) == {"shared.train.keep_images"}
    assert written_at("train.svhn.watch.intervals", content) == {"shared.train.watch.intervals"}
    assert written_at("train.svhn.watch", content) == {"train.svhn.watch", "shared.train.watch"}
    assert {place for key in ("train", "train.svhn", "run.seed") for place in written_at(key, content)} == {
        *("train", "train.svhn", "run.seed")
    }


def test_reads_that_are_not_declared_are_named_and_so_is_what_is_declared_in_vain() -> None:
    declared = ["run.seed", "train.svhn.held_out", "quality"]
    assert undeclared({"run.seed", "train.svhn.held_out", "quality.inception"}, declared) == set()
    assert undeclared({"run.threads", "run.device"}, declared) == set()
    assert undeclared({"train.svhn.epochs", "train.svhn", "train", "run.seeds"}, declared) == {
        *("train.svhn.epochs", "train.svhn", "train", "run.seeds")
    }
    assert unread({"run.seed", "train.svhn"}, declared) == {"quality"}


def test_what_was_read_before_and_what_others_read_does_not_count() -> None:
    params, other = load_params(DEMO), load_params(DEMO)
    assert params.report.title
    with recording() as recorder:
        recorder.watch(params)
        assert other.report.title
    assert params.report.title and recorder.read == set()
