"""The state of resumable runs: where it lives, and what has to be equal for a run to go on from it.

It lives outside every output, because both engines delete a stage's outputs before they run it: in
`.state/<stage>-<digest>` of the working directory, or under the folder that DCGAN_STATE names (experiments in
temporary folders, clusters with a fast scratch).
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from dcgan.core.files import InputError, read_json, write_json
from workflow.params.sections import Run

LARGE_BYTES = 256_000_000
WITHOUT_EFFECT = {"checkpoint_seconds"}  # how often a run saves itself changes no result


class State(NamedTuple):
    """A run's folder, and the digest of everything that determines its result."""

    folder: Path
    digest: str


def state_of(stage: str, parameters: Mapping[str, Any], inputs: Sequence[Path], run: Run, device: str) -> State:
    """The state of one run of a stage.

    Counts: the stage's name, its parameters, the contents of its inputs, seed, threads (sums of floats depend on how
    many share them) and determinism of the run, the kind of its device ("cpu", "cuda"), and PyTorch's version.
    Does not count: where inputs lie, how the device was asked for, TensorBoard's folder, WITHOUT_EFFECT. Whether
    updates are CUDA graphs matters to training alone, so the stages that train name it among their parameters.
    """
    import torch

    from dcgan.core.checkpoints import digest_of

    determining = {name: value for name, value in parameters.items() if name not in WITHOUT_EFFECT}
    machine = run.model_dump(include={"seed", "threads", "deterministic"}) | {"device": device}
    contents = [content_digest(path, path.stat().st_mtime_ns) for path in inputs]
    digest = digest_of(stage, determining, contents, machine, torch.__version__)
    return State(state_folder() / f"{stage}-{digest}", digest)


@cache
def content_digest(path: Path, changed_ns: int) -> str:
    """A digest of a file's bytes; a file that a process asks for again is read once, unless it has changed."""
    from dcgan.core.checkpoints import digest_of

    return kept_digest(path) if path.stat().st_size >= LARGE_BYTES else digest_of(path)


def kept_digest(path: Path) -> str:
    """The digest of a large file, kept beside the states: a GPU would wait minutes for it at every start."""
    from dcgan.core.checkpoints import digest_of

    kept, mark = state_folder() / "digests" / f"{digest_of(str(path.resolve()))}.json", mark_of(path)
    with suppress(InputError):
        known = read_json(kept)
        if known.get("mark") == mark:
            return str(known["digest"])
    digest = digest_of(path)
    if mark_of(path) == mark:  # it did not change meanwhile
        write_json(kept, {"path": str(path), "mark": mark, "digest": digest})
    return digest


def mark_of(path: Path) -> list[int]:
    """What changes when a file does, without reading it: which file it is, its size, and when it was changed."""
    status = path.stat()
    return [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def state_folder() -> Path:
    """Where states lie."""
    return Path(os.environ.get("DCGAN_STATE", ".state"))
