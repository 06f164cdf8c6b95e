"""How often the cluster's tests look at their jobs, as far as it shows without Slurm."""

import subprocess
import sys
from pathlib import Path

LOOKS = """
from types import SimpleNamespace
import tests.cluster.sooner
from snakemake_executor_plugin_slurm import Executor
executor = object.__new__(Executor)
executor.workflow = SimpleNamespace(remote_execution_settings=SimpleNamespace(seconds_between_status_checks=2))
for _ in range(3):  # what the plugin does when no job has ended
    executor.next_seconds_between_status_checks = min(executor.next_seconds_between_status_checks + 10, 180)
    print(executor.next_seconds_between_status_checks)
"""


def test_the_next_look_is_as_soon_as_it_was_asked_for() -> None:
    """In a Python of its own, as tests/cluster/sooner.py changes Snakemake for the whole process."""
    command = [sys.executable, "-c", LOOKS]
    root = Path(__file__).parents[2]
    printed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["2", "2", "2"]
