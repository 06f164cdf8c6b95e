"""The files of several states of the project: the workspace, revisions, branches, tags, and `dvc exp`'s experiments.

Input: names as git and DVC know them. Output: `Revision` objects that read a file as it was then: from git, or from
DVC's cache or remote where DVC keeps it. Nothing is checked out; the workspace stays as it is.
"""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dcgan.core.files import InputError
from workflow.engines.code_dependencies import PACKAGES
from workflow.engines.git import git

WORKSPACE = "workspace"
CODE = (*PACKAGES, "dvc.yaml")


@dataclass(frozen=True)
class Revision:
    """One state of the project. `commit` is empty for the workspace; `outputs` says which stage makes a path."""

    name: str
    commit: str
    outputs: dict[str, str]
    files: Any

    def read(self, path: str) -> bytes | None:
        """A file's content; None where this state has no such file, or no copy of it is at hand."""
        from dvc.exceptions import DvcException

        try:
            return bytes(self.files.cat_file(path))
        except (OSError, DvcException):
            return None

    def paths(self, folder: str, suffix: str) -> Iterator[str]:
        """Outputs of a kind in a folder, in a fixed order."""
        return (path for path in sorted(self.outputs) if path.startswith(folder) and path.endswith(suffix))

    def inside(self, folder: str) -> list[str]:
        """Files below a folder that is an output; none where it was not made."""
        from dvc.exceptions import DvcException
        from dvc_data.index import DataIndexDirError

        try:
            return sorted(path.lstrip("/") for path in self.files.find(folder))
        except (OSError, DvcException, DataIndexDirError):
            return []

    def params(self) -> dict[str, Any]:
        """params.yaml by dotted keys; raises InputError where there is none."""
        content = self.read("params.yaml")
        try:
            tree = None if content is None else YAML(typ="safe", pure=True).load(content.decode())
        except (UnicodeDecodeError, YAMLError) as error:
            raise InputError(f"{self.name}: params.yaml cannot be read ({' '.join(str(error).split())})") from error
        if not isinstance(tree, dict):
            raise InputError(f"{self.name}: no params.yaml with parameters in it")
        return flat(tree)

    def metrics(self) -> dict[str, dict[str, Any]]:
        """Every metrics file's content, by its name."""
        found = {}
        for path in self.paths("results/metrics/", ".json"):
            content = self.read(path)
            if content is not None:
                found[Path(path).stem] = flat(parsed(content, f"{self.name}: {path}"))
        return found

    def table(self, path: str) -> pd.DataFrame | None:
        """A CSV; None where this state has none."""
        content = self.read(path)
        try:
            return None if content is None else pd.read_csv(io.BytesIO(content))
        except ValueError as error:
            raise InputError(f"{self.name}: {path}: not a readable CSV ({error})") from error


def parsed(content: bytes, where: str) -> dict[str, Any]:
    """A JSON object; raises InputError where the bytes are none."""
    try:
        found = json.loads(content)
    except ValueError as error:
        raise InputError(f"{where}: not a readable JSON file ({error})") from error
    if not isinstance(found, dict):
        raise InputError(f"{where}: expected a JSON object, found {type(found).__name__}")
    return found


def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A tree of mappings as one, by dotted keys; lists stay whole."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, dict) and value else {name: value}
    return found


def open_revision(root: Path, name: str) -> Revision:
    """The state that a name stands for; raises InputError where it stands for none."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.scm import SCMError, resolve_rev

    try:
        with Repo(str(root)) as repo:
            commit = "" if name == WORKSPACE else resolve_rev(repo.scm, name)
        opened = Repo(str(root), rev=commit) if commit else Repo(str(root))
        outputs = {out.def_path: getattr(out.stage, "name", "") for out in opened.index.outs}
    except SCMError as error:
        raise InputError(f"{name}: neither a revision nor an experiment; there are {known(root)}") from error
    except DvcException as error:
        raise InputError(f"{name}: {' '.join(str(error).split())}") from error
    return Revision(name, commit, outputs, opened.dvcfs)


def known(root: Path) -> str:
    """The experiments that there are, in words."""
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        listed = repo.experiments.ls(all_commits=True).values()
    names = sorted({name for experiments in listed for name, _ in experiments})
    return f"the experiments {', '.join(names)}" if names else "no experiments"


def changed_code(root: Path, first: Revision, other: Revision) -> list[str]:
    """Files of code in which a state differs from another; for the workspace without those that git does not know."""
    if first.commit == other.commit:
        return []
    commits = [commit for commit in (first.commit, other.commit) if commit]
    return git(root, "diff", "--name-only", "--no-renames", *commits, "--", *CODE).splitlines()


def date_of(root: Path, revision: Revision) -> str:
    """When a state was committed, as year, month and day; nothing for the workspace."""
    return git(root, "show", "--no-patch", "--format=%cs", revision.commit) if revision.commit else ""
