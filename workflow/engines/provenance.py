"""Where every result comes from: a small JSON a stage, `results/provenance/<stage>.json`, written when the stage ends.

It lies beside the outputs and in none of them: outputs are the same bytes on every machine and under both engines, and
a time of day or a processor's name would end that. Both engines leave it alone, because no stage declares it. Kept in
git like the metrics, it travels with every experiment that `dvc exp run` makes.

    stage, command   as in dvc.yaml
    started          UTC, ISO 8601
    seconds          wall clock, from start to end
    git_revision     of the checkout; null where there is none
    git_dirty        whether code, dvc.yaml or params.yaml differ from that revision
    parameters       what dvc.yaml says the stage depends on, by dotted key
    inputs, outputs  path -> digest: `md5:...` as in dvc.lock, folders too. An input larger than 256 MB, or of more than
                     10,000 files, has the digest that its own stage has left, if it did not change since; where there
                     is none, as of a raw source, `unread: ...` says size and last change: no 43 GB are read twice
    packages         Python's version and those of the packages that can change a result
    peak_memory_mb   the most memory that the process held, or one that it waited for; files that it mapped are counted
    machine          system, processor, cores that may be used, threads, accelerator (null: none was used), its CUDA

Of several processes that share a stage's work, the first one writes it.

It holds no path but those of dvc.yaml and params.yaml, no user, no host and nothing of the environment. An output
belongs to a sidecar when their digests agree: one that was restored from a cache may have been made elsewhere.

Inputs are looked at before and after: a stage whose data changed while it ran is refused, because the engines would
record its outputs as those of the new data.
"""

import hashlib
import json
import os
import platform
import resource
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from dcgan.core.files import InputError, read_json, write_json
from workflow.engines.clock import settle_clock
from workflow.engines.code_dependencies import PACKAGES as OURS
from workflow.engines.code_dependencies import code_list, listed_script
from workflow.engines.dag import TIMESTAMP, Stage, resolved_stages

FOLDER = Path("results/provenance")
CODE = (*OURS, "dvc.yaml", "params.yaml")
PACKAGES = (
    *("torch", "torchvision", "numpy", "scipy", "pandas", "scikit-learn", "opencv-python-headless", "pillow"),
    *("simplejpeg", "h5py", "lmdb", "safetensors", "matplotlib", "jinja2", "onnx", "onnxscript", "torch-fidelity"),
)
READ_BYTES, READ_FILES = 256_000_000, 10_000
OF_PYTHON = "__pycache__"


class Look(NamedTuple):
    """What a glance at a file tells: whether it is the same that it was."""

    size: int
    modified_ns: int


Glance = dict[str, Look] | None  # a file's path below the input ("" for the input itself); None: too many to look at


@dataclass(frozen=True)
class Input:
    """An input as the stage found it."""

    path: str
    glance: Glance
    digest: str


@contextmanager
def traced(root: Path, stage: Stage | None = None) -> Iterator[None]:
    """Around a stage's main: writes its sidecar at the end; raises InputError where its data changed meanwhile.

    stage: by default the one whose command this process is; a command that is not one of the DAG's leaves no trace.
    """
    stage = stage or stage_that_runs(root)
    if stage is None or os.environ.get("RANK", "0") != "0":
        yield
        return
    started, clock = datetime.now(UTC), time.monotonic()
    inputs = [look_at(root, path) for path in stage.dependencies]
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
        "inputs": {found.path: found.digest for found in inputs},
        "outputs": {path: digest_of_output(root, path) for path in stage.outputs},
        "packages": versions(),
        "peak_memory_mb": peak_memory_mb(),
        "machine": machine(),
    }
    keep(root / FOLDER / f"{stage.name}.json", sidecar)
    settle_clock(root, stage)


def differences(root: Path, stage: Stage) -> list[str]:
    """Outputs that are not, by the stage's sidecar, what it made of these inputs and parameters; all without a sidecar.

    Of a raw source that is too large to be read the size is compared; what a stage made is read as that one's output.
    """
    try:
        sidecar = read_json(root / FOLDER / f"{stage.name}.json")
        same = (sidecar["command"], sidecar["parameters"]) == (stage.command, stage.parameters) and all(
            is_same(look_at(root, path).digest, sidecar["inputs"][path]) for path in stage.dependencies
        )
        left = sidecar["outputs"] if same else {}
        return [path for path in stage.outputs if left.get(path) != digest_of_output(root, path)]
    except (InputError, KeyError, TypeError, ValueError, AttributeError):
        return list(stage.outputs)


def is_same(now: str, noted: str) -> bool:
    """Whether an input may be what it was; one that is not read now, its times being new, says nothing against it."""
    unread_now = now.startswith("unread") and not noted.startswith("unread")
    return unread_now or same_part(now) == same_part(noted)


def same_part(digest: str) -> str:
    """A digest without the time of change that stands in for content that was not read: engines set that anew."""
    return digest.partition(", changed ")[0]


def check_lists(root: Path, inputs: Iterable[Input]) -> None:
    """Raises InputError where DVC would record a list of code that is no longer that of the code."""
    for found in inputs if "DVC_STAGE" in os.environ else ():
        if listed_script(found.path) is not None and f"md5:{md5_of(root / found.path)}" != found.digest:
            raise InputError(f"{found.path}: code has changed since this list was written; run `dvc repro` again")


def keep(path: Path, sidecar: Mapping[str, Any]) -> None:
    """Writes a sidecar; a disk without room for it must not cost the days of work that it is about."""
    try:
        write_json(path, sidecar)
    except (InputError, OSError) as error:
        print(f"warning: no provenance was kept ({error}); the outputs are whole", file=sys.stderr)


