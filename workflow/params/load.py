"""Reads `params.yaml` and checks it against its schema.

An unknown key, a wrong type or an impossible combination raises InputError with one line that names the key, the
value and what is allowed.
"""

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dcgan.core.files import InputError
from workflow.params.consistency import impossible
from workflow.params.sections import Params


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML 1.2 file, as DVC reads it: 2e-4 is a number; raises InputError where there is none."""
    try:
        content = YAML(typ="safe", pure=True).load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise InputError(f"{path}: cannot be read ({' '.join(str(error).split())})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected sections of parameters, found {type(content).__name__}")
    return content


def load_params(path: Path) -> Params:
    """Reads and checks a params.yaml; raises InputError with one line for the first thing that is wrong."""
    try:
        params = Params.model_validate(read_yaml(path))
    except ValidationError as error:
        raise InputError(f"{path}: {describe(error.errors()[0])}") from error
    for problem in impossible(params):
        raise InputError(f"{path}: {problem}")
    return params


def describe(problem: Any) -> str:
    """One line out of a pydantic error: key, value and what is allowed."""
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key"
    if problem["type"] == "missing":
        return f"{key}: missing"
    return f"{key}: {problem['input']!r} is not allowed ({problem['msg']})"
