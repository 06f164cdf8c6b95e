"""The authors' published weights, read array by array and never unpickled.

Source: `models/` of the authors' repository (Newmu/dcgan_code). Each network is a Python-2 joblib index, which is not
opened, and one plain `.npy` file per array: `30_discrim_params.jl_01.npy`, `..._02.npy`, in the order
w1, (w2, g2, b2), (w3, g3, b3), ..., wy for a discriminator and (w1, g1, b1), (w2, g2, b2), ..., wx for a generator.

Input: a folder of such files. Output: `Discriminator` and `Generator` of the named architecture. Theano's convolutions
flip their kernels, PyTorch's do not: kernels are flipped on both spatial axes. Dense weights are (inputs, outputs)
there and (outputs, inputs) here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from dcgan.core.files import InputError
from dcgan.models.architectures import Architecture
from dcgan.models.network import Network
from dcgan.models.networks import Discriminator, Generator

Role = Literal["discriminator", "generator"]
AnyNetwork = TypeVar("AnyNetwork", bound=Network)
FILE_NAME = re.compile(r"(?P<role>discrim|gen)_params\.jl_(?P<number>\d+)\.npy$")
FILE_ROLES: dict[str, Role] = {"discrim": "discriminator", "gen": "generator"}


@dataclass(frozen=True)
class PublishedArray:
    """One array of the published order: its number, our tensor's name, and Theano's shape of it."""

    role: Role
    number: int
    tensor: str
    shape: tuple[int, ...]
    path: Path | None = None

    @property
    def layer(self) -> int | None:
        """The convolution that the array belongs to (its kernel, or the batch norm behind it); None for dense ones."""
        module, index, _ = self.tensor.split(".")
        if module == "convolutions":
            return int(index)
        if module == "norms":
            return int(index) + (self.role == "discriminator")
        return None


def published_order(network: Network) -> list[str]:
    """Our tensors' names in the order of the published files.

    Raises InputError for architectures that the published code has no such files for.
    """
    a = network.architecture
    if a.classes or a.generator_hidden or a.discriminator_hidden or not a.norm_affine:
        raise InputError(f"{a.name}: the published order is known for networks without labels and hidden dense layers")
    convolutions = range(len(a.discriminator_layers if isinstance(network, Discriminator) else a.generator_layers))
    names: list[str] = []
    if isinstance(network, Generator):
        names += ["dense.0.weight", "dense_norms.0.gain", "dense_norms.0.bias"]
        for index in convolutions:
            names += [f"convolutions.{index}.weight", f"norms.{index}.gain", f"norms.{index}.bias"]
        return names[:-2]
    for index in convolutions:
        names += [f"convolutions.{index}.weight", f"norms.{index - 1}.gain", f"norms.{index - 1}.bias"]
    return [names[0], *names[3:], "dense.0.weight"]


def catalogue(folder: Path, architecture: Architecture) -> list[PublishedArray]:
    """Every array that the architecture needs, with its file, if any.

    Raises InputError if the folder has no such files, or has one that the architecture has no place for or that holds
    another array than it needs; the latter even if missing files make it useless.
    """
    files = _files_by_number(folder)
    arrays = []
    for network in (Discriminator(architecture), Generator(architecture)):
        role: Role = "discriminator" if isinstance(network, Discriminator) else "generator"
        tensors = network.state_dict()
        for number, name in enumerate(published_order(network), start=1):
            shape = tuple(tensors[name].shape)
            shape = shape[::-1] if len(shape) == 2 else shape
            arrays.append(PublishedArray(role, number, name, shape, files.pop((role, number), None)))
    if files:
        raise InputError(f"{min(files.values())}: {architecture.name} has no array of that number")
    for array in arrays:
        if array.path is not None:
            read_array(array)
    return arrays


def _files_by_number(folder: Path) -> dict[tuple[Role, int], Path]:
    files: dict[tuple[Role, int], Path] = {}
    for path in sorted(Path(folder).glob("*.npy")):
        match = FILE_NAME.search(path.name)
        if match:
            place = FILE_ROLES[match["role"]], int(match["number"])
            if place in files:
                raise InputError(f"{path}: the same array as {files[place].name}; keep one epoch's files in a folder")
            files[place] = path
    if not files:
        raise InputError(f"{folder}: no published arrays (files that end in discrim_params.jl_01.npy and so on)")
    return files


def read_array(array: PublishedArray) -> npt.NDArray[np.float32]:
    """Reads one array in PyTorch's layout; raises InputError if it is not the array that the architecture needs."""
    assert array.path is not None
    try:
        # np.load would open zips too; allow_pickle=False refuses files that would run code when read.
        with array.path.open("rb") as file:
            values = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{array.path}: not a plain numpy array ({error})") from error
    if values.dtype != np.float32 or values.shape != array.shape:
        raise InputError(
            f"{array.path}: {array.tensor} of the {array.role} is float32 {array.shape}, "
            f"found {values.dtype} {values.shape}"
        )
    if not np.isfinite(values).all():
        raise InputError(f"{array.path}: {array.tensor} of the {array.role} holds values that are not finite")
    if values.ndim == 4:
        values = values[:, :, ::-1, ::-1]
    return np.ascontiguousarray(values.T if values.ndim == 2 else values)


def whole_layers(arrays: list[PublishedArray]) -> int:
    """How many of the discriminator's convolutional layers, from the image upwards, have all their arrays."""
    broken = {array.layer for array in arrays if array.path is None and array.role == "discriminator"}
    layers = [array.layer for array in arrays if array.role == "discriminator" and array.layer is not None]
    return next((layer for layer in range(max(layers) + 1) if layer in broken), max(layers) + 1)


def load_discriminator(arrays: list[PublishedArray], architecture: Architecture) -> Discriminator:
    """The published discriminator; if arrays are missing, its first complete layers as a shorter architecture.

    A shortened network has no last dense layer: its weights are NaN, so that its logits are no numbers, while its
    features are those of the published network. Raises InputError if not even the first layer is complete.
    """
    layers = whole_layers(arrays)
    if layers == 0:
        raise InputError(f"{architecture.name}: the first layer's array of the discriminator is missing")
    complete = all(array.path for array in arrays if array.role == "discriminator")
    if not complete:
        architecture = replace(architecture, discriminator_layers=architecture.discriminator_layers[:layers])
    network = Discriminator(architecture)
    with torch.no_grad():
        network.dense[-1].get_parameter("weight").fill_(torch.nan)
    wanted = [
        a for a in arrays if a.role == "discriminator" and (complete or (a.layer is not None and a.layer < layers))
    ]
    return _fill(network, wanted)


def load_generator(arrays: list[PublishedArray], architecture: Architecture) -> Generator | None:
    """The published generator, or None if an array of it is missing: a part of a generator draws nothing."""
    wanted = [array for array in arrays if array.role == "generator"]
    return _fill(Generator(architecture), wanted) if all(array.path for array in wanted) else None


def _fill(network: AnyNetwork, arrays: list[PublishedArray]) -> AnyNetwork:
    tensors = network.state_dict()
    for name, values in _tensors(arrays):
        tensors[name].copy_(torch.from_numpy(values))
    return network


def _tensors(arrays: list[PublishedArray]) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    for array in arrays:
        yield array.tensor, read_array(array)
