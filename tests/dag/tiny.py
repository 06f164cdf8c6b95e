"""The parameters in git, made very small by `tiny.yaml`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from workflow.params import read_yaml

TINY = Path(__file__).with_name("tiny.yaml")


def tiny_params(path: Path, further: Mapping[str, Any] | None = None) -> None:
    """Rewrites a params.yaml with the values of tiny.yaml, and further ones; an unknown key is an error."""
    params = read_yaml(TINY.parents[2] / "params.yaml")
    override(params, read_yaml(TINY))
    override(params, further or {})
    YAML(typ="safe").dump(params, path)


def override(params: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Sets values in a tree; the key `*` means every key of a section, the value `left out` takes a key away."""
    for key, value in changes.items():
        if key == "*":
            for section in params.values():
                override(section, value)
        elif value == "left out":
            del params[key]
        elif isinstance(value, Mapping):
            override(params[key], value)
        else:
            assert key in params, key
            params[key] = value
