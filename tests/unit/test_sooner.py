"""How often the cluster's tests look at their jobs, as far as it shows without Slurm."""

import subprocess
import sys
from pathlib import Path

LOOKS = """
from types import SimpleNamespace
from snakemake_executor_plugin_slurm import Executor
executor = object.__new__(Executor)
executor._next_seconds_between_status_checks = None
executor.workflow = SimpleNamespace(remote_execution_settings=SimpleNamespace(seconds_between_status_checks=2))
for _ in range(3):  # what the plugin does when no job has ended
    executor.next_seconds_between_status_checks = min(executor.next_seconds_between_status_checks + 10, 180)
    print(executor.next_seconds_between_status_checks)
"""


def looks(preparation: str) -> list[str]:
    """The seconds until each look, in a Python of its own, as the preparation holds for the whole process."""
    command = [sys.executable, "-c", f"import snakemake.cli\n{preparation}\n{LOOKS}"]
    root = Path(__file__).parents[2]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split()


def test_the_next_look_is_as_soon_as_it_was_asked_for() -> None:
    assert looks("import tests.cluster.sooner") == ["2", "2", "2"]


def test_the_plugin_alone_would_look_ever_later() -> None:
    """If not, tests/cluster/sooner.py can go."""
    assert looks("") == ["12", "22", "32"]
