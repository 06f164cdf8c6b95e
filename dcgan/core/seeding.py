"""Named, seeded random generators.

Every random number of a run comes from a generator that is derived from the run's seed and from the names of what it
is for, so that adding a consumer never shifts the numbers of another, and any part can be drawn again alone.
"""

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derived_seed(seed: int, *names: object) -> int:
    """A 63-bit seed from the run's seed and a path of names, the same on every machine."""
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def numpy_generator(seed: int, *names: object) -> np.random.Generator:
    """A numpy generator of its own for the named purpose."""
    return np.random.Generator(np.random.PCG64(derived_seed(seed, *names)))


def torch_generator(seed: int, *names: object, device: "str | torch.device" = "cpu") -> "torch.Generator":
    """A torch generator of its own for the named purpose."""
    import torch  # seconds, which stages without networks are spared

    return torch.Generator(device).manual_seed(derived_seed(seed, *names))
