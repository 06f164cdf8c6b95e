"""The files of several states of the project: the workspace, revisions, branches, tags, and `dvc exp`'s experiments.

Input: names as git and DVC know them. Output: `Revision` objects that read a file as it was then: from git, or from
DVC's cache or remote if DVC keeps it. Nothing is checked out; the workspace stays as it is.
"""

import io
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.scm import SCMError, resolve_rev
from dvc_data.index import DataIndexDirError
from flatten_dict import flatten

from dcgan.core.files import InputError
from workflow.claims.words import CLAIMS, read_claims
from workflow.engines.code_dependencies import PACKAGES
from workflow.engines.commands import git
from workflow.params.load import parse_yaml

WORKSPACE = "workspace"
CODE = (*PACKAGES, "dvc.yaml")
EXPERIMENTS = "refs/exps/??/*/*"  # where DVC keeps them, by the commit they start from; others there are its own


@dataclass(frozen=True)
class Revision:
    """One state of the project; `outputs` says which stage makes a path.

    `commit` and `date` (year, month and day) are empty for the workspace.
    """

    name: str
    commit: str
    date: str
    outputs: dict[str, str]
    files: Any

    def read(self, path: str) -> bytes | None:
        """A file's content; None if this state has no such file, or no copy of it is at hand."""
        with suppress(OSError, DvcException):
            return bytes(self.files.cat_file(path))
        return None

    def inside(self, folder: str) -> list[str]:
        """Files below a folder that is an output; none if it was not made."""
        with suppress(OSError, DvcException, DataIndexDirError):
            return sorted(path.lstrip("/") for path in self.files.find(folder))
        return []

    def mapping(self, path: str) -> dict[str, Any]:
        """A YAML or JSON file by dotted keys, lists whole; empty if there is none."""
        content = self.read(path)
        tree = {} if content is None else parse_yaml(content.decode(), f"{self.name}: {path}")  # JSON is YAML
        return dict(flatten(tree, reducer="dot", keep_empty_types=(dict,)))

    def params(self) -> dict[str, Any]:
        """params.yaml by dotted keys."""
        return self.mapping("params.yaml")

    def metrics(self) -> dict[str, dict[str, Any]]:
        """The content of every metrics file that is at hand, by its name."""
        paths = [path for path in sorted(self.outputs) if path.startswith("results/metrics/")]
        return {Path(path).stem: found for path in paths if (found := self.mapping(path))}

    def table(self, path: str) -> pd.DataFrame:
        """A CSV; empty if this state has none."""
        content = self.read(path)
        return pd.DataFrame() if content is None else pd.read_csv(io.BytesIO(content))

    def claims(self) -> pd.DataFrame:
        """What judge_claims wrote; empty if nothing is at hand. An experiment may have it from before (`judged`)."""
        content = self.read(CLAIMS.as_posix())
        return pd.DataFrame() if content is None else read_claims(io.BytesIO(content), f"{self.name}: {CLAIMS}")


def open_revision(root: Path, name: str) -> Revision:
    """The state that a name stands for; raises InputError if it stands for none."""
    try:
        with Repo(str(root)) as repo:
            commit = "" if name == WORKSPACE else resolve_rev(repo.scm, name)
        opened = Repo(str(root), rev=commit) if commit else Repo(str(root))
        outputs = {out.def_path: getattr(out.stage, "name", "") for out in opened.index.outs}
    except SCMError as error:
        raise InputError(f"{name}: neither a revision nor an experiment; `dvc exp list -A` lists these") from error
    except DvcException as error:
        raise InputError(f"{name}: {' '.join(str(error).split())}") from error
    date = git(root, "show", "--no-patch", "--format=%cs", commit) if commit else ""
    return Revision(name, commit, date, outputs, opened.dvcfs)


def judged(revision: Revision, start: Revision | None) -> pd.DataFrame:
    """The claims that a state has judged; empty if an experiment has them from the commit that it started from.

    One with a TARGET ends before they are judged: to the last digit, only what was not judged again is equal.
    """
    table = revision.claims()
    return pd.DataFrame() if start is not None and table.equals(start.claims()) else table


def start_of(root: Path, revision: Revision) -> Revision | None:
    """The commit that an experiment started from; None for any other state."""
    is_one = revision.commit and git(root, "for-each-ref", "--points-at", revision.commit, EXPERIMENTS)
    return open_revision(root, git(root, "rev-parse", f"{revision.commit}^")) if is_one else None


def changed_code(root: Path, first: Revision, other: Revision) -> list[str]:
    """Files of code in which a state differs from another; for the workspace without those that git does not know."""
    if first.commit == other.commit:
        return []
    commits = [commit for commit in (first.commit, other.commit) if commit]
    return git(root, "diff", "--name-only", "--no-renames", *commits, "--", *CODE).splitlines()
