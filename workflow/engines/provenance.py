"""Where every result comes from: one small JSON per stage, `results/provenance/<stage>.json`, written when it ends.

It lies beside the outputs and in none of them: outputs are the same bytes on every machine and under both engines, and
a time of day or a processor's name would end that. Both engines leave it alone, because no stage declares it. It stays
in the folder in which the stage ran: neither git nor DVC keeps it.

    stage, command   as in dvc.yaml
    started          UTC, ISO 8601
    seconds          wall clock, from start to end
    git_revision     of the checkout; null if there is none
    git_dirty        whether code, dvc.yaml or params.yaml differ from that revision
    parameters       those that dvc.yaml names, by dotted key
    inputs, outputs  path -> digest (workflow/engines/digests.py)
    packages         versions of Python and of the packages that can change a result
    peak_memory_mb   the most memory that the process held, or one that it waited for; includes files that it mapped
    machine          system, processor, cores that may be used, threads, accelerator (null: none was used), its CUDA

If several processes share a stage's work, the first one writes it. It holds no path but those of dvc.yaml and
params.yaml, no user, no host and nothing of the environment. An output belongs to a sidecar if their digests agree: one
that was restored from a cache may have been made elsewhere.

Inputs are compared before and after. A stage whose data changed while it ran is refused, because the engines would
record its outputs as those of the new data.
"""

import os
import platform
import re
import resource
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from dcgan.core.files import InputError, read_json, write_json
from workflow.engines.code_dependencies import PACKAGES as OURS
from workflow.engines.code_dependencies import list_text, listed_script
from workflow.engines.commands import git
from workflow.engines.dag import Stage, resolved_stages
from workflow.engines.digests import digest_of, digest_of_input, digest_of_output, digest_of_text, without_time

SIDECARS = Path("results/provenance")
CODE = (*OURS, "dvc.yaml", "params.yaml")
NOT_DATA = (".md", ".yaml")  # read at the start, as code is
PACKAGES = (
    *("torch", "torchvision", "numpy", "scipy", "pandas", "scikit-learn", "opencv-python-headless", "pillow"),
    *("simplejpeg", "h5py", "lmdb", "safetensors", "matplotlib", "jinja2", "onnx", "onnxscript", "torch-fidelity"),
)


@contextmanager
def traced(root: Path, stage: Stage | None = None) -> Iterator[None]:
    """Around a stage's main: writes its sidecar at the end; raises InputError if its data changed meanwhile.

    stage: by default the one whose command this process is; a command that is not one of the DAG's leaves no trace.
    """
    stage = stage or stage_that_runs(root)
    if stage is None or os.environ.get("RANK", "0") != "0":
        yield
        return
    started, clock = datetime.now(UTC), time.monotonic()
    inputs = {path: digest_of_input(root, path) for path in stage.dependencies}
    check_lists(root, inputs)
    revision, dirty = git_state(root)
    yield
    check_unchanged(root, inputs)
    sidecar = {
        "stage": stage.name,
        "command": stage.command,
        "started": started.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "seconds": round(time.monotonic() - clock, 1),
        "git_revision": revision,
        "git_dirty": dirty,
        "parameters": stage.parameters,
        "inputs": inputs,
        "outputs": {path: digest_of_output(root, path) for path in stage.outputs},
        "packages": versions(),
        "peak_memory_mb": peak_memory_mb(),
        "machine": machine(),
    }
    write_sidecar(root / SIDECARS / f"{stage.name}.json", sidecar)


def last_sidecar(root: Path, name: str) -> dict[str, Any]:
    """The sidecar of a stage's last run; empty if there is none, or if it is damaged."""
    with suppress(InputError):
        return read_json(root / SIDECARS / f"{name}.json")
    return {}


def as_recorded(root: Path, stage: Stage) -> bool:
    """Whether a stage's outputs are there and its sidecar tells of this command, these parameters and this code.

    Contents of data are not read: an estimate, in milliseconds.
    """
    sidecar = last_sidecar(root, stage.name)
    told = [sidecar.get("inputs", {}).get(path) for path in stage.dependencies if listed_script(path)]
    return (
        all((root / path).exists() for path in stage.outputs)
        and (sidecar.get("command"), sidecar.get("parameters")) == (stage.command, stage.parameters)
        and told == [digest_of_text(list_text(stage.code))] * len(told)
    )


