"""Disks that are full or read-only, and files that are cut in half, under every stage that writes or reads them.

A very small world is made once, in this process (tests/dag/world.py); then each stage runs again in a child of it, with
its outputs on a disk that has half of the room they need, or with an input cut in half.
"""

import contextlib
import importlib
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.conftest import digests_below
from tests.dag.demo import demo_stages
from tests.dag.disks import can_mount
from tests.dag.reliability import fault
from tests.dag.tiny import script_of, tiny_params
from tests.dag.world import World
from workflow.engines import dag
from workflow.engines.dag import Stage, whole_outputs
from workflow.engines.stage import run_stage

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PAGE_BYTES = 4096
CUT = (".h5", ".safetensors")
needs_disks = pytest.mark.skipif(not can_mount(), reason="small disks are mounted by root, on Linux")


OTHERS = {"import_published", "export_onnx", "train_guideline", "compare_guidelines"}
SCRIPTS = sorted({script_of(stage) for stage in demo_stages().values()} | OTHERS)
OF_RAW_DATA = ("render_demo", "export_lsun", "crop_faces", "pack_images", "import_published")
READERS = [script for script in SCRIPTS if script not in OF_RAW_DATA]


@pytest.fixture(scope="module")
def world(every_stage: World) -> Iterator[Path]:
    """A folder in which every stage has run; the working directory of all tests here."""
    with contextlib.chdir(every_stage.folder):
        yield every_stage.folder


def first_stage(world: Path, script: str) -> Stage:
    """The first stage of a script."""
    return next(stage for stage in dag.resolved_stages(world).values() if script_of(stage) == script)


def attempt(stage: Stage, folder: Path, **environment: str) -> tuple[int, str]:
    """Runs a stage in a child, its outputs below a folder; returns its exit status and what it printed."""
    arguments = [str(folder / word) if word in stage.outputs else word for word in shlex.split(stage.command)[3:]]
    module = importlib.import_module(f"stages.{script_of(stage)}")
    with tempfile.TemporaryFile("w+", encoding="utf-8") as printed:
        child = os.fork()
        if child == 0:
            status: object = 1
            try:
                os.environ.update(environment)
                sys.stdout = sys.stderr = printed
                run_stage(lambda: module.main(arguments))
            except SystemExit as ended:
                status = ended.code
            except BaseException:
                traceback.print_exc(file=printed)
            finally:
                printed.flush()
                os._exit(int(str(status)))
        _, waited = os.waitpid(child, 0)
        printed.seek(0)
        return os.waitstatus_to_exitcode(waited), printed.read()


def error_line(status: int, printed: str) -> str:
    """The one line that says what is wrong."""
    assert status == 2 and "Traceback" not in printed, printed
    (line,) = [line for line in printed.splitlines() if line.startswith("error: ")]
    return line


def weights(path: Path) -> dict[str, bytes]:
    """What a network file holds, without its header."""
    return {name: tensor.numpy().tobytes() for name, tensor in load_file(path).items()}


def size_in_pages(stage: Stage) -> int:
    """The room that a stage's outputs take on a disk."""
    paths = [path for output in stage.outputs for path in [Path(output), *Path(output).rglob("*")] if path.is_file()]
    return sum(math.ceil(path.stat().st_size / PAGE_BYTES) for path in paths)