def stage_that_runs(root: Path) -> Stage | None:
    """The stage of the DAG whose command this process is, or None."""
    module = sys.modules["__main__"].__spec__
    if module is None or not module.name.startswith("stages."):
        return None
    command = ["python", "-m", module.name, *sys.argv[1:]]
    try:
        stages = resolved_stages(root)
    except InputError:
        return None  # no DAG here, or wrong parameters, which main says itself
    return next((stage for stage in stages.values() if shlex.split(stage.command) == command), None)


def look_at(root: Path, path: str) -> Input:
    """A file or folder now; one that is missing has the digest `missing`, and main says so.

    A list of code counts as the code is: only DVC needs it to be written.
    """
    script = listed_script(path)
    if script is not None:
        return Input(
            path, {}, f"md5:{hashlib.md5(code_list(script, root).encode(), usedforsecurity=False).hexdigest()}"
        )
    try:
        found = glance(root / path)
        if found is not None and sum(file.size for file in found.values()) <= READ_BYTES:
            return Input(path, found, digest(root / path, found))
        return Input(path, found, digest_left(root, path, found) or unread(found))
    except OSError:
        return Input(path, {}, "missing")


def digest_of_output(root: Path, path: str) -> str:
    """The digest of what a stage has made, however large it is."""
    try:
        return digest(root / path, dict(looks(root / path)))
    except OSError:
        return "missing"


def digest_left(root: Path, path: str, files: Glance) -> str | None:
    """The digest that the stage which made a file or folder has noted; None without one, or where it changed since."""
    if files is None:
        return None
    for sidecar in (root / FOLDER).glob("*.json"):
        try:
            noted = read_json(sidecar)["outputs"].get(path)
        except (InputError, KeyError, TypeError, AttributeError):
            continue
        if noted is not None and all(file.modified_ns <= sidecar.stat().st_mtime_ns for file in files.values()):
            return str(noted)
    return None


def glance(path: Path) -> Glance:
    """Size and time of change of every file."""
    found = dict(islice(looks(path), READ_FILES + 1))
    return found if len(found) <= READ_FILES else None


def looks(path: Path) -> Iterator[tuple[str, Look]]:
    """Every file by its path below `path`, "" for `path` itself."""
    if not path.is_dir():
        yield "", look(path)
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if name != OF_PYTHON]
        inside = Path(folder).relative_to(path)
        for name in sorted(set(names) - {TIMESTAMP}):
            yield (inside / name).as_posix(), look(path / inside / name)


def look(path: Path) -> Look:
    """Size and time of change of a file."""
    status = path.stat()
    return Look(status.st_size, status.st_mtime_ns)


def unread(files: Glance) -> str:
    """What stands in for the digest of what is not read."""
    if files is None:
        return f"unread: more than {READ_FILES:,} files"
    changed = datetime.fromtimestamp(max(file.modified_ns for file in files.values()) / 1e9, UTC)
    size = sum(file.size for file in files.values())
    return f"unread: {len(files)} files, {size} bytes, changed {changed:%Y-%m-%dT%H:%M:%SZ}"


def digest(path: Path, files: Mapping[str, Look]) -> str:
    """A file's MD5, a folder's as DVC makes it: the MD5 of a list of its files' names and MD5s."""
    if "" in files:
        return f"md5:{md5_of(path)}"
    entries = [{"md5": md5_of(path / name), "relpath": name} for name in sorted(files)]
    return f"md5:{hashlib.md5(json.dumps(entries).encode(), usedforsecurity=False).hexdigest()}.dir"


def md5_of(path: Path) -> str:
    """A file's MD5, which is what DVC calls it by; nothing depends on its strength."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def check_unchanged(root: Path, inputs: Iterable[Input]) -> None:
    """Raises InputError where data changed since; code may, because Python has read it at the start."""
    for before in (
        found for found in inputs if listed_script(found.path) is None and not found.path.endswith((".md", ".yaml"))
    ):
        try:
            same = glance(root / before.path) == before.glance
        except OSError:
            same = False
        if not same and (before.digest.startswith("unread") or look_at(root, before.path).digest != before.digest):
            raise InputError(f"{before.path} changed while the stage read it; what it made is not kept, run it again")


def git_state(root: Path) -> tuple[str | None, bool | None]:
    """The revision that is checked out, and whether what results depend on differs from it."""
    revision, changes = git(root, "rev-parse", "HEAD"), git(root, "status", "--porcelain", "--", *CODE)
    return revision or None, None if changes is None else changes != ""


def git(root: Path, *arguments: str) -> str | None:
    """What git says, or None where it cannot; without the locks that it takes to be quicker next time."""
    command = ["git", "--no-optional-locks", *arguments]
    try:
        return subprocess.run(command, cwd=root, capture_output=True, encoding="utf-8", check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def versions() -> dict[str, str]:
    """Python's and the packages' versions."""
    installed = {distribution.name.lower(): distribution.version for distribution in metadata.distributions()}
    return {"python": platform.python_version(), **{name: installed[name] for name in PACKAGES if name in installed}}


def machine() -> dict[str, Any]:
    """What can change the last bits of a result, and its speed."""
    torch, cv2 = sys.modules.get("torch"), sys.modules.get("cv2")
    on_gpu = torch is not None and torch.cuda.is_initialized()
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads() if torch is not None else cv2.getNumThreads() if cv2 is not None else 1,
        "accelerator": torch.cuda.get_device_name() if torch is not None and on_gpu else None,
        "cuda": torch.version.cuda if torch is not None and on_gpu else None,
    }


def peak_memory_mb() -> int:
    """The most memory that this process, or one that it waited for, has held."""
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10))


def processor() -> str:
    """The processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
