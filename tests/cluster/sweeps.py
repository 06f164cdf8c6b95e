"""The two ways in which docs/experiments.md makes jobs of Slurm out of experiments."""

import csv
import io
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ruamel.yaml import YAML

from tests.cluster.slurm import Cluster, wait_for
from tests.cluster.training import SIDE
from tests.dag.conftest import commit_everything
from workflow.params.load import read_yaml

SECONDS = 900.0
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL"}
NETWORK = "mnist"
KEY, TARGET = f"train.{NETWORK}.learning_rate", f"train_dcgan@{NETWORK}"
LOSS = f"results/metrics/train_{NETWORK}.json:g_loss"


class Sweep:
    """A checkout whose results DVC knows and git has, from which experiments start."""

    def __init__(self, folder: Path, cluster: Cluster, environment: Mapping[str, str]) -> None:
        self.folder, self.cluster = folder, cluster
        self.environment = {**environment, "DCGAN_STATE": str(folder / ".state")}
        self.run(folder, sys.executable, "-m", "workflow.engines.record", "snakemake")
        commit_everything(folder)

    def run(self, folder: Path, *command: str) -> str:
        """What a command says; an AssertionError with it where the command fails."""
        done = subprocess.run(
            command, cwd=folder, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert done.returncode == 0, f"{' '.join(command)}: status {done.returncode}\n{done.stdout}"
        return done.stdout

    def submit(self, rate: float) -> str:
        """One job that is a whole experiment; returns its number."""
        experiment = f"dvc --wait-for-lock exp run --temp -n rate-{rate} -S {KEY}={rate} {TARGET}"
        options = [f"--partition={SIDE}", "--mem=4G", "--time=60", f"--output={self.folder}/rate-{rate}.log"]
        return self.run(self.folder, "sbatch", "--parsable", *options, "--wrap", experiment).strip()

    def wait(self, numbers: Sequence[str]) -> None:
        """Until jobs have ended, which has to be well."""

        def states() -> dict[str, str]:
            return {job["JobId"]: job["JobState"] for job in self.cluster.jobs() if job["JobId"] in numbers}

        wait_for("experiments at their end", lambda: set(states().values()) <= ENDED, SECONDS, pause=2.0)
        printed = [path.read_text() for path in self.folder.glob("rate-*.log")]
        assert states() == dict.fromkeys(numbers, "COMPLETED"), "\n".join(printed)

    def in_a_clone(self, rate: float, *snakemake: str) -> None:
        """One experiment whose stages are jobs of their own, in a clone; its result comes back."""
        clone = self.folder.with_name(f"{self.folder.name}-{rate}")
        self.run(self.folder.parent, "git", "clone", "-q", str(self.folder), str(clone))
        self.run(clone, "dvc", "cache", "dir", "--local", str(self.folder / ".dvc/cache"))
        self.run(clone, "dvc", "checkout")
        self.run(clone, sys.executable, "-m", "workflow.engines.record", "dvc")
        params = read_yaml(clone / "params.yaml")
        params["train"][NETWORK]["learning_rate"] = rate
        YAML(typ="safe").dump(params, clone / "params.yaml")
        self.run(clone, *snakemake)
        self.run(clone, sys.executable, "-m", "workflow.engines.record", "snakemake")
        self.run(clone, "dvc", "exp", "save", "-n", f"rate-{rate}")
        self.run(clone, "dvc", "exp", "push", "--no-cache", "origin", f"rate-{rate}")

    def shown(self) -> dict[str, dict[str, str]]:
        """The rows of `dvc exp show` by name."""
        table = csv.DictReader(io.StringIO(self.run(self.folder, "dvc", "exp", "show", "--csv")))
        return {row["Experiment"]: row for row in table if row["Experiment"]}
