"""A stage is started in one process as it is, in several by torchrun, and what it says by its status is kept."""

import subprocess
import sys
from pathlib import Path

import pytest

from workflow import dag
from workflow.launch import command_of

PROJECT = Path(__file__).parents[2]
META = "{threads: 2, gpu: 1, mem_mb: 100, runtime: 1, processes: 3}"
SCRIPT = """
import os, sys
from pathlib import Path
Path(f"{sys.argv[1]}-{os.environ.get('RANK', 'alone')}-{os.environ.get('WORLD_SIZE', '1')}").touch()
sys.exit(int(sys.argv[2]))
"""


def launch(folder: Path, processes: int, status: int) -> subprocess.CompletedProcess[str]:
    (folder / "stage.py").write_text(SCRIPT)
    command = [
        sys.executable,
        "-m",
        "workflow.launch",
        "--processes",
        str(processes),
        "-m",
        "stage",
        "made",
        str(status),
    ]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{PROJECT}:{folder}", "HOME": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_one_process_is_the_stage_itself(tmp_path: Path) -> None:
    assert command_of(1, "stages.x", ["--a", "1"])[1:] == ["-m", "stages.x", "--a", "1"]
    assert launch(tmp_path, 1, 75).returncode == 75
    assert (tmp_path / "made-alone-1").exists()


def test_several_processes_are_started_by_torchrun(tmp_path: Path) -> None:
    finished = launch(tmp_path, 2, 0)
    assert finished.returncode == 0, finished.stderr
    assert {path.name for path in tmp_path.glob("made-*")} == {"made-0-2", "made-1-2"}
    assert launch(tmp_path, 2, 75).returncode != 0


def test_no_process_is_refused() -> None:
    with pytest.raises(ValueError, match="0 processes"):
        command_of(0, "stages.x", [])


@pytest.mark.parametrize(("device", "gpus"), [("auto", 3), ("cuda", 3), ("cpu", 0)])
def test_a_job_asks_for_the_threads_memory_and_gpus_of_all_its_processes(
    tmp_path: Path, device: str, gpus: int
) -> None:
    (tmp_path / "dvc.yaml").write_text(f"stages:\n  s:\n    cmd: x\n    meta: {META}\n")
    (tmp_path / "params.yaml").write_text(f"run: {{device: {device}}}\n")
    stage = dag.resolve(tmp_path)["s"]
    assert (stage.threads, stage.mem_mb, stage.gpu) == (6, 300, gpus)
