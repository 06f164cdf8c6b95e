"""Every stage answers --help and takes what dvc.yaml gives it."""

import argparse
import importlib
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from stages import SPIN
from tests.dag.demo import demo_stages

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(path.stem for path in (ROOT / "stages").glob("[a-z]*.py"))
STAGES = demo_stages()


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_says_what_the_stage_is_for(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(f"stages.{script}")
    with pytest.raises(SystemExit) as stopped:
        module.main(["--help"])
    assert stopped.value.code == 0
    said = capsys.readouterr().out
    assert module.__doc__.splitlines()[0] in said
    assert "--params" in said


@pytest.mark.parametrize("name", STAGES)
def test_command_fits_the_script(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options in dvc.yaml are those of the script, and every output of the stage is given to it by path."""
    stage = STAGES[name]
    python, option, module, *arguments = shlex.split(stage.command)
    assert (python, option) == ("python", "-m")

    class Parsed(Exception):
        pass

    original = argparse.ArgumentParser.parse_args

    def parse_and_stop(self: argparse.ArgumentParser, given: list[str]) -> None:
        original(self, given)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    with pytest.raises(Parsed):
        importlib.import_module(module).main(arguments)
    assert set(stage.outputs) <= set(arguments)


def test_threads_and_products_are_the_parameters_not_the_environments() -> None:
    """Snakemake tells its jobs how many threads to use, DVC does not: bytes must not depend on that. In NVIDIA's
    containers a variable makes PyTorch round the factors of matrix products to TF32.
    """
    program = """
import numpy, scipy.linalg, sklearn.cluster, torch, cv2
from threadpoolctl import threadpool_info
from workflow.params.sections import Run
from workflow.engines.stage import prepare
assert torch.get_float32_matmul_precision() == "high"
prepare(Run(seed=0, threads=3, device="cpu", deterministic=True, capture=False, compile=False, tensorboard=None))
numbers = {pool["num_threads"] for pool in threadpool_info()} | {torch.get_num_threads(), cv2.getNumThreads()}
assert numbers == {3}, numbers
assert torch.are_deterministic_algorithms_enabled() and not torch.utils.deterministic.fill_uninitialized_memory
assert torch.get_float32_matmul_precision() == "highest" and not torch.backends.cuda.matmul.allow_tf32
"""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment["TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"] = "1"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=True)


@pytest.mark.parametrize(
    ("further", "spins"),
    [
        ({}, None),
        ({"DVC_STAGE": "train", "DVC_ROOT": "/home/someone/dcgan"}, "10000"),
        ({"DVC_STAGE": "train", "DVC_ROOT": "/home/someone/dcgan/.dvc/tmp/exps/tmp1"}, None),
        ({"DVC_STAGE": "train", "DVC_ROOT": "/home/someone/dcgan", "GOMP_SPINCOUNT": "7"}, "7"),
    ],
    ids=["by hand", "dvc repro", "one of several experiments", "as the user says"],
)
def test_threads_spin_where_a_stage_has_its_cores_to_itself(further: dict[str, str], spins: str | None) -> None:
    of_waiting = {"DVC_STAGE", "DVC_ROOT", "OMP_WAIT_POLICY", *SPIN}
    others = {name: value for name, value in os.environ.items() if name not in of_waiting}
    program = "import os, stages; print(os.environ.get('GOMP_SPINCOUNT'), os.environ['OMP_WAIT_POLICY'])"
    command = [sys.executable, "-c", program]
    said = subprocess.run(command, cwd=ROOT, env=others | further, capture_output=True, text=True, check=True).stdout
    assert said.split() == [str(spins), "PASSIVE"]
