"""Snakemake, which looks at its jobs on Slurm as often as `--seconds-between-status-checks` says.

By itself the plugin looks ten seconds later each time that no job has ended, up to three minutes. A test's jobs take
seconds, and some of them stand still for minutes, so the ends of these would be seen late.
"""

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor


def seconds_asked_for(executor: RemoteExecutor) -> int:
    """How long to wait until the next look."""
    seconds: int = executor.workflow.remote_execution_settings.seconds_between_status_checks
    return seconds


RemoteExecutor.next_seconds_between_status_checks = property(seconds_asked_for, lambda executor, seconds: None)

if __name__ == "__main__":
    main()