def differences(root: Path, stage: Stage) -> list[str]:
    """Outputs that are not, by the stage's sidecar, what it made of these inputs and parameters; all without a sidecar.

    Of a raw source that is too large to be read only the size is compared.
    """
    try:
        sidecar = read_json(root / SIDECARS / f"{stage.name}.json")
        now = {path: without_time(digest_of_input(root, path)) for path in stage.dependencies}
        then = {path: without_time(sidecar["inputs"][path]) for path in stage.dependencies}
        same = (sidecar["command"], sidecar["parameters"], then) == (stage.command, stage.parameters, now)
        left = sidecar["outputs"] if same else {}
        return [path for path in stage.outputs if left.get(path) != digest_of_output(root, path)]
    except (InputError, KeyError, TypeError, ValueError, AttributeError):
        return list(stage.outputs)


def stage_that_runs(root: Path) -> Stage | None:
    """The stage of the DAG whose command this process is, or None."""
    module = running_module()
    if not module.startswith("stages."):
        return None
    command = ["python", "-m", module, *sys.argv[1:]]
    try:
        stages = resolved_stages(root)
    except InputError:
        return None  # there is no DAG here, or parameters are wrong, which main reports
    return next((stage for stage in stages.values() if shlex.split(stage.command) == command), None)


def running_module() -> str:
    """What Python was started with, e.g. stages.train_dcgan; empty if that is no module."""
    module = sys.modules["__main__"].__spec__
    return "" if module is None else module.name


def check_lists(root: Path, inputs: Mapping[str, str]) -> None:
    """Raises InputError if DVC would record a list of code that is no longer that of the code."""
    for path, found in inputs.items() if "DVC_STAGE" in os.environ else ():
        if listed_script(path) is not None and digest_of(root / path) != found:
            raise InputError(f"{path}: code has changed since this list was written; run `dvc repro` again")


def check_unchanged(root: Path, inputs: Mapping[str, str]) -> None:
    """Raises InputError if data changed since; code may, because Python has read it at the start."""
    for path, before in inputs.items():
        is_data = listed_script(path) is None and not path.endswith(NOT_DATA)
        if is_data and digest_of_input(root, path) != before:
            raise InputError(f"{path} changed while the stage read it; what it made is not kept, run it again")


def write_sidecar(path: Path, sidecar: Mapping[str, Any]) -> None:
    """Writes a sidecar; a disk without room for it must not cost the days of work that it describes."""
    try:
        write_json(path, sidecar)
    except (InputError, OSError) as error:
        print(f"warning: no provenance was kept ({error}); the outputs are whole", file=sys.stderr)


def git_state(root: Path) -> tuple[str, bool] | tuple[None, None]:
    """The revision that is checked out, and whether what results depend on differs from it; Nones without git."""
    try:
        return git(root, "rev-parse", "HEAD"), git(root, "status", "--porcelain", "--", *CODE) != ""
    except InputError:
        return None, None


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that are installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def peak_memory_mb() -> int:
    """The most memory that this process, or one that it waited for, has held.

    What Linux tells of a process there is never below the memory of the one that started it; the file has its own.
    """
    status, of_children = Path("/proc/self/status"), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="utf-8")) if status.exists() else None
    own = int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(max(own, of_children) / (1 << 20 if sys.platform == "darwin" else 1 << 10))


def machine() -> dict[str, Any]:
    """What can change the last bits of a result, and its speed."""
    torch, cv2 = sys.modules.get("torch"), sys.modules.get("cv2")
    on_gpu = torch is not None and torch.cuda.is_initialized()
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8", errors="replace").splitlines() if told.exists() else []
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown"),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads() if torch is not None else cv2.getNumThreads() if cv2 is not None else 1,
        "accelerator": torch.cuda.get_device_name() if torch is not None and on_gpu else None,
        "cuda": torch.version.cuda if torch is not None and on_gpu else None,
    }
