"""Checkpoints of long runs: all state by name in one safetensors file, written whole or not at all.

A checkpoint belongs to one digest of everything that determines the result (parameters, input, code format). A damaged
checkpoint, or one of another digest, is never used: it is renamed, and a line on stderr says why.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dcgan.core.files import InputError, replace_when_done
from dcgan.core.tensor_files import read_tensors, write_tensors

FORMAT_VERSION = 3
DIGEST_BLOCK_BYTES = 1 << 24


def digest_of(*parts: object) -> str:
    """A digest of JSON-serializable parts and of the contents of files (given as Path)."""
    digest = hashlib.blake2b(f"format {FORMAT_VERSION}".encode(), digest_size=16)
    for part in parts:
        if isinstance(part, Path):
            with part.open("rb") as file:
                while block := file.read(DIGEST_BLOCK_BYTES):
                    digest.update(block)
        else:
            digest.update(json.dumps(part, sort_keys=True).encode())
    return digest.hexdigest()


def checksum_of(tensors: Mapping[str, Tensor], progress: str) -> str:
    """A digest of tensors by name and of the progress; safetensors itself does not notice a flipped bit."""
    digest = hashlib.blake2b(progress.encode(), digest_size=16)
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


class Checkpoints:
    """The newest checkpoint of one run, in a folder of its own."""

    def __init__(self, folder: Path, digest: str) -> None:
        self.folder, self.digest = Path(folder), digest
        self.path = self.folder / "checkpoint.safetensors"
        self.good_path = self.folder / "last_good.safetensors"

    def save(self, tensors: Mapping[str, Tensor], progress: Mapping[str, Any]) -> None:
        """Replaces the checkpoint; `progress` holds what else is needed to go on, as JSON values."""
        whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        header = {"digest": self.digest, "progress": json.dumps(progress)}
        header["checksum"] = checksum_of(whole, header["progress"])
        write_tensors(self.path, whole, header)

    def keep_good(self) -> None:
        """Keeps a copy of the present checkpoint, unless there is one: the run may not recover."""
        if self.path.exists() and not self.good_path.exists():
            with replace_when_done(self.good_path) as partial:
                shutil.copyfile(self.path, partial)

    def drop_good(self) -> None:
        """Removes the copy: the run has recovered."""
        self.good_path.unlink(missing_ok=True)

    def newest_good(self) -> Path | None:
        """The newest checkpoint from before training diverged or collapsed."""
        return next((path for path in (self.good_path, self.path) if path.exists()), None)

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Tensors and progress of the checkpoint, or None if no usable one exists."""
        for rest in self.folder.rglob(".*.partial"):  # of a run that was killed while it wrote
            rest.unlink()
        if not self.path.exists():
            return None
        try:
            header, tensors = read_tensors(self.path, "checkpoint")
            if header.get("digest") != self.digest:
                self._set_aside("foreign", "it belongs to other parameters or data")
                return None
            if header["checksum"] != checksum_of(tensors, header["progress"]):
                raise ValueError("its bytes are not those that were written")
            return tensors, json.loads(header["progress"])
        except (InputError, KeyError, ValueError) as error:
            self._set_aside("corrupt", str(error).removeprefix(f"{self.path}: "))
            return None

    def _set_aside(self, kind: str, reason: str) -> None:
        aside = self.path.with_suffix(f".{kind}")
        self.path.replace(aside)
        print(
            f"checkpoint {self.path} not used: {reason}; kept as {aside.name}, beginning again",
            file=sys.stderr,
        )

    def clear(self) -> None:
        """Removes the run's folder once the result is complete; the copy from before a collapse stays."""
        if not self.folder.exists():
            return
        # The checkpoint goes first: a run killed after that begins again, and never goes on without its other files.
        self.path.unlink(missing_ok=True)
        for path in sorted(set(self.folder.iterdir()) - {self.good_path}):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        if not self.good_path.exists():
            self.folder.rmdir()
