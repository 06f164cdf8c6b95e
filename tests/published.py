"""The authors' weights as they published them, made of networks of our own."""

from pathlib import Path

import numpy as np

from dcgan.models.networks import Discriminator
from dcgan.models.published_weights import published_order


def write_arrays(folder: Path, network: Discriminator, prefix: str = "5_discrim_params.jl") -> None:
    """A network as the authors' files hold it."""
    tensors = network.state_dict()
    for number, name in enumerate(published_order(network), start=1):
        values = tensors[name].numpy()
        values = values.T if values.ndim == 2 else values[:, :, ::-1, ::-1] if values.ndim == 4 else values
        np.save(folder / f"{prefix}_{number:02d}.npy", values)
