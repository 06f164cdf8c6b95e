"""Looks at everything a person gave, before any work starts."""

from pathlib import Path

from workflow.params import load_params


def check(root: Path) -> None:
    load_params(root / "params.yaml")
