"""Reads `params.yaml` and checks it against its schema.

An unknown key, a wrong type or an impossible combination raises InputError with one line that names the key, the
value and what is allowed.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dcgan.core.files import InputError
from workflow.params.consistency import impossible
from workflow.params.sections import Params


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML 1.2 file, as DVC reads it: 2e-4 is a number; raises InputError if there is none."""
    try:
        return parse_yaml(Path(path).read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({' '.join(str(error).split())})") from error


def parse_yaml(text: str, where: object) -> dict[str, Any]:
    """The same for a text that comes from `where`."""
    try:
        content = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise InputError(f"{where}: cannot be read ({' '.join(str(error).split())})") from error
    if not isinstance(content, dict):
        raise InputError(f"{where}: expected sections of parameters, found {type(content).__name__}")
    return content


def load_params(path: Path) -> Params:
    """Reads and checks a params.yaml; raises InputError with one line for the first thing that is wrong."""
    return check_params(read_yaml(path), path)


def check_params(content: Mapping[str, Any], where: object) -> Params:
    """The same for the content of such a file."""
    try:
        params = Params.model_validate(with_shared(content))
    except ValidationError as error:
        # A misspelled key is also a missing one: the spelling is what helps.
        first = min(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
        raise InputError(f"{where}: {describe(first, content)}") from error
    for problem in impossible(params):
        raise InputError(f"{where}: {problem}")
    return params


def with_shared(content: Mapping[str, Any]) -> dict[str, Any]:
    """The same parameters, whose sections `train.*` and `svm.*` also have the keys of `shared.train` and `shared.svm`.

    A key that a section has itself keeps its value; the schema tells what is wrong with anything of another form.
    """
    whole, shared = dict(content), content.get("shared")
    for kind, common in shared.items() if isinstance(shared, Mapping) else ():
        if isinstance(sections := content.get(kind), Mapping):
            whole[kind] = {name: merged(common, section) for name, section in sections.items()}
    return whole


def merged(base: Any, changes: Any) -> Any:
    """A tree with other values in some places; a list is one value."""
    if not (isinstance(base, Mapping) and isinstance(changes, Mapping)):
        return changes
    return {**base, **{key: merged(base.get(key), value) for key, value in changes.items()}}


def describe(problem: Any, content: Mapping[str, Any]) -> str:
    """One line out of a pydantic error: key, value and what is allowed."""
    key = ".".join(map(str, written_at(problem["loc"], content)))
    if problem["type"] == "extra_forbidden":
        near = get_close_matches(str(problem["loc"][-1]), known_keys(problem["loc"][:-1]), n=1)
        return f"{key}: unknown key" + (f" (did you mean {near[0]}?)" if near else "")
    if problem["type"] == "missing":
        return f"{key}: missing"
    return f"{key}: {problem['input']!r} is not allowed ({problem['msg']})"


def written_at(place: Sequence[Any], content: Mapping[str, Any]) -> Sequence[Any]:
    """Where the file has a key of a section: in the section itself, or among those that its kind shares."""
    kind, name, *rest = [*place, None, None][: max(len(place), 2)]
    shared = ("shared", kind, *rest)
    return shared if rest and not is_in(content, place) and is_in(content, shared) else place


def is_in(tree: Any, place: Sequence[Any]) -> bool:
    """Whether a tree of mappings and lists has such a place."""
    with suppress(KeyError, IndexError, TypeError):
        reduce(getitem, place, tree)
        return True
    return False


def known_keys(place: Sequence[Any]) -> list[str]:
    """The keys that the schema allows in a section."""
    kind: Any = Params
    for part in place:
        known = isinstance(kind, type) and issubclass(kind, BaseModel)
        kind = kind.model_fields[part].annotation if known else get_args(kind)[-1]
    return list(kind.model_fields)
