"""The DAG on a real Slurm cluster, and what becomes of it when things go wrong.

One cluster, and one run of the DAG in a fresh clone beside a run without a cluster. Faults happen to copies of the
latter, while the former is at work: `tests/cluster/faults.py`.
"""

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.faults import CASES, Faults, case_sweep
from tests.cluster.slurm import GPUS, Cluster
from tests.cluster.training import FURTHER, PROFILE, SOONER, STAGE, CaughtTraining, thaw
from tests.dag.conftest import SECRET, files_with, tiny_checkout
from tests.dag.reliability import fault
from tests.dag.tiny import digests
from workflow.engines import dag

pytestmark = pytest.mark.slow
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadPoolExecutor]:
    """Everything goes on side by side: most of its time is waiting for Slurm, and for Snakemake to look again."""
    with ThreadPoolExecutor(16) as threads:
        yield threads


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, threads: ThreadPoolExecutor, run: Run) -> Future[Path]:
    """A fresh clone of the project after a run without a cluster, which Snakemake takes as its own."""
    commands = (("python", "-m", "tests.dag.tiny"), ("snakemake", "--touch", "--forceall", "--cores", "1"))
    return threads.submit(checkout_after, tmp_path_factory.mktemp("here"), run, *commands)


@pytest.fixture(scope="module")
def on_cluster(
    tmp_path_factory: pytest.TempPathFactory, cluster: Cluster, threads: ThreadPoolExecutor, run: Run
) -> Future[Path]:
    """A fresh clone of the project after a run of the whole DAG on the cluster."""
    return threads.submit(checkout_after, tmp_path_factory.mktemp("cluster"), run, (*PROFILE, *SOONER))


def checkout_after(folder: Path, run: Run, *commands: tuple[str, ...]) -> Path:
    """A fresh clone of the project in which commands have run."""
    checkout = folder / "checkout"
    run(folder, "git", "clone", "--quiet", str(tiny_checkout(folder / "origin", FURTHER)), str(checkout))
    for command in commands:
        run(checkout, *command)
    return checkout


@pytest.fixture(scope="module")
def whole_run(on_cluster: Future[Path], cluster: Cluster) -> list[dict[str, str]]:
    """The jobs of the run, as Slurm remembers them."""
    folder = on_cluster.result()
    return [job for job in cluster.jobs() if job["WorkDir"] == str(folder)]


@pytest.mark.usefixtures("outcomes", "frozen")
def test_the_whole_dag_gives_the_same_bytes_as_without_a_cluster(
    on_cluster: Future[Path], here: Future[Path], root: Path
) -> None:
    ours, theirs = digests(on_cluster.result()), digests(here.result())
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []
    assert kinds_of_stages(on_cluster.result()) == kinds_of_stages(root)


def kinds_of_stages(folder: Path) -> set[str]:
    """Names of stages without their keys and shards."""
    return {name.partition("@")[0] for name in dag.resolved_stages(folder)}


def test_every_stage_and_every_shard_is_a_job_of_its_own(
    on_cluster: Future[Path], whole_run: list[dict[str, str]]
) -> None:
    stages = dag.resolved_stages(on_cluster.result()).values()
    assert sorted(job["Comment"] for job in whole_run) == sorted(
        f"rule_{stage.name}" for stage in stages if not stage.local
    )
    assert {"export_lsun@0", "export_lsun@1", "encode_images@1", "crop_faces@1", "search_supervised_cnn@1"} <= {
        stage.name for stage in stages
    }


def test_gpu_stages_ask_for_the_gpu_and_queue_for_it(on_cluster: Future[Path], whole_run: list[dict[str, str]]) -> None:
    stages = {f"rule_{stage.name}": stage for stage in dag.resolved_stages(on_cluster.result()).values()}
    for job in whole_run:
        assert ("gpu" in job.get("TresPerJob", "")) == (stages[job["Comment"]].gpu > 0), job["Comment"]
    with_gpu = [job for job in whole_run if "gpu" in job.get("TresPerJob", "")]
    assert len(with_gpu) > 10
    assert max(len(at_work(with_gpu, job["StartTime"])) for job in with_gpu) == GPUS
    waited = [job for job in with_gpu if len(at_work(with_gpu, job["EligibleTime"], besides=job)) == GPUS]
    assert waited, "some could have begun but for the GPUs that others had"


def at_work(jobs: list[dict[str, str]], moment: str, besides: dict[str, str] | None = None) -> list[dict[str, str]]:
    """The jobs that run at a moment; Slurm's times are text that sorts as they do."""
    return [job for job in jobs if job is not besides and job["StartTime"] <= moment < job["EndTime"]]


