"""Plain values and byte arrays out of a pickle, without running what it names.

CIFAR-10 comes as pickles, and a pickle may name any function and have it called. An unpickler whose `find_class` is
overridden restricts that (library reference of `pickle`, "Restricting Globals"). The usual exception for numpy is not
safe, because `ndarray.__setstate__` trusts the bytes that it gets. So no name is found here: each becomes a record of
the call, and `as_array` makes an array of the one kind of record that CIFAR-10 needs.
"""

import io
import pickle
import pickletools
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dcgan.core.files import InputError

ARRAYS = {"numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct"}
RECORDED = ARRAYS | {"numpy ndarray", "numpy dtype"}
BYTES_AS_TEXT = "_codecs encode"  # protocols below 3 have no bytes: they are written as text to be encoded in Latin-1


class Call:
    """A call that a pickle wants but that is not made, with its arguments and the state for its result."""

    def __init__(self, function: str, *arguments: Any) -> None:
        self.function, self.arguments, self.state = function, arguments, None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class RecordingUnpickler(pickle.Unpickler):
    """Reads plain values; the names that numpy's arrays need become records, any other raises InputError."""

    def find_class(self, module: str, name: str) -> Any:
        """A new object each time, so that no pickle can change what the next one finds."""
        found = f"{module} {name}"
        if found == BYTES_AS_TEXT:
            return lambda text, _: as_bytes(text)
        if found not in RECORDED:
            raise InputError(f"the pickle asks for {found!r}, which no data file needs; it is not opened")
        return partial(Call, found)


def read_pickle(path: Path) -> Any:
    """The value of a pickle, with Python 2's text as Latin-1; raises InputError if it is damaged or needs more."""
    try:
        content = Path(path).read_bytes()
        check_sizes(content)
        return RecordingUnpickler(io.BytesIO(content), encoding="latin-1").load()
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except Exception as error:  # damaged bytes raise whatever the unpickler stumbles over
        raise InputError(f"{path}: not a readable pickle ({' '.join(str(error).split())})") from error


def check_sizes(content: bytes) -> None:
    """Raises ValueError for a few bytes that would make the unpickler allocate gigabytes.

    `genops` only lists the opcodes, and refuses one that is longer than the rest of the file. The unpickler's memo is
    as long as the largest number in it.
    """
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name in ("PUT", "LONG_BINPUT") and int(argument or 0) > len(content):
            raise ValueError(f"memo number {argument} in {len(content)} bytes")


def as_array(value: Any) -> npt.NDArray[np.uint8]:
    """A recorded numpy array of bytes, of any shape, as an array; raises ValueError if it is not one."""
    if not isinstance(value, Call) or value.function not in ARRAYS or value.state is None:
        raise ValueError("not a numpy array")
    _, shape, dtype, fortran_order, raw = value.state
    if not isinstance(dtype, Call) or dtype.arguments[:1] != ("u1",) or fortran_order:
        raise ValueError("not an array of bytes in C order")
    return np.frombuffer(as_bytes(raw), np.uint8).reshape(shape)


def as_bytes(text: str | bytes) -> bytes:
    """Python 2's text, which was bytes."""
    return text if isinstance(text, bytes) else text.encode("latin-1")


def as_text(value: str | bytes) -> str:
    """Text, whether Python 2 or 3 wrote it."""
    return value if isinstance(value, str) else value.decode("latin-1")
