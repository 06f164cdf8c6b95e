"""What `make check` tells of a checkout, told of an experiment before DVC starts: changed parameters and a target."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.utils.hydra import apply_overrides, to_hydra_overrides
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from dcgan.core.files import InputError, raise_all
from workflow.engines import dag
from workflow.engines.check import check_content
from workflow.params.load import check_schema, read_yaml, with_shared
from workflow.params.spelling import did_you_mean

WHERE = "with these changes"


def check_changes(root: Path, changes: Sequence[str], target: str = "") -> None:
    """Raises InputError if parameters with these changes are wrong for what a target needs, by default for all.

    params.yaml stays as it is.
    """
    with dag.with_parameters(root, read_yaml(root / "params.yaml")) as folder:
        content = changed(folder / "params.yaml", changes)
        check_schema(content, WHERE)
        stages = dag.resolve(folder)
    check_content(root, content, WHERE, lambda: stages, [target], devices=True)


def changed(path: Path, changes: Sequence[str]) -> dict[str, Any]:
    """Changes the parameters in a file and returns all; raises InputError for what Hydra cannot read, or not find."""
    before = read_yaml(path)
    try:
        raise_all(misspelled(before, changes))
        apply_overrides(path, list(changes))
    except (DvcException, HydraException, OmegaConfBaseException) as error:
        raise InputError(f"{' '.join(changes)}: {' '.join(str(error.__cause__ or error).split())}") from error
    return read_yaml(path)


def misspelled(content: Mapping[str, Any], changes: Sequence[str]) -> Iterator[str]:
    """A line for each key that is to be changed and is not there."""
    there, with_common = set(dotted(content)), set(dotted(with_shared(content)))
    for change in to_hydra_overrides(changes):
        key = change.key_or_group
        if not (change.is_add() or change.is_force_add() or key in there):
            near = did_you_mean(key, with_common)
            hint = f"its section has it from shared; write ++{change.input_line}" if key in with_common else near
            yield f"{key or change.input_line}: unknown key" + (f" ({hint})" if hint else "")


def dotted(tree: Any, place: str = "") -> Iterator[str]:
    """Every key of a tree of mappings and lists, with dots."""
    items = tree.items() if isinstance(tree, Mapping) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield f"{place}{key}"
        yield from dotted(value, f"{place}{key}.")
