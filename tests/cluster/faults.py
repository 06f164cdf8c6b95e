"""What people do on a cluster and what goes wrong there, each a case with its end.

A case works in a copy of a finished checkout in which one training has to be made, and is caught at work. No case needs
the cluster to itself, so they go on side by side.
"""

import os
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.cluster.slurm import PATIENCE_SECONDS, Cluster, wait_for
from tests.cluster.sweeps import KEY, LOSS, Sweep
from tests.cluster.training import (
    ASIDE,
    PROFILE,
    SIDE,
    SOONER,
    STAGE,
    CaughtTraining,
    has_reached,
    thaw,
    with_longer_training,
)
from tests.dag.reliability import fault
from tests.dag.tiny import digests_of
from workflow.engines import dag


class Faults:
    """Copies of the checkout in which one training job is caught, and the bytes that it has to end with."""

    def __init__(
        self,
        folder: Path,
        finished: Path,
        cluster: Cluster,
        environment: dict[str, str],
        threads: ThreadPoolExecutor,
    ) -> None:
        self.folder, self.finished, self.cluster, self.environment = folder, finished, cluster, environment
        self.stage = dag.resolve(finished)[STAGE]
        self.expected = {processes: threads.submit(self.undisturbed, processes) for processes in (1, 2)}

    def undisturbed(self, processes: int) -> dict[str, str]:
        """Digests of what the training leaves in so many processes when nothing happens to it."""
        folder = self.copy(f"undisturbed_{processes}", processes)
        subprocess.run(self.stage.command, shell=True, cwd=folder, env=self.environment, check=True)
        return digests_of(folder, self.stage.outputs)

    def copy(self, name: str, processes: int = 1) -> Path:
        """A copy of the finished checkout whose training of the bedrooms is not current."""
        folder = self.folder / name
        shutil.copytree(self.finished, folder, symlinks=True)
        with_longer_training(folder, processes)
        for output in self.stage.outputs:
            shutil.rmtree(folder / output) if dag.is_folder(output) else (folder / output).unlink()
        return folder

    def catch(self, name: str, *options: str) -> CaughtTraining:
        """A training job that has begun in a copy of its own."""
        return CaughtTraining(self.copy(name), self.cluster, self.environment, *options)

    def assert_went_on(self, training: CaughtTraining, processes: int = 1) -> None:
        """The last job took up a checkpoint, and ended with the bytes of an undisturbed one."""
        assert training.images_taken_up() > 0
        self.assert_same_bytes(training, processes)

    def assert_same_bytes(self, training: CaughtTraining, processes: int = 1) -> None:
        """What the training left is what an undisturbed one leaves, and no checkpoint stays behind."""
        assert digests_of(training.folder, self.stage.outputs) == self.expected[processes].result()
        assert training.checkpoints() == []


@fault(
    "a job step is killed (-9)",
    "sent again, goes on from its checkpoint, same bytes",
    "0",
    "training",
)
def case_step_killed(faults: Faults) -> None:
    """A killed job step is sent again, and the second job goes on from the checkpoint of the first."""
    training = faults.catch("step_killed")
    training.freeze()
    faults.cluster.ask("scancel", "--signal=KILL", f"{training.running_job()}.0")
    printed = training.finish()
    assert "Trying to restart job" in printed
    assert [job["JobState"] for job in training.jobs()] == ["FAILED", "COMPLETED"]
    faults.assert_went_on(training)


