"""The DAG on a real Slurm cluster, and what becomes of it when things go wrong.

One cluster, and one run of the DAG in a clean checkout beside a run without a cluster. Faults happen to copies of the
latter in which only the training of the bedrooms has to be made: `tests/cluster/training.py`.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.slurm import PATIENCE_SECONDS, Cluster, wait_for
from tests.cluster.training import (
    PROFILE,
    RULE,
    SOONER,
    STAGE,
    WITHOUT_GPU,
    CaughtTraining,
    has_pending,
    thaw,
    with_longer_training,
)
from tests.dag.conftest import tiny_checkout
from tests.dag.tiny import digests, digests_of
from workflow import dag
from workflow.params import read_yaml

pytestmark = pytest.mark.slow
Run = Callable[..., Any]
FURTHER = read_yaml(Path(__file__).with_name("small.yaml"))


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadPoolExecutor]:
    """Everything goes on side by side: most of its time is waiting for Slurm, and for Snakemake to look again."""
    with ThreadPoolExecutor(16) as threads:
        yield threads


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, threads: ThreadPoolExecutor, run: Run) -> Future[Path]:
    """A clean copy of the project after a run without a cluster."""
    return threads.submit(checkout_after, tmp_path_factory.mktemp("here"), run, "snakemake", "--cores", "2")


@pytest.fixture(scope="module")
def on_cluster(
    tmp_path_factory: pytest.TempPathFactory, cluster: Cluster, threads: ThreadPoolExecutor, run: Run
) -> Future[Path]:
    """A clean copy of the project after a run of the whole DAG on the cluster."""
    return threads.submit(checkout_after, tmp_path_factory.mktemp("cluster"), run, *PROFILE, *SOONER)


def checkout_after(folder: Path, run: Run, *command: str) -> Path:
    """A clean copy of the project in which a command has run."""
    checkout = tiny_checkout(folder / "checkout", FURTHER)
    run(checkout, *command)
    return checkout


@pytest.fixture(scope="module")
def whole_run(on_cluster: Future[Path], cluster: Cluster) -> list[dict[str, str]]:
    """The jobs of the run, as Slurm remembers them."""
    folder = on_cluster.result()
    return [job for job in cluster.jobs() if job["WorkDir"] == str(folder)]


@pytest.mark.usefixtures("outcomes")
def test_the_whole_dag_gives_the_same_bytes_as_without_a_cluster(
    on_cluster: Future[Path], here: Future[Path], root: Path
) -> None:
    ours, theirs = digests(on_cluster.result()), digests(here.result())
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []
    assert kinds_of_stages(on_cluster.result()) == kinds_of_stages(root)


def kinds_of_stages(folder: Path) -> set[str]:
    """Names of stages without their keys and shards."""
    return {name.partition("@")[0] for name in dag.resolve(folder)}


def test_every_stage_and_every_shard_is_a_job_of_its_own(
    on_cluster: Future[Path], whole_run: list[dict[str, str]]
) -> None:
    stages = dag.resolve(on_cluster.result()).values()
    assert sorted(job["Comment"] for job in whole_run) == sorted(
        f"rule_{stage.rule}" for stage in stages if not stage.local
    )
    assert {"export_lsun@0", "export_lsun@1", "encode_images@1", "crop_faces@1", "search_supervised_cnn@1"} <= {
        stage.name for stage in stages
    }


def test_gpu_stages_ask_for_the_gpu_and_queue_for_it(on_cluster: Future[Path], whole_run: list[dict[str, str]]) -> None:
    stages = {f"rule_{stage.rule}": stage for stage in dag.resolve(on_cluster.result()).values()}
    for job in whole_run:
        assert ("gpu" in job.get("TresPerJob", "")) == (stages[job["Comment"]].gpu > 0), job["Comment"]
    with_gpu = sorted((job["StartTime"], job["EndTime"]) for job in whole_run if "gpu" in job.get("TresPerJob", ""))
    assert len(with_gpu) > 10
    assert all(end <= start for (_, end), (start, _) in pairwise(with_gpu)), "there is one GPU"


def test_every_job_has_readable_logs(on_cluster: Future[Path], whole_run: list[dict[str, str]]) -> None:
    """Where README says: what a stage says in logs/<rule>.log, what Slurm says of the job beside it."""
    logs, stages = on_cluster.result() / "logs", dag.resolve(on_cluster.result()).values()
    assert {path.stem for path in logs.glob("*.log")} == {stage.rule for stage in stages}
    assert "train bedrooms" in (logs / f"{RULE}.log").read_text()
    for job in whole_run:
        assert (logs / "slurm" / job["Comment"] / f"{job['JobId']}.log").stat().st_size > 0


class Faults:
    """Copies of the checkout in which one training job is caught, and the bytes that it has to end with."""

    def __init__(self, folder: Path, finished: Path, cluster: Cluster, environment: dict[str, str]) -> None:
        self.folder, self.finished, self.cluster, self.environment = folder, finished, cluster, environment
        self.stage = dag.resolve(finished)[STAGE]
        self.expected = {processes: self.undisturbed(processes) for processes in (1, 2)}

    def undisturbed(self, processes: int) -> dict[str, str]:
        """Digests of what the training leaves in so many processes when nothing happens to it."""
        folder = self.copy(f"undisturbed_{processes}", processes)
        subprocess.run(self.stage.command, shell=True, cwd=folder, env=self.environment, check=True)
        return digests_of(folder, self.stage.outputs)

    def copy(self, name: str, processes: int = 1) -> Path:
        """A copy of the finished checkout whose training of the bedrooms is not current."""
        folder = self.folder / name
        shutil.copytree(self.finished, folder, symlinks=True)
        with_longer_training(folder, FURTHER, processes)
        for output in self.stage.outputs:
            shutil.rmtree(folder / output) if dag.is_folder(output) else (folder / output).unlink()
        return folder

    def catch(self, name: str, *options: str) -> CaughtTraining:
        """A training job that has begun in a copy of its own."""
        return CaughtTraining(self.copy(name), self.cluster, self.environment, *options)

    def assert_same_bytes(self, training: CaughtTraining, processes: int = 1) -> None:
        """What the training left is what an undisturbed one leaves, and no checkpoint stays behind."""
        assert digests_of(training.folder, self.stage.outputs) == self.expected[processes]
        assert training.checkpoints() == []


@pytest.fixture(scope="module")
def faults(
    tmp_path_factory: pytest.TempPathFactory,
    here: Future[Path],
    cluster: Cluster,
    environment: dict[str, str],
    threads: ThreadPoolExecutor,
) -> Future[Faults]:
    folder = tmp_path_factory.mktemp("faults")
    return threads.submit(lambda: Faults(folder, here.result(), cluster, environment))


def case_step_killed(faults: Faults) -> None:
    """A killed job step is sent again, and the second job goes on from the checkpoint of the first."""
    training = faults.catch("step_killed")
    training.freeze()
    faults.cluster.ask("scancel", "--signal=KILL", f"{training.running_job()}.0")
    said = training.finish()
    assert "Trying to restart job" in said
    assert [job["JobState"] for job in training.jobs()] == ["FAILED", "COMPLETED"]
    faults.assert_same_bytes(training)


def case_time_limit(faults: Faults) -> None:
    """Slurm's warning reaches the process that trains, which stops with a checkpoint; a second job goes on from it."""
    training = faults.catch("time_limit", "--set-resources", WITHOUT_GPU, f"{RULE}:slurm_extra='--signal=USR1@60'")
    trainers, job = training.freeze(), training.running_job()
    # Until here the machine may have taken any time; Slurm counts minutes, and looks every half minute.
    minutes = int(training.seconds_since_start() // 60) + 2
    faults.cluster.ask("scontrol", "update", f"JobId={job}", f"TimeLimit={minutes}")
    wait_for("Slurm's warning", lambda: has_pending(trainers, signal.SIGUSR1), 150)
    thaw(trainers)
    log = training.folder / "logs" / f"{RULE}.log"
    wait_for("stopped", lambda: "the next start goes on from there" in log.read_text())
    training.finish()
    assert [job["JobState"] for job in training.jobs()] == ["FAILED", "COMPLETED"]
    faults.assert_same_bytes(training)


def case_too_little_memory(faults: Faults) -> None:
    """A job over its memory is killed and sent again with twice as much; Slurm's log says why."""
    folder = faults.copy("memory")
    dag_text = (folder / "dvc.yaml").read_text()
    before, at, after = dag_text.partition("\n  train_dcgan:\n")
    (folder / "dvc.yaml").write_text(before + at + after.replace("mem_mb: 16000", "mem_mb: 600", 1))
    training = CaughtTraining(folder, faults.cluster, faults.environment)
    training.finish()
    first, second = training.jobs()
    assert [job["MinMemoryNode"] for job in (first, second)] == ["600M", "1200M"]
    assert first["JobState"] != "COMPLETED"
    assert "exceeded memory limit" in Path(first["StdOut"]).read_text()
    faults.assert_same_bytes(training)


def case_two_processes(faults: Faults) -> None:
    """Two processes share each batch in one job with two cores; a warning stops both, and a second job goes on."""
    training = CaughtTraining(faults.copy("two_processes", 2), faults.cluster, faults.environment)
    trainers, job = training.freeze(), training.running_job()
    assert len(trainers) == 2
    faults.cluster.ask("scancel", "--signal=USR1", job)
    wait_for("a signal for both", lambda: has_pending(trainers, signal.SIGUSR1))
    thaw(trainers)
    training.finish()
    assert [(job["JobState"], job["NumCPUs"]) for job in training.jobs()] == [("FAILED", "2"), ("COMPLETED", "2")]
    faults.assert_same_bytes(training, processes=2)


def case_interrupted(faults: Faults) -> None:
    """Ctrl-C cancels the job and frees the lock; the next start goes on from the checkpoint."""
    training = faults.catch("interrupted")
    training.freeze()
    os.killpg(training.snakemake.pid, signal.SIGINT)
    assert training.snakemake.wait(PATIENCE_SECONDS) != 0
    wait_for("cancelled", lambda: [job["JobState"] for job in training.jobs()] == ["CANCELLED"])
    training.start()
    training.finish()
    faults.assert_same_bytes(training)


def case_snakemake_killed(faults: Faults) -> None:
    """A killed Snakemake leaves its lock and its job: docs/clusters.md says how to go on, and it works."""
    training = faults.catch("snakemake_killed")
    training.freeze()
    os.killpg(training.snakemake.pid, signal.SIGKILL)
    training.snakemake.wait(PATIENCE_SECONDS)
    job = training.running_job()
    training.start()
    assert training.snakemake.wait(PATIENCE_SECONDS) != 0
    assert "--unlock" in training.said.read_text()

    faults.cluster.ask("scancel", job)
    wait_for("cancelled", lambda: [job["JobState"] for job in training.jobs()] == ["CANCELLED"])
    subprocess.run(["snakemake", "--unlock"], cwd=training.folder, env=faults.environment, check=True)
    training.start()
    training.finish()
    faults.assert_same_bytes(training)


CASES = (
    case_step_killed,
    case_time_limit,
    case_too_little_memory,
    case_two_processes,
    case_interrupted,
    case_snakemake_killed,
)


@pytest.fixture(scope="module")
def outcomes(
    faults: Future[Faults], threads: ThreadPoolExecutor, request: pytest.FixtureRequest
) -> dict[str, Future[None]]:
    """Every case that was asked for."""
    chosen = {item.callspec.params.get("name") for item in request.session.items if hasattr(item, "callspec")}
    cases = [case for case in CASES if case.__name__ in chosen]
    return {case.__name__: threads.submit(lambda case=case: case(faults.result())) for case in cases}


@pytest.mark.parametrize("name", [case.__name__ for case in CASES])
def test_fault(outcomes: dict[str, Future[None]], name: str) -> None:
    outcomes[name].result()


@pytest.fixture
def quiet(faults: Future[Faults], outcomes: dict[str, Future[None]]) -> Faults:
    """When nobody else needs the cluster's daemons any more."""
    for outcome in outcomes.values():
        outcome.exception()
    return faults.result()


def test_a_job_survives_the_death_of_slurmd(quiet: Faults) -> None:
    training = quiet.catch("slurmd")
    trainers = training.freeze()
    quiet.cluster.kill("slurmd")
    quiet.cluster.start_node()
    thaw(trainers)
    training.finish()
    assert [job["JobState"] for job in training.jobs()] == ["COMPLETED"]
    quiet.assert_same_bytes(training)


def test_without_a_controller_it_is_said_that_there_is_none(quiet: Faults, run: Run) -> None:
    """Last, since it takes the controller away."""
    quiet.cluster.kill("slurmctld", signal.SIGTERM)
    finished = run(quiet.copy("controller"), *PROFILE, *SOONER, RULE, status=None)
    assert finished.returncode != 0
    assert "Unable to contact slurm controller" in finished.stdout + finished.stderr
