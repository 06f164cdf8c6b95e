"""Safetensors files: tensors by name, and a header of texts. No code runs when one is opened, unlike with a pickle.

A file of weights has one header entry, named for what the file holds (`network`, `autoencoder`, `classifier`): a JSON
object that tells how to build the module. One, because safetensors writes several entries in no fixed order.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dcgan.core.files import InputError, replace_when_done

Module = TypeVar("Module", bound=nn.Module)


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> None:
    """Writes tensors of any shape and device, whole or not at all; raises InputError if the disk refuses."""
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replace_when_done(path) as partial:
        save_file(whole, partial, dict(header))


def read_tensors(
    path: Path | str, kind: str, device: torch.device | str = "cpu"
) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The header and the tensors of a file; raises InputError, naming the path and `kind`, if it cannot be read."""
    try:
        with safe_open(str(path), framework="pt", device=str(device)) as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no dict)
            return file.metadata() or {}, tensors
    except (OSError, SafetensorError) as error:
        raise _unreadable(path, kind, error) from error


def write_weights(path: Path, module: nn.Module, kind: str, description: Mapping[str, Any]) -> None:
    """Writes a module's parameters and buffers, described by a JSON object under the header entry `kind`."""
    write_tensors(path, module.state_dict(), {kind: json.dumps(description)})


def read_description(path: Path | str, kind: str) -> dict[str, Any]:
    """The description that `write_weights` left in a file, without its tensors; InputError if there is none."""
    try:
        with safe_open(str(path), framework="pt") as file:
            description: dict[str, Any] = json.loads((file.metadata() or {})[kind])
            return description
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise _unreadable(path, kind, error) from error


def read_weights(
    path: Path | str, kind: str, build: Callable[[dict[str, Any]], Module], device: torch.device | str = "cpu"
) -> Module:
    """The module that `build` makes of a file's description, with the file's weights, on the device.

    Raises InputError, naming the path, if the file cannot be read, describes no `kind`, or holds other tensors than
    the module has. `build` may raise InputError itself; the path is put before its message.
    """
    header, tensors = read_tensors(path, kind, device)
    try:
        module = build(json.loads(header[kind]))
        module.load_state_dict(tensors)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except KeyError as error:
        raise InputError(f"{path}: not a readable {kind} (its description has no {error})") from error
    except (TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise _unreadable(path, kind, error) from error
    return module.to(device)


def _unreadable(path: Path | str, kind: str, error: Exception) -> InputError:
    """The error's message in one line."""
    return InputError(f"{path}: not a readable {kind} ({' '.join(str(error).split())})")