@fault(
    "a job's time is nearly up",
    "on Slurm's warning it writes a checkpoint and ends; sent again it goes on, same bytes",
    "75",
    "training",
)
def case_time_limit(faults: Faults) -> None:
    """Slurm's warning reaches the process that trains, which stops with a checkpoint; a second job goes on from it."""
    training = faults.catch("time_limit", *ASIDE, f"{STAGE}:slurm_extra='--signal=USR1@300'")
    trainers, job = training.freeze(), training.running_job()
    # Until here the machine may have taken any time. With less than five minutes left the warning is due at once, which
    # Slurm sees within half a minute; the rest is there for a machine that stands still for a while.
    minutes = int(training.seconds_since_start() // 60) + 5
    faults.cluster.ask("scontrol", "update", f"JobId={job}", f"TimeLimit={minutes}")
    wait_for("Slurm's warning", lambda: has_reached(trainers, signal.SIGUSR1), 150)
    thaw(trainers)
    log = training.folder / "logs" / f"{STAGE}.log"
    wait_for("stopped", lambda: "the next start goes on from there" in log.read_text())
    training.finish()
    assert [job["JobState"] for job in training.jobs()] == ["FAILED", "COMPLETED"]
    faults.assert_went_on(training)


@fault(
    "the same, for two processes",
    "both stop with one checkpoint; sent again they go on, same bytes",
    "75",
    "training",
)
def case_two_processes(faults: Faults) -> None:
    """Two processes share each batch in one job with two cores and two GPUs; a warning stops both, a second goes on."""
    aside = ("--set-resources", f"{STAGE}:slurm_partition={SIDE}")
    training = CaughtTraining(faults.copy("two_processes", 2), faults.cluster, faults.environment, *aside)
    trainers, job = training.freeze(), training.running_job()
    assert len(trainers) == 2
    faults.cluster.ask("scancel", "--signal=USR1", job)
    wait_for("a signal for both", lambda: has_reached(trainers, signal.SIGUSR1))
    thaw(trainers)
    training.finish()
    assert [(job["JobState"], job["NumCPUs"]) for job in training.jobs()] == [("FAILED", "2"), ("COMPLETED", "2")]
    assert {job["TresPerJob"] for job in training.jobs()} == {"gres:gpu:2"}
    faults.assert_went_on(training, processes=2)


@fault(
    "a job takes more memory than it asked for",
    "killed: `exceeded memory limit` in `logs/slurm/`; sent again with twice the memory, same bytes",
    "0",
    "training",
)
def case_too_little_memory(faults: Faults) -> None:
    """A job over its memory is killed and sent again with twice as much; Slurm's log says why."""
    folder = faults.copy("memory")
    dag_text = (folder / "dvc.yaml").read_text()
    before, at, after = dag_text.partition("\n  train_dcgan:\n")
    (folder / "dvc.yaml").write_text(before + at + after.replace("mem_mb: 8000", "mem_mb: 600", 1))
    training = CaughtTraining(folder, faults.cluster, faults.environment)
    training.finish()
    first, second = training.jobs()
    assert [job["MinMemoryNode"] for job in (first, second)] == ["600M", "1200M"]
    assert first["JobState"] != "COMPLETED"
    assert "exceeded memory limit" in Path(first["StdOut"]).read_text()
    faults.assert_same_bytes(training)


@fault(
    "Ctrl-C in Snakemake while it has a job",
    "the job is cancelled, the lock is free; started again, it goes on, same bytes",
    "not 0",
    "training",
)
def case_interrupted(faults: Faults) -> None:
    """Ctrl-C cancels the job and frees the lock; the next start goes on from the checkpoint."""
    training = faults.catch("interrupted")
    training.freeze()
    os.killpg(training.snakemake.pid, signal.SIGINT)
    assert training.snakemake.wait(PATIENCE_SECONDS) != 0
    wait_for("cancelled", lambda: [job["JobState"] for job in training.jobs()] == ["CANCELLED"], pause=1.0)
    training.start()
    training.finish()
    faults.assert_went_on(training)


@fault(
    "Snakemake is killed (-9) while it has a job",
    "its lock and job stay; after `scancel` and `snakemake --unlock` it goes on, same bytes",
    "not 0",
    "training",
)
def case_snakemake_killed(faults: Faults) -> None:
    """A killed Snakemake leaves its lock and its job: docs/clusters.md says how to go on, and it works."""
    training = faults.catch("snakemake_killed")
    training.freeze()
    os.killpg(training.snakemake.pid, signal.SIGKILL)
    training.snakemake.wait(PATIENCE_SECONDS)
    job = training.running_job()
    training.start()
    assert training.snakemake.wait(PATIENCE_SECONDS) != 0
    assert "--unlock" in training.printed.read_text()

    faults.cluster.ask("scancel", job)
    wait_for("cancelled", lambda: [job["JobState"] for job in training.jobs()] == ["CANCELLED"], pause=1.0)
    subprocess.run(["snakemake", "--unlock"], cwd=training.folder, env=faults.environment, check=True)
    training.start()
    training.finish()
    faults.assert_went_on(training)


def case_sweep(faults: Faults) -> None:
    """A sweep: experiments as jobs of their own, and one whose stages are; `dvc exp show` has them all."""
    folder = faults.folder / "sweep"
    shutil.copytree(faults.finished, folder, symlinks=True)
    sweep = Sweep(folder, faults.cluster, faults.environment)
    sweep.wait([sweep.submit(rate) for rate in (0.0001, 0.0004)])
    sweep.in_a_clone(0.0008, *PROFILE, *SOONER)
    shown = sweep.shown()
    assert {name: float(row[KEY]) for name, row in shown.items()} == {
        f"rate-{rate}": rate for rate in (0.0001, 0.0004, 0.0008)
    }
    assert len({row[LOSS] for row in shown.values()}) == 3


CASES = (
    case_step_killed,
    case_time_limit,
    case_too_little_memory,
    case_two_processes,
    case_interrupted,
    case_snakemake_killed,
)
