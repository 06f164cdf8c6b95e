"""Two processes that share each batch on two CUDA devices: `python -m tests.shared_training PATH [simulated]`.

The first one writes the state of the training after four minibatches, safetensors.
"""

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from dcgan.core.distributed import Group, join_group, leave_group
from dcgan.core.tensor_files import write_tensors
from dcgan.data.minibatches import Batches
from dcgan.training.adversarial import AdversarialTraining
from tests.simulated_gpu.simulation import any_gpu
from tests.unit.test_adversarial import SETTINGS, SMALLEST

MINIBATCHES = 4
ROOT = Path(__file__).parents[1]


def trained(device: torch.device, group: Group) -> dict[str, Tensor]:
    """The state after some minibatches."""
    pixels = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3), np.uint8)
    training = AdversarialTraining(SMALLEST, replace(SETTINGS, synchronised_norm=True), device, group)
    batches = Batches(pixels, None, np.arange(64), 8, 7, device, group)
    for number in range(MINIBATCHES):
        training.step(*batches.batch(number))
    return training.state()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def run_two_processes(path: Path, *simulated: str) -> dict[str, Tensor]:
    """The state that two processes end with; raises CalledProcessError if one fails."""
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.shared_training", str(path), *simulated]
    environments = [os.environ | common | {"RANK": rank, "LOCAL_RANK": rank} for rank in ("0", "1")]
    processes = [subprocess.Popen(command, cwd=ROOT, env=environment) for environment in environments]
    try:
        for process in processes:
            if process.wait(timeout=120):
                raise subprocess.CalledProcessError(process.returncode, command)
    finally:
        for process in processes:
            process.kill()
    return load_file(path)


def difference(one: dict[str, Tensor], two: dict[str, Tensor]) -> float:
    """The distance of two states' weights."""
    names = [name for name in one if ".adam." not in name and one[name].isfinite().all()]
    return float(torch.cat([(one[name] - two[name]).flatten() for name in names]).norm())


def main() -> None:
    path, *simulated = sys.argv[1:]
    with any_gpu(bool(simulated), devices=2):  # as the tests have it that compare with this
        group, device = join_group(2, int(os.environ["LOCAL_RANK"]), torch.device("cuda"))
        state = trained(device, group)
        if group.is_first:
            write_tensors(Path(path), state, {})
        leave_group(group)


if __name__ == "__main__":
    main()
