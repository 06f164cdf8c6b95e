"""Named, seeded random generators.

Each purpose has a generator of its own, derived from the run's seed and from the names of the purpose. So a new
purpose never shifts the numbers of another, and any part can be drawn again alone.
"""

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch


MERSENNE_WORDS = 624  # of 32 bits: the state of a Mersenne Twister


def derived_seed(seed: int, *names: object) -> int:
    """A 63-bit seed from the run's seed and a path of names, the same on every machine."""
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def numpy_generator(seed: int, *names: object) -> np.random.Generator:
    """The numpy generator of the named purpose."""
    return np.random.Generator(np.random.PCG64(derived_seed(seed, *names)))


def torch_generator(seed: int, *names: object, device: "str | torch.device" = "cpu") -> "torch.Generator":
    """A torch generator of its own for the named purpose.

    On a CPU, `manual_seed` looks at the low 32 bits only: among a million minibatches a hundred pairs would share their
    numbers. So the whole state of its Mersenne Twister follows from the key. On a GPU all bits of the seed count.
    """
    import torch  # seconds, which stages without networks are spared

    key = derived_seed(seed, *names)
    generator = torch.Generator(device)
    if generator.device.type != "cpu":
        return generator.manual_seed(key)
    generator.set_state(torch.from_numpy(mersenne_state(key, generator.get_state().numpy())))
    return generator


def mersenne_state(key: int, state: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """PyTorch's state of a CPU generator, (5056,) uint8, with 624 words that follow from a key of any length.

    Its layout: the seed (uint64), words left (int32), whether it is seeded (int32), the next word (uint64), 624 words
    (uint64 each), what is left of normal numbers. One word left means that the next number makes 624 new ones.
    """
    words = np.random.SeedSequence(key).generate_state(MERSENNE_WORDS)
    head = np.array([key], np.uint64).tobytes() + np.array([1, 1, 0, 0], np.int32).tobytes()
    start = head + words.astype(np.uint64).tobytes()
    return np.concatenate([np.frombuffer(start, np.uint8), np.zeros_like(state[len(start) :])])
