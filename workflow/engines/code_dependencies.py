"""Which files of this project a stage's code comes from: its own script and every module of `dcgan/`, `stages/` and
`workflow/` that the script imports, directly or through others.

A stage is stale when code that it runs has changed. What counts is the syntax tree without docstrings: a comment, a
docstring, a blank line or a reformatted line changes no result and makes nothing stale; a changed constant, default or
decorator does. DVC compares the list of digests that `stages/digest_code.py` writes for each script; Snakemake compares
the same digests as a parameter of each rule (workflow/engines/dag.py). Times of change play no part.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

from dcgan.core.files import InputError

PACKAGES = ("dcgan", "demo", "stages", "workflow")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
NOT_CODE = {"kind", "type_comment"}  # of a node: how a string was prefixed, and a comment
LISTS = PurePosixPath("data/code")  # what stages/digest_code.py writes: <script>.txt
# These decide whether and where a stage may start or has to stop, what it says while it runs, how many processes share
# its work and what is noted beside its outputs, never what it writes into them. A new parameter, or a better message,
# must not make weeks of training stale.
WITHOUT_EFFECT = {
    "dcgan/training/tensorboard.py",
    "dcgan/core/progress.py",
    "dcgan/core/signals.py",
    "stages/__init__.py",
    "workflow/engines/clock.py",
    "workflow/params/consistency.py",
    "workflow/params/load.py",
    "demo/parallel.py",
    "workflow/params/figures.py",
    "workflow/engines/launch.py",
    "workflow/engines/lock.py",
    "workflow/params/sections.py",
    "workflow/engines/provenance.py",
    "workflow/params/types.py",
}


def listed_script(path: str) -> str | None:
    """The module whose code the list at a path names, or None where the path is no such list."""
    return f"stages.{PurePosixPath(path).stem}" if PurePosixPath(path).parent == LISTS else None


def code_list(script: str, root: Path) -> str:
    """Digest and path of each file that a module comes from, one file per line."""
    return "".join(f"{digest}  {path}\n" for path, digest in code_digests(script, root).items())


def code_digests(script: str, root: Path) -> dict[str, str]:
    """Path -> digest of its syntax tree, for each file that a module comes from."""
    root = root.resolve()
    return {path: digest_of_code(root / path, root) for path in code_of(script, root)}


def digest_of_code(path: Path, root: Path) -> str:
    """SHA-256 of what a file does: its syntax tree without docstrings and positions."""
    return digest_of_tree(parsed(path, root))


@cache
def digest_of_tree(tree: ast.Module) -> str:
    """SHA-256 of a syntax tree."""
    return hashlib.sha256(canonical(tree).encode()).hexdigest()


def canonical(node: object) -> str:
    """A syntax tree as text, the same under every version of Python: fields that are empty are left out."""
    if isinstance(node, list):
        return f"[{', '.join(map(canonical, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [(name, value) for name, value in ast.iter_fields(without_docstring(node)) if name not in NOT_CODE]
    kept = [f"{name}={canonical(value)}" for name, value in fields if value is not None and value != []]
    return f"{type(node).__name__}({', '.join(kept)})"


def without_docstring(node: ast.AST) -> ast.AST:
    """A module, class or function without its docstring; any other node as it is."""
    if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        fields = dict(ast.iter_fields(node))
        return type(node)(**{**fields, "body": fields["body"][1:]})
    return node


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


def imported_modules(path: Path, root: Path) -> list[str]:
    """Dotted names that a file imports anywhere in it, functions included; names that are no modules do no harm."""
    names = names_imported(parsed(path, root), path.relative_to(root).parent.parts)
    return [module for name in names for module in modules_named(name, root)]


def modules_named(name: str, root: Path) -> Iterator[str]:
    """The module of a dotted name; every module of a package for its name with a star."""
    package = name.removesuffix(".*")
    yield package
    if package != name:
        yield from (f"{package}.{path.stem}" for path in sorted((root / Path(*package.split("."))).glob("*.py")))


@cache
def names_imported(tree: ast.Module, package: tuple[str, ...]) -> list[str]:
    """Dotted names that a module of a package imports."""
    return [name for node in ast.walk(tree) for name in names_of(node, package)]


def parsed(path: Path, root: Path) -> ast.Module:
    """The syntax tree of a file; raises InputError where it is not Python."""
    try:
        return syntax_tree(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError) as error:
        raise InputError(f"{path.relative_to(root)}: is not Python ({error})") from error


@cache
def syntax_tree(text: str) -> ast.Module:
    """What Python understands of a text; kept by the text, because files change while a process looks at them."""
    return ast.parse(text)


def names_of(node: ast.AST, package: tuple[str, ...]) -> Iterator[str]:
    """Modules that a piece of code may import: `from a.b import c` means a.b, a.b.c and the packages above them, and
    `import_module(f"a.b.{name}")` every module of a.b, which is written a.b.* here.
    """
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        above = package[: len(package) - node.level + 1] if node.level else ()
        base = ".".join([*above, *([node.module] if node.module else [])])
        names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
    elif isinstance(node, ast.Call):
        names = [f"{chosen}.*" for chosen in packages_chosen_from(node)]
    else:
        return
    for name in names:
        yield from with_packages(name)


def packages_chosen_from(call: ast.Call) -> Iterator[str]:
    """The package of which `importlib.import_module(f"some.package.{name}")` imports the module of that name."""
    match call:
        case ast.Call(
            func=ast.Attribute(attr="import_module") | ast.Name(id="import_module"),
            args=[ast.JoinedStr(values=[ast.Constant(value=str(start)), ast.FormattedValue()]), *_],
        ) if start.endswith("."):
            yield start.removesuffix(".")


def with_packages(module: str) -> Iterator[str]:
    """A dotted name and the packages above it, which Python imports first."""
    parts = module.split(".")
    return (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def is_empty_package(path: Path) -> bool:
    """Whether a file is an `__init__.py` of a docstring and nothing else."""
    if path.name != "__init__.py":
        return False
    return all(isinstance(node, ast.Expr) for node in ast.parse(path.read_text(encoding="utf-8")).body)
