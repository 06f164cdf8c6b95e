"""One cluster and one run of the DAG on it, shared by all tests of this folder."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.cluster.slurm import Cluster, reason_to_skip
from tests.dag.conftest import environment as environment
from tests.dag.conftest import root as root
from tests.dag.conftest import run as run


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A real Slurm of two nodes on loopback."""
    reason = reason_to_skip()
    if reason is not None:
        pytest.skip(reason)
    cluster = Cluster()
    try:
        try:
            cluster.start()
        except (subprocess.SubprocessError, OSError, AssertionError) as error:
            pytest.fail(f"Slurm's daemons do not come up here: {error} ({cluster.last_words()})")
        yield cluster
    finally:
        cluster.stop()