@contextlib.contextmanager
def small_disk(folder: Path, free_pages: int, kind: str = "rw") -> Iterator[Path]:
    """A disk with some free pages; a file takes the rest, because a tmpfs of no size has no limit."""
    folder.mkdir(parents=True)
    options = f"size={(free_pages + 1) * PAGE_BYTES}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        (folder / "filler").write_bytes(bytes(PAGE_BYTES))
        subprocess.run(["mount", "-o", f"remount,{kind}", folder], check=True)
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@fault(
    "the disk is full",
    "`... cannot be written (No space left on device)`; what the stage had finished is whole",
    "2",
    "every stage",
)
@needs_disks
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_full_disk_is_reported_and_leaves_nothing_half_written(world: Path, tmp_path: Path, script: str) -> None:
    stage = first_stage(world, script)
    with small_disk(tmp_path / "disk", size_in_pages(stage) // 2) as disk:
        line = error_line(*attempt(stage, disk))
        left = digests_below(disk)
    assert re.search(r"cannot be written \((No space left on device|Input/output error: is the disk full\?)\)", line)
    del left["filler"]
    whole = digests_below(world)
    assert {name: digest for name, digest in left.items() if whole.get(name) != digest} == {}


@fault(
    "the disk of the checkpoints is full",
    "`... cannot be written (No space left on device)`; with room again, it ends with the same bytes",
    "2",
    "`extract_features`, `fit_kmeans`, `train_dcgan`, `train_guideline`",
)
@needs_disks
@pytest.mark.parametrize("script", ["extract_features", "fit_kmeans", "train_dcgan", "train_guideline"])
def test_a_full_disk_for_checkpoints_is_reported(world: Path, tmp_path: Path, script: str) -> None:
    """Started again with room, it ends with the same bytes."""
    stage = first_stage(world, script)
    often = world / "often.yaml"
    tiny_params(often, {"train": {"*": {"checkpoint_seconds": 1e-6}}} if script == "train_dcgan" else {})
    command = f"{stage.command} --params {often}"
    stage = Stage(**{**stage.__dict__, "command": command})
    with small_disk(tmp_path / "disk", 2) as disk:
        line = error_line(*attempt(stage, tmp_path / "out", DCGAN_STATE=str(disk)))
        assert "cannot be written (No space left on device)" in line
    assert attempt(stage, tmp_path / "out", DCGAN_STATE=str(tmp_path / "state"))[0] == 0
    whole = digests_below(world)
    differing = [name for name, digest in digests_below(tmp_path / "out").items() if whole.get(name) != digest]
    # A network says in its file how often it was to be checkpointed: its weights are compared.
    networks = [name for name in differing if name.endswith(".safetensors")]
    assert differing == networks
    assert [name for name in networks if weights(world / name) != weights(tmp_path / "out" / name)] == []


@fault(
    "the output folder is read-only",
    "`... (Read-only file system)`",
    "2",
    "`render_demo`, `export_lsun`, `fit_autoencoder`, `encode_images`, `draw_walk`",
)
@needs_disks
@pytest.mark.parametrize("script", ["render_demo", "export_lsun", "fit_autoencoder", "encode_images", "draw_walk"])
def test_a_read_only_output_folder_is_reported(world: Path, tmp_path: Path, script: str) -> None:
    with small_disk(tmp_path / "disk", 1, "ro") as disk:
        line = error_line(*attempt(first_stage(world, script), disk))
    assert "Read-only file system" in line and str(disk) in line


@contextlib.contextmanager
def cut_in_half(path: Path) -> Iterator[None]:
    """Takes the second half of a file away for a while."""
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    try:
        yield
    finally:
        path.write_bytes(whole)


@fault(
    "an HDF5 or safetensors file is cut in half",
    "the file's name and what is wrong",
    "2",
    "every stage that reads one",
)
@pytest.mark.parametrize("script", READERS)
def test_a_file_that_is_cut_in_half_is_named(world: Path, tmp_path: Path, script: str) -> None:
    stage = first_stage(world, script)
    made = [path for other in dag.resolved_stages(world).values() for path in other.outputs]
    data = [path for path in stage.dependencies if set(whole_outputs([path], made)) <= set(made)]
    found = [path for name in data for path in [Path(name), *sorted(Path(name).rglob("*"))] if path.suffix in CUT]
    if not found:
        pytest.skip(f"{script} reads no HDF5 or safetensors file")
    refused = []
    for path in found:
        earlier = with_outputs(stage, tmp_path / "out")
        with cut_in_half(path):
            status, printed = attempt(stage, tmp_path / "out")
        if status == 0:
            assert str(path) not in data, f"{path} was cut in half and used"
        else:
            assert str(path) in error_line(status, printed)
            assert earlier.items() <= digests_below(tmp_path / "out").items(), "what was there stays"
            refused.append(path)
    assert refused


def with_outputs(stage: Stage, folder: Path) -> dict[str, str]:
    """Puts what a stage made into a folder, as from an earlier run; the digest of each file."""
    shutil.rmtree(folder, ignore_errors=True)
    for output in map(Path, stage.outputs):
        (folder / output).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if output.is_dir() else shutil.copyfile)(output, folder / output)
    return digests_below(folder)


@pytest.mark.parametrize("unusable", [0, 40])
@pytest.mark.parametrize("script", ["export_lsun", "crop_faces", "pack_images", "import_published"])
def test_a_source_that_cannot_be_used_leaves_what_was_there(
    world: Path, tmp_path: Path, good_image: bytes, script: str, unusable: int
) -> None:
    """Of an empty folder, and of one of which too much is no image; the list of the rejected tells of this one then."""
    (tmp_path / "source").mkdir()
    for number in range(unusable):
        (tmp_path / f"source/{number}.jpg").write_bytes(b"no image" if number else good_image)
    stage = first_stage(world, script)
    earlier = with_outputs(stage, tmp_path / "out")
    command = re.sub(r"--(source|arrays) \S+", rf"--\1 {tmp_path}/source", stage.command)
    if script == "pack_images":
        section = {stage.name.partition("@")[2]: {"source": f"{tmp_path}/source"}}
        tiny_params(tmp_path / "params.yaml", {"pack": {"sets": section}})
        command += f" --params {tmp_path}/params.yaml"
    line = error_line(*attempt(Stage(**{**stage.__dict__, "command": command}), tmp_path / "out"))
    assert f"{tmp_path}/source" in line or " of 40 items " in line
    left = digests_below(tmp_path / "out")
    assert {name for name, digest in earlier.items() if left.get(name) != digest} <= (
        {name for name in earlier if unusable and name.endswith("rejects.csv")}
    )
