"""Which files of this project each stage's code comes from, and whether `dvc.yaml` names them all as dependencies.

A stage is out of date when any code that can change its result has changed, so its `deps` begin with its own script
and every module of `dcgan/`, `stages/` and `workflow/` that the script imports, directly or through others.
`python -m workflow.imports` lists what is missing or too much (exit status 2); `--write` mends `dvc.yaml`.
"""

import argparse
import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from dcgan.files import InputError, replace_when_done
from workflow.stage import run_stage

PACKAGES = ("dcgan", "stages", "workflow")
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
    "workflow/guidelines.py",
    "workflow/launch.py",
    "workflow/lock.py",
    "workflow/params.py",
    "workflow/provenance.py",
    "workflow/schema.py",
}
STAGE_LINE = re.compile(r"^  (\w+):\s*$")
CODE_LINE = re.compile(rf"^\s*- (?:{'|'.join(PACKAGES)})/\S+\.py\s*$")
SCRIPT = re.compile(r"-m (stages\.\w+)")


def main(arguments: list[str] | None = None) -> None:
    """Compares dvc.yaml with the imports, or rewrites it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="mend dvc.yaml")
    write = parser.parse_args(arguments).write
    path = Path("dvc.yaml")
    text = path.read_text(encoding="utf-8")
    mended = with_code_dependencies(text, Path.cwd())
    if mended != text and not write:
        raise InputError("dvc.yaml: the code that stages depend on is not what they import; run `make deps`")
    if mended != text:
        with replace_when_done(path) as partial:
            partial.write_text(mended, encoding="utf-8")
    print("dvc.yaml: the code that stages depend on is right")


def with_code_dependencies(text: str, root: Path) -> str:
    """The text of a dvc.yaml whose `deps` name exactly the code that each stage's script comes from."""
    blocks = re.split(r"(?m)^(?=  \w+:\s*$)", text)
    return "".join(mend_stage(block, root) if STAGE_LINE.match(block.splitlines()[0]) else block for block in blocks)


def mend_stage(block: str, root: Path) -> str:
    """One stage's lines with its code dependencies replaced; untouched where its script does not exist yet."""
    script = SCRIPT.search(block)
    if script is None or module_file(script[1], root) is None:
        return block
    lines = [line for line in block.splitlines(keepends=True) if not CODE_LINE.match(line)]
    at = next((number for number, line in enumerate(lines) if line.strip() == "deps:"), None)
    if at is None:
        raise InputError(f"dvc.yaml: {script[1]}: the stage has no `deps:` of its own line")
    indent = lines[at][: lines[at].index("deps")] + "  "
    lines[at + 1 : at + 1] = [f"{indent}- {path}\n" for path in code_of(script[1], root)]
    return "".join(lines)


def code_of(script: str, root: Path) -> list[str]:
    """Files of this project that a module comes from, its own first, the others sorted, as posix paths."""
    found: set[str] = set()
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
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
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


if __name__ == "__main__":
    run_stage(main)
