"""Reads plain values and byte arrays out of a pickle without running it.

CIFAR-10 comes as pickles, and unpickling runs whatever the file asks for. Here the opcodes are listed with
`pickletools.genops`, which runs nothing, and put together into dicts, lists, tuples, text, bytes and numbers; of all
functions only those that numpy and Python 2 text need are known, by name, and none is ever called.

Raises InputError where a pickle asks for anything else.
"""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dcgan.core.files import InputError

# Protocols below 3 have no bytes: they are written as text to be encoded, always in Latin-1.
BYTES_AS_TEXT = "_codecs encode"
KNOWN_NAMES = frozenset(
    {
        "numpy.core.multiarray _reconstruct",
        "numpy._core.multiarray _reconstruct",
        "numpy ndarray",
        "numpy dtype",
        BYTES_AS_TEXT,
    }
)
NUMBERS = frozenset({"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"})
TEXTS = frozenset(
    {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
)
BYTES = frozenset({"BINBYTES", "SHORT_BINBYTES", "BINBYTES8"})
VALUES = NUMBERS | TEXTS | BYTES
CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
IGNORED = frozenset({"PROTO", "FRAME"})
MARK = object()


@dataclass(frozen=True)
class Name:
    """A function or class that the pickle names."""

    text: str


@dataclass
class Call:
    """A call that the pickle asks for and that is not made, and the state it wants to give to the result."""

    function: Any
    arguments: Any
    state: Any = None


class Reader:
    """The stack and the memo of a pickle while its opcodes are read."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def since_mark(self) -> list[Any]:
        """Takes everything above the last mark, and the mark."""
        at = len(self.stack) - 1 - self.stack[::-1].index(MARK)
        items = self.stack[at + 1 :]
        del self.stack[at:]
        return items

    def take(self, count: int) -> list[Any]:
        """Takes the last items."""
        items = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return items

    def name(self, text: str) -> None:
        """Pushes a name that is allowed."""
        if text not in KNOWN_NAMES:
            raise InputError(f"the pickle asks for {text!r}, which no data file needs; it is not opened")
        self.stack.append(Name(text))

    def call(self) -> None:
        """Replaces a name and its arguments by a record of the call, or by the bytes that Python 2 or 3 wrote so."""
        function, arguments = self.take(2)
        if not isinstance(function, Name):
            raise ValueError("a call of something that is no name")
        if function.text == BYTES_AS_TEXT:
            self.stack.append(as_bytes(arguments[0]))
        else:
            self.stack.append(Call(function.text, arguments))

    def build(self) -> None:
        """Keeps the state that is meant for the result of a call."""
        (state,) = self.take(1)
        if not isinstance(self.stack[-1], Call):
            raise ValueError("a state for something that is no object")
        self.stack[-1].state = state

    def set_items(self, items: list[Any]) -> None:
        """Puts keys and values, in turn, into the dict below them."""
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))


def build_actions() -> dict[str, Callable[[Reader, Any], None]]:
    """What each opcode does to a reader."""
    return {
        "MARK": lambda reader, _: reader.stack.append(MARK),
        "EMPTY_LIST": lambda reader, _: reader.stack.append([]),
        "EMPTY_DICT": lambda reader, _: reader.stack.append({}),
        "EMPTY_TUPLE": lambda reader, _: reader.stack.append(()),
        "LIST": lambda reader, _: reader.stack.append(reader.since_mark()),
        "TUPLE": lambda reader, _: reader.stack.append(tuple(reader.since_mark())),
        "TUPLE1": lambda reader, _: reader.stack.append(tuple(reader.take(1))),
        "TUPLE2": lambda reader, _: reader.stack.append(tuple(reader.take(2))),
        "TUPLE3": lambda reader, _: reader.stack.append(tuple(reader.take(3))),
        "DICT": lambda reader, _: (items := reader.since_mark(), reader.stack.append({}), reader.set_items(items))[1],
        "SETITEM": lambda reader, _: reader.set_items(reader.take(2)),
        "SETITEMS": lambda reader, _: reader.set_items(reader.since_mark()),
        "APPEND": lambda reader, _: (item := reader.take(1), reader.stack[-1].extend(item))[1],
        "APPENDS": lambda reader, _: (items := reader.since_mark(), reader.stack[-1].extend(items))[1],
        "GLOBAL": lambda reader, text: reader.name(text),
        "STACK_GLOBAL": lambda reader, _: reader.name(" ".join(reader.take(2))),
        "REDUCE": lambda reader, _: reader.call(),
        "BUILD": lambda reader, _: reader.build(),
        "MEMOIZE": lambda reader, _: reader.memo.update({len(reader.memo): reader.stack[-1]}),
        **dict.fromkeys(
            ("PUT", "BINPUT", "LONG_BINPUT"), lambda reader, slot: reader.memo.update({slot: reader.stack[-1]})
        ),
        **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda reader, slot: reader.stack.append(reader.memo[slot])),
    }


ACTIONS = build_actions()


def read_pickle(path: Path) -> Any:
    """The value a pickle holds; raises InputError where it is damaged or asks for more than plain data."""
    try:
        return interpret(Path(path).read_bytes())
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (OSError, ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(f"{path}: not a readable pickle ({' '.join(str(error).split())})") from error


def interpret(content: bytes) -> Any:
    """Goes through the opcodes up to STOP."""
    reader = Reader()
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name in VALUES:
            reader.stack.append(argument)
        elif opcode.name in CONSTANTS:
            reader.stack.append(CONSTANTS[opcode.name])
        elif opcode.name in ACTIONS:
            ACTIONS[opcode.name](reader, argument)
        elif opcode.name not in IGNORED and opcode.name != "STOP":
            raise InputError(f"the pickle uses {opcode.name}, which no data file needs; it is not opened")
    return reader.stack[-1]


def as_array(value: Any) -> npt.NDArray[np.uint8]:
    """A recorded numpy array of bytes as an array; raises ValueError where it is none."""
    if not isinstance(value, Call) or not value.function.endswith(" _reconstruct"):
        raise ValueError("no numpy array")
    _, shape, dtype, fortran_order, raw = value.state
    if not isinstance(dtype, Call) or dtype.arguments[0] != "u1" or fortran_order:
        raise ValueError("no array of bytes in C order")
    return np.frombuffer(as_bytes(raw), np.uint8).reshape(shape)


def as_bytes(text: str | bytes) -> bytes:
    """Python 2's text, which was bytes."""
    return text if isinstance(text, bytes) else text.encode("latin-1")


def as_text(value: str | bytes) -> str:
    """Text, whether Python 2 or 3 wrote it."""
    return value if isinstance(value, str) else value.decode("latin-1")
