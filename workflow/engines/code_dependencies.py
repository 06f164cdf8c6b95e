"""Which code of this project a stage runs: its own script and every module that the script imports, directly or through
others.

A stage is stale when code that it runs has changed. What counts is the syntax tree without docstrings: a comment, a
docstring, a blank line or a reformatted line makes nothing stale; a changed constant, default or decorator does. DVC
compares the list of digests that `stages/digest_code.py` writes for each script. Snakemake compares the same digests as
a parameter of each rule (workflow/engines/dag.py). Times of change play no part.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from dcgan.core.files import InputError

PACKAGES = ("dcgan", "demo", "stages", "workflow")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
EMPTY = "Module()"  # `canonical` of a module that does nothing
NOT_CODE = {"kind", "type_comment"}  # of a node: how a string was prefixed, and a comment
LISTS = PurePosixPath("data/code")  # what stages/digest_code.py writes: <script>.txt
# A module that reads data as it would import code, and the folder of these.
READ_AS_CODE = {"workflow/description.py": "workflow/descriptions"}
# Modules that decide whether, where and in how many processes a stage runs, what it prints, and what is noted beside
# its outputs. They never decide what it writes into them. A new parameter or a better message must not make weeks of
# training stale.
WITHOUT_EFFECT = {
    *("dcgan/core/progress.py", "dcgan/core/signals.py", "dcgan/training/tensorboard.py"),
    *("demo/parallel.py", "stages/__init__.py", "workflow/__init__.py"),
    *(f"workflow/engines/{name}.py" for name in ("clock", "launch", "lock", "progress", "provenance")),
    *(f"workflow/params/{name}.py" for name in ("consistency", "figures", "load", "sections", "types")),
}


class Code(NamedTuple):
    """What matters of a file: a digest of what it does (empty if it does nothing) and the names that it imports."""

    digest: str
    imports: frozenset[str]


def listed_script(path: str) -> str | None:
    """The module whose code the list at a path names, or None if the path is no such list."""
    return f"stages.{PurePosixPath(path).stem}" if PurePosixPath(path).parent == LISTS else None


def list_text(digests: Mapping[str, str]) -> str:
    """Path -> digest as a list of code."""
    return "".join(f"{digest}  {path}\n" for path, digest in digests.items())


def code_digests(script: str, root: Path) -> dict[str, str]:
    """Path -> SHA-256 of the code of each file that a module comes from: its own first, the others sorted.

    Files that do nothing are left out, as most `__init__.py` are. Raises InputError if a file is not Python.
    """
    found: dict[str, Code] = {}
    waiting, own = module_files(with_packages(script), root), module_files([script], root)
    while waiting:
        path = waiting.pop()
        if path not in WITHOUT_EFFECT | found.keys():
            found[path] = read_code(path, root)
            waiting += module_files(found[path].imports, root)
            data = (root / READ_AS_CODE[path]).glob("*.yaml") if path in READ_AS_CODE else ()
            waiting += [file.relative_to(root).as_posix() for file in data]
    order = sorted(found, key=lambda path: (path not in own, path))
    return {path: found[path].digest for path in order if found[path].digest}


def module_files(modules: Iterable[str], root: Path) -> list[str]:
    """The files of those among dotted names that are modules of this project."""
    paths = (module.replace(".", "/") for module in modules if module.split(".")[0] in PACKAGES)
    candidates = (candidate for path in paths for candidate in (f"{path}.py", f"{path}/__init__.py"))
    return [candidate for candidate in candidates if (root / candidate).is_file()]


def read_code(path: str, root: Path) -> Code:
    """What matters of a file; of YAML all of its text. Raises InputError if it is not Python."""
    if path.endswith(".yaml"):
        return Code(hashlib.sha256((root / path).read_bytes()).hexdigest(), frozenset())
    try:
        return parse((root / path).read_text(encoding="utf-8"), PurePosixPath(path).parent.parts)
    except (SyntaxError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not Python ({error})") from error


@cache
def parse(text: str, package: tuple[str, ...]) -> Code:
    """What matters of a module of a package; kept by its text, because files change while a process looks at them."""
    tree = ast.parse(text)
    imports = frozenset(name for node in ast.walk(tree) for name in imported_names(node, package))
    done = canonical(tree)
    return Code("" if done == EMPTY else hashlib.sha256(done.encode()).hexdigest(), imports)


def canonical(node: object) -> str:
    """A syntax tree as text, the same under every version of Python: fields that are empty are left out."""
    if isinstance(node, list):
        return f"[{', '.join(map(canonical, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = {name: value for name, value in ast.iter_fields(node) if name not in NOT_CODE}
    if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        fields["body"] = fields["body"][1:]
    kept = [f"{name}={canonical(value)}" for name, value in fields.items() if value is not None and value != []]
    return f"{type(node).__name__}({', '.join(kept)})"


def imported_names(node: ast.AST, package: tuple[str, ...]) -> Iterator[str]:
    """Modules that a piece of code may import, here `from a.b import c`: a.b, a.b.c and the packages above.

    Names that are no modules do no harm.
    """
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
    if isinstance(node, ast.ImportFrom):
        above = package[: len(package) - node.level + 1] if node.level else ()
        base = ".".join([*above, *([node.module] if node.module else [])])
        names = [base, *(f"{base}.{name}" for name in names)]
    for name in names:
        yield from with_packages(name)


def with_packages(module: str) -> Iterator[str]:
    """A dotted name and the packages above it, which Python imports first."""
    parts = module.split(".")
    return (".".join(parts[:end]) for end in range(1, len(parts) + 1))