def test_every_job_has_readable_logs(on_cluster: Future[Path], whole_run: list[dict[str, str]]) -> None:
    """Where README says: what a stage says in logs/<stage>.log, what Slurm says of the job beside it."""
    logs, stages = on_cluster.result() / "logs", dag.resolved_stages(on_cluster.result()).values()
    assert {path.stem for path in logs.glob("*.log")} == {stage.name for stage in stages}
    assert "train bedrooms" in (logs / f"{STAGE}.log").read_text()
    for job in whole_run:
        assert (logs / "slurm" / job["Comment"] / f"{job['JobId']}.log").stat().st_size > 0


@fault("a secret in the environment", "it stands in no file, logs of jobs included", "0", "both engines, Slurm")
def test_a_secret_of_the_environment_is_in_no_file_of_a_run_on_a_cluster(
    on_cluster: Future[Path], environment: dict[str, str]
) -> None:
    assert environment["SERVICE_TOKEN"] == SECRET
    folder = on_cluster.result()
    assert {"logs", "results", ".snakemake"} <= {path.name for path in folder.iterdir()}
    assert files_with(SECRET, folder) == []


@pytest.fixture(scope="module")
def faults(
    tmp_path_factory: pytest.TempPathFactory,
    here: Future[Path],
    cluster: Cluster,
    environment: dict[str, str],
    threads: ThreadPoolExecutor,
) -> Future[Faults]:
    folder = tmp_path_factory.mktemp("faults")
    return threads.submit(lambda: Faults(folder, here.result(), cluster, environment, threads))


@pytest.fixture(scope="module")
def outcomes(
    faults: Future[Faults], threads: ThreadPoolExecutor, request: pytest.FixtureRequest
) -> dict[str, Future[None]]:
    """Every case that is to run, by name."""
    wanted = " ".join(item.name for item in request.session.items)
    cases = [case for case in (*CASES, case_sweep) if case.__name__ in wanted]
    return {case.__name__: threads.submit(lambda case=case: case(faults.result())) for case in cases}


@pytest.mark.parametrize("case", CASES, ids=[case.__name__ for case in CASES])
def test_what_becomes_of_jobs(outcomes: dict[str, Future[None]], case: Callable[[Faults], None]) -> None:
    outcomes[case.__name__].result()


def test_case_sweep(outcomes: dict[str, Future[None]]) -> None:
    outcomes["case_sweep"].result()


@pytest.fixture(scope="module")
def frozen(
    faults: Future[Faults], threads: ThreadPoolExecutor, request: pytest.FixtureRequest
) -> Future[tuple[CaughtTraining, list[int]]] | None:
    """A training job that stands still until the cluster's daemons may be killed, if that test is to run."""

    def freeze() -> tuple[CaughtTraining, list[int]]:
        training = faults.result().catch("slurmd")
        return training, training.freeze()

    wanted = any(item.name == test_a_job_survives_the_death_of_slurmd.__name__ for item in request.session.items)
    return threads.submit(freeze) if wanted else None


@pytest.fixture
def quiet(faults: Future[Faults], outcomes: dict[str, Future[None]]) -> Faults:
    """When nobody else needs the cluster's daemons any more."""
    for outcome in outcomes.values():
        outcome.exception()
    return faults.result()


@fault("slurmd dies and comes back", "the job survives, same bytes", "0", "training")
def test_a_job_survives_the_death_of_slurmd(quiet: Faults, frozen: Future[tuple[CaughtTraining, list[int]]]) -> None:
    training, trainers = frozen.result()
    quiet.cluster.kill("slurmd.second")
    quiet.cluster.start_node("second")
    thaw(trainers)
    training.finish()
    assert [job["JobState"] for job in training.jobs()] == ["COMPLETED"]
    quiet.assert_same_bytes(training)


@fault(
    "there is no controller",
    "every submission fails: `Unable to contact slurm controller`",
    "not 0",
    "`snakemake --profile slurm --retries 0`",
)
def test_without_a_controller_submissions_fail(quiet: Faults, run: Run) -> None:
    """Last, since it takes the controller away."""
    quiet.cluster.kill("slurmctld", signal.SIGTERM)
    finished = run(quiet.copy("controller"), *PROFILE, *SOONER, "--retries", "0", STAGE, status=None)
    assert finished.returncode != 0
    assert "Unable to contact slurm controller" in finished.stdout + finished.stderr
