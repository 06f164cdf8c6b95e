"""Which device a stage computes on, and what is said of a GPU that cannot be used."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dcgan.core.distributed import ALONE, join_group
from dcgan.core.files import InputError
from dcgan.data.minibatches import Batches
from dcgan.training.adversarial import AdversarialTraining
from tests.dag.demo import preset_values
from tests.simulated_gpu.simulation import simulated_gpu
from tests.unit.test_adversarial import SETTINGS, SMALLEST, images
from workflow.engines import device, stage
from workflow.engines.device import GRANTS, check_devices, device_for, report_full_memory
from workflow.params.load import check_params

ROOT = Path(__file__).parents[2]
VERSION = """NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023
GCC version:  gcc version 11.4.0 (Ubuntu 11.4.0-1ubuntu1~22.04)
"""


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No CUDA device, no driver and no job."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(device, "DRIVER", tmp_path / "version")
    for name in (*GRANTS, "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_gpu_it_is_the_cpu() -> None:
    assert device_for("auto") == device_for("cpu") == torch.device("cpu")


def test_a_gpu_is_used_unless_the_cpu_is_asked_for() -> None:
    with simulated_gpu():
        assert [device_for(asked).type for asked in ("auto", "cuda", "cpu")] == ["cuda", "cuda", "cpu"]


@pytest.mark.parametrize("name", GRANTS)
def test_a_granted_gpu_that_torch_does_not_find_stops_the_stage(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "41")
    monkeypatch.setenv(name, "2")
    (tmp_path / "version").write_text(VERSION)
    with pytest.raises(InputError, match=rf"^{name} is 2, .*NVIDIA driver: 535\.104\.05") as raised:
        device_for("auto")
    assert torch.__version__ in str(raised.value) and str(torch.version.cuda) in str(raised.value)
    assert device_for("cpu").type == "cpu"


def test_a_machine_with_a_driver_has_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "version").write_text(VERSION)
    with pytest.raises(InputError, match="this machine has an NVIDIA driver, but PyTorch"):
        device_for("auto")
    for hidden in ("", "-1", "NoDevFiles"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert device_for("auto").type == "cpu"


def test_a_job_may_run_on_a_node_whose_gpus_are_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "version").write_text(VERSION)
    monkeypatch.setenv("SLURM_JOB_ID", "41")
    assert device_for("auto").type == "cpu"


def test_a_gpu_that_is_asked_for_has_to_be_there() -> None:
    with pytest.raises(InputError, match=r"run.device is cuda, but PyTorch .* \(NVIDIA driver: none\)"):
        device_for("cuda")


def test_the_gpus_of_a_run_are_looked_for_before_it_starts() -> None:
    params = preset_values()
    check_devices(check_params(params, "params"))
    params["train"]["bedrooms"]["processes"] = 2
    check_devices(check_params(params, "params"))  # that share the CPU
    params["run"]["device"] = "cuda"
    with pytest.raises(InputError, match=r"^run.device is cuda, but PyTorch .* finds no CUDA device"):
        check_devices(check_params(params, "params"))
    with (
        simulated_gpu(),
        pytest.raises(InputError, match=r"^params.yaml: train.bedrooms.processes: 2 is not allowed \(at most 1: each"),
    ):
        check_devices(check_params(params, "params"))


def test_more_processes_than_gpus() -> None:
    with simulated_gpu(), pytest.raises(InputError, match="process 2 of this machine has no GPU: .* there are 1"):
        join_group(2, 1, torch.device("cuda"))
    assert join_group(1, 0, torch.device("cpu")) == (ALONE, torch.device("cpu"))


@pytest.mark.parametrize("capture", [False, True])
def test_full_memory_is_one_line(capture: bool) -> None:
    with simulated_gpu(memory=400_000), pytest.raises(InputError) as raised, report_full_memory():
        gpu = torch.device("cuda")
        training = AdversarialTraining(SMALLEST, replace(SETTINGS, capture=capture), gpu)
        batches = Batches(images(), None, np.arange(41), 32, 7, gpu)
        for number in range(4):
            training.step(*batches.batch(number % batches.per_epoch))
    line = str(raised.value)
    assert line.startswith("the memory of the GPU is full: CUDA out of memory. Tried to allocate") and "\n" not in line


def test_a_stage_with_full_memory_ends_as_with_wrong_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stage, "join", lambda _: None)
    monkeypatch.setattr(stage, "traced", lambda root, stage: nullcontext())
    monkeypatch.setattr(stage.faulthandler, "enable", lambda: None)

    def main() -> None:
        raise torch.OutOfMemoryError(
            "CUDA out of memory. Tried to allocate 2.00 GiB. It is full. See the documentation"
        )

    with pytest.raises(SystemExit) as ended:
        stage.run_stage(main)
    assert ended.value.code == 2
    told = "CUDA out of memory. Tried to allocate 2.00 GiB. It is full"
    assert capsys.readouterr().err == f"error: the memory of the GPU is full: {told}\n"


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be reported later"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
    ids=["CUDA", "cuBLAS", "cuDNN"],
)
def test_memory_that_is_full_for_a_library_is_the_same_line(error: Exception) -> None:
    with pytest.raises(InputError) as raised, report_full_memory():
        raise error
    assert str(raised.value) == f"the memory of the GPU is full: {str(error).splitlines()[0]}"


def test_memory_that_is_full_in_a_recording_is_not_hidden_by_its_end() -> None:
    with pytest.raises(InputError) as raised, report_full_memory():
        try:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        finally:
            raise torch.AcceleratorError("CUDA error: operation failed due to a previous error during capture")
    assert str(raised.value) == "the memory of the GPU is full: CUDA out of memory. Tried to allocate 2.00 GiB"


def test_other_errors_stay_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="a fault"), report_full_memory():
        raise RuntimeError("a fault")
