"""Which files of this project a stage's code comes from: its own script and every module of `dcgan/`, `stages/` and
`workflow/` that the script imports, directly or through others.

Both engines have to know, because a stage is out of date when code that can change its result has changed. Snakemake
gets the files themselves (workflow/dag.py), DVC the list with digests that `stages/digest_code.py` writes.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

from dcgan.files import InputError

PACKAGES = ("dcgan", "stages", "workflow")
LISTS = PurePosixPath("data/code")  # what stages/digest_code.py writes: <script>.txt
# These decide whether and where a stage may start or has to stop, what it says while it runs, how many processes share
# its work and what is noted beside its outputs, never what it writes into them. A new parameter, or a better message,
# must not make weeks of training stale.
WITHOUT_EFFECT = {
    "dcgan/board.py",
    "dcgan/progress.py",
    "dcgan/stopping.py",
    "stages/__init__.py",
    "workflow/clock.py",
    "workflow/consistency.py",
    "workflow/demo/parallel.py",
    "workflow/figure_params.py",
    "workflow/launch.py",
    "workflow/lock.py",
    "workflow/params.py",
    "workflow/provenance.py",
    "workflow/schema.py",
}


def listed_script(path: str) -> str | None:
    """The module whose code the list at a path names, or None where the path is no such list."""
    return f"stages.{PurePosixPath(path).stem}" if PurePosixPath(path).parent == LISTS else None


def code_list(script: str, root: Path) -> str:
    """SHA-256 and path of each file that a module comes from, a line each, as `sha256sum --check` reads them."""
    files = code_of(script, root)
    return "".join(f"{hashlib.sha256((root / path).read_bytes()).hexdigest()}  {path}\n" for path in files)


def code_of(script: str, root: Path) -> list[str]:
    """Files of this project that a module comes from, its own first, the others sorted, as posix paths."""
    root, found = root.resolve(), set[str]()
    waiting = list(with_packages(script))
    while waiting:
        path = module_file(waiting.pop(), root)
        if path is not None and path not in found | WITHOUT_EFFECT:
            found.add(path)
            waiting.extend(imported_modules(root / path, root))
    own = module_file(script, root)
    others = sorted(path for path in found - {own} if not is_empty_package(root / path))
    return [own, *others] if own else others


def module_file(module: str, root: Path) -> str | None:
    """The file of a dotted module of this project, or None."""
    path = Path(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if module.split(".")[0] in PACKAGES and (root / candidate).is_file():
            return candidate.as_posix()
    return None


@cache
def imported_modules(path: Path, root: Path) -> list[str]:
    """Dotted names that a file imports anywhere in it, functions included; names that are no modules do no harm."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    except (SyntaxError, UnicodeDecodeError) as error:
        raise InputError(f"{path.relative_to(root)}: is not Python ({error})") from error
    package = path.relative_to(root).parent.parts
    return [name for node in ast.walk(tree) for name in names_of(node, package)]


def names_of(node: ast.AST, package: tuple[str, ...]) -> Iterator[str]:
    """Modules that an import statement may mean: `from a.b import c` is a.b, a.b.c and the packages above."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        above = package[: len(package) - node.level + 1] if node.level else ()
        base = ".".join([*above, *([node.module] if node.module else [])])
        names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
    else:
        return
    for name in names:
        yield from with_packages(name)


def with_packages(module: str) -> Iterator[str]:
    """A dotted name and the packages above it, which Python imports first."""
    parts = module.split(".")
    return (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def is_empty_package(path: Path) -> bool:
    """Whether a file is an `__init__.py` of a docstring and nothing else."""
    if path.name != "__init__.py":
        return False
    return all(isinstance(node, ast.Expr) for node in ast.parse(path.read_text(encoding="utf-8")).body)
