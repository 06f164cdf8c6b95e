"""Named, seeded random generators.

Each purpose has a generator of its own, derived from the run's seed and from the names of the purpose. So a new
purpose never shifts the numbers of another, and any part can be drawn again alone.
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
    """The numpy generator of the named purpose."""
    return np.random.Generator(np.random.PCG64(derived_seed(seed, *names)))


def torch_generator(seed: int, *names: object, device: "str | torch.device" = "cpu") -> "torch.Generator":
    """The torch generator of the named purpose, on a device."""
    import torch  # takes seconds, and stages without networks do not need it

    return torch.Generator(device).manual_seed(derived_seed(seed, *names))
