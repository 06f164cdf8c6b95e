"""What `make check` tells of a checkout, told of an experiment before DVC starts: changed parameters and a target."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.utils.hydra import apply_overrides
from omegaconf.errors import OmegaConfBaseException

from dcgan.core.files import InputError
from workflow.engines import dag
from workflow.engines.check import check_content
from workflow.params.load import check_schema, read_yaml

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
    try:
        apply_overrides(path, list(changes))
    except (DvcException, OmegaConfBaseException) as error:
        raise InputError(f"{' '.join(changes)}: {' '.join(str(error.__cause__ or error).split())}") from error
    return read_yaml(path)
