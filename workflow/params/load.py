"""Reads `params.yaml` and checks it against its schema.

Unknown keys, wrong types and impossible combinations raise InputError with a line for each, which names the key, the
value, what is allowed and the nearest right spelling.

Every section but `run`, `shared` and `report` can be off. `LEFT_OUT` has those that may be missing; dvc.yaml has
the same as its `vars`, because DVC reads params.yaml itself. DVC has no default for a list: sections that switch by
lists have to be there, `demo: {sets: []}`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dcgan.core.files import InputError, raise_all
from workflow.params.consistency import impossible
from workflow.params.figures import Figures
from workflow.params.refused import KEY_ERRORS, apart, known_part
from workflow.params.sections import Classifiers, Params, Shared
from workflow.params.spelling import did_you_mean, nearest

# What a section has to have while it makes no stage; numbers it may then lack.
OFF: Mapping[str, Mapping[str, Any]] = {
    "demo": {"sets": []},
    "export": {"sets": [], "shards": []},
    "autoencoder": {"sets": {}},
    "deduplicate": {"truth": []},
    "crop_faces": {"sets": [], "shards": []},
    "pack": {"sets": {}},
    "train": {},
    "guidelines": {"sets": [], "seeds": [], "variants": {}},
    "published": {},
    "features": {},
    "svm": {},
    "neighbours": {},
    "kmeans": {},
    "supervised": {"results": [], "shards": []},
    "classifiers": {kind: {} for kind in Classifiers.model_fields},
    "figures": {kind: {} for kind in Figures.model_fields},
    "onnx": {},
    "explore": {"pages": [], "networks": []},
    "quality": {"sets": {}},
}
LEFT_OUT = {name: off for name, off in OFF.items() if not any(isinstance(value, list) for value in off.values())}


def total(params: Params, number: Any) -> float:
    """A number, or the sum of keys of params.yaml: what rates.yaml has for sources of the demo."""
    if not isinstance(number, list):
        return float(number)
    try:
        return float(sum(reduce(getattr, key.split("."), params) for key in number))  # type: ignore[misc]
    except AttributeError as error:
        raise InputError(f"params.yaml: {' and '.join(number)} are needed: how much is rendered") from error


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
    """Reads and checks a params.yaml; raises InputError with one line for everything that is wrong."""
    return check_params(read_yaml(path), path)


def check_params(content: Mapping[str, Any], where: object) -> Params:
    """The same for the content of such a file."""
    params, problems = read_params(content)
    raise_all(f"{where}: {problem}" for problem in [*problems, *apart(impossible(params), problems)])
    return params


def check_schema(content: Mapping[str, Any], where: object) -> Params:
    """The same without the combinations: what has to be right before anything else can be looked at."""
    params, problems = read_params(content)
    raise_all(f"{where}: {problem}" for problem in problems)
    return params


def read_params(content: Mapping[str, Any]) -> tuple[Params, list[str]]:
    """The parameters, and a line for each value that the schema refuses: it is unknown in them."""
    params, refused = known_part(with_off(with_shared(content)))
    problems = [*switched_by_enabled(content), *read_by_explore(content)]
    told = {problem.partition(": ")[0] for problem in problems}
    found = descriptions(refused, content)
    return params, problems + [problem for problem in found if problem.partition(": ")[0] not in told]


def with_off(content: Mapping[str, Any]) -> dict[str, Any]:
    """The same parameters with every section that may be left out; those that are off are done, without their numbers.

    A set that is exported needs the numbers of `deduplicate`.
    """
    whole: dict[str, Any] = merged(LEFT_OUT, content)
    exported = "export" in whole and not is_off("export", whole)
    for name in (name for name, off in OFF.items() if whole.get(name) == off):
        kind = Params.model_fields[name].annotation
        needed = name == "deduplicate" and exported
        if isinstance(kind, type) and issubclass(kind, BaseModel) and not needed:
            whole[name] = kind.model_construct(**OFF[name])
    return whole


def is_off(name: str, content: Mapping[str, Any]) -> bool:
    """Whether a section makes no stage, with or without numbers."""
    section = content.get(name)
    return isinstance(section, Mapping) and OFF[name].items() <= section.items()


def switched_by_enabled(tree: Any, place: tuple[str, ...] = ()) -> Iterator[str]:
    """A line for each section with a key `enabled`: DVC, which reads the same file, would take it for a name."""
    for key, value in tree.items() if isinstance(tree, Mapping) else ():
        if key == "enabled" and isinstance(value, bool) and place and place[0] in OFF:
            yield f"{'.'.join(place)}.enabled: unknown key ({how_off(place)})"
        yield from switched_by_enabled(value, (*place, str(key)))


def read_by_explore(content: Mapping[str, Any]) -> Iterator[str]:
    """A line for each figure that is left out while the page that offers to annotate it is made."""
    figures = content.get("figures", {})
    if "explore" in content and not is_off("explore", content) and isinstance(figures, Mapping):
        for name in ("windows", "arithmetic", "turn"):
            if name not in figures:
                yield f"figures.{name}: missing (explore reads it; to switch it off, write figures: {{{name}: {{}}}})"


def how_off(place: Sequence[Any]) -> str:
    """What to do with a section that is to be off."""
    name = ".".join(map(str, place))
    if name not in OFF or name in LEFT_OUT:
        return f"to switch it off, leave {name} out"
    return f"to switch it off, write {name}: {{{', '.join(f'{key}: {empty}' for key, empty in OFF[name].items())}}}"


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


def descriptions(problems: Sequence[Any], content: Mapping[str, Any]) -> Iterator[str]:
    """One line a key out of pydantic's errors; misspelled keys come first."""
    # Without `shared`, every section of its kinds lacks some keys.
    no_shared = any(problem["loc"][0] == "shared" for problem in problems if problem["type"] != "extra_forbidden")
    spelt = {misspelled_for(problem) for problem in problems if problem["type"] == "extra_forbidden"}
    for problem in sorted(problems, key=lambda problem: problem["type"] != "extra_forbidden"):
        # A misspelled key is also a missing one: the spelling is what helps.
        follows = problem["loc"] in spelt or (no_shared and problem["loc"][0] in Shared.model_fields)
        if problem["type"] != "missing" or not follows:
            yield describe(problem, content)


