"""Parameters of which the schema refuses a part: what it refuses is unknown, the rest can be looked at.

So all that is wrong is told at once, and a wrong value hides only what rests on it.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from functools import reduce
from operator import getitem
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from workflow.params.sections import Params
from workflow.params.unknown import UNKNOWN

KEY_ERRORS = ("extra_forbidden", "invalid_key")  # pydantic's types of errors about a key, not about its value


def known_part(tree: Mapping[str, Any]) -> tuple[Params, Sequence[Any]]:
    """The parameters in which all that the schema refuses is unknown, and pydantic's errors."""
    try:
        return Params.model_validate(tree), ()
    except ValidationError as error:
        # What has to fit an unknown value may be refused in the next round.
        return known_part(with_unknown(tree, error.errors()))[0], error.errors()


def with_unknown(tree: Mapping[str, Any], problems: Sequence[Any]) -> dict[str, Any]:
    """The same parameters, with an unknown value in place of each that is refused or missing, and no unknown keys.

    Of a section in place of which there is something else, every key is missing in the next round.
    """
    mended = deepcopy(dict(tree))
    for problem in problems:
        is_key = problem["type"] in KEY_ERRORS
        (*above, last), is_whole = (problem["loc"], False) if is_key else place_of_value(problem["loc"])
        section: Any = reduce(getitem, above, mended)
        for key in [key for key in section if is_key and last in (key, str(key))]:  # pydantic's place of true is 1
            del section[key]
        if not is_key and section is not UNKNOWN:
            section[last] = {} if is_whole else UNKNOWN
    return mended


def place_of_value(place: Sequence[Any]) -> tuple[Sequence[Any], bool]:
    """The deepest key of a section, or section, in a place of pydantic's, and whether it is a section.

    Deeper may be items of lists, and the types that pydantic tried.
    """
    kind: Any = Params
    found: tuple[Sequence[Any], bool] = place[:1], False
    for depth, part in enumerate(place[:-2] if place[-1] == "[key]" else place, 1):
        within = is_section(kind)
        if not (part in kind.model_fields if within else get_args(kind)):
            break
        kind = kind.model_fields[part].annotation if within else get_args(kind)[-1]
        if within or is_section(kind):
            found = place[:depth], is_section(kind)
    return found


def is_section(kind: Any) -> bool:
    """Whether a type is that of a section."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def apart(lines: Iterable[str], problems: Iterable[str]) -> list[str]:
    """Lines about other keys than those that there are lines about already."""
    told = [f"{problem.partition(': ')[0]}." for problem in problems]
    keys = ((line, f"{line.partition(': ')[0]}.") for line in lines)
    return [line for line, key in keys if not any(key.startswith(one) or one.startswith(key) for one in told)]