def misspelled_for(problem: Any) -> Sequence[Any]:
    """The place of the key that an unknown one was probably meant to be; its own if there is none."""
    *section, name = problem["loc"]
    return (*section, nearest(name, known_keys(section)) or name)


def describe(problem: Any, content: Mapping[str, Any]) -> str:
    """One line out of a pydantic error: key, value, what is allowed and the nearest spelling."""
    place = problem["loc"]
    if problem["type"] not in (*KEY_ERRORS, "missing"):
        place = written_part(place, with_shared(content))
    key = ".".join(map(str, written_at(place, content)))
    if problem["type"] == "extra_forbidden":
        near = did_you_mean(place[-1], known_keys(place[:-1]))
        return f"{key}: unknown key" + (f" ({near})" if near else "")
    if problem["type"] == "missing":
        return f"{key}: missing" + (f" ({how_off(place)})" if key in OFF else "")
    allowed = problem["msg"].removeprefix("Value error, ")
    if problem["input"] is None and place[0] in OFF and len(place) == 1:
        allowed += f"; {how_off(place)}"
    if problem["type"] == "literal_error":
        near = did_you_mean(problem["input"], re.findall("'(.*?)'", problem["ctx"]["expected"]))
        allowed += f"; {near}" if near else ""
    return f"{key}: {'null' if problem['input'] is None else repr(problem['input'])} is not allowed ({allowed})"


def written_part(place: Sequence[Any], content: Mapping[str, Any]) -> Sequence[Any]:
    """A place without what pydantic puts into it: which of several types it tried, or that a key is meant."""
    written: list[Any] = []
    for part in place:
        written += [part] if is_in(content, [*written, part]) else []
    return written


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
