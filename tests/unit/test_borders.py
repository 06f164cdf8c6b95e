"""Who may know whom: packages and modules, and words that the library does not use."""

import ast
import io
import re
import statistics
import subprocess
import sys
import tokenize
from collections.abc import Iterable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from types import UnionType
from typing import get_args, get_origin

import pytest
from pydantic import BaseModel

from workflow.engines.code_dependencies import WITHOUT_EFFECT
from workflow.params.sections import Params

ROOT = Path(__file__).parents[2]
OURS = ("dcgan", "demo", "stages", "workflow")
ALL = (*OURS, "benchmarks", "tests")
MOST_LINES, MOST_LINES_OF_TESTS, MOST_LINES_OF_A_FUNCTION, USUAL_LINES_OF_A_FUNCTION = 300, 400, 60, 10
# Which packages of dcgan each may import: no arrow points upwards.
ALLOWED = {
    "core": set[str](),
    "models": {"core"},
    "data": {"core", "models"},
    "dedup": {"core", "models", "data"},
    "metrics": {"core", "models", "dedup"},
    "training": {"core", "models", "data", "metrics"},
    "representation": {"core", "models", "data"},
    "internals": {"core", "models"},
}
ALONE = {"generate": {"core", "models", "internals"}}  # commands
# It is torchrun, run as a program of its own.
WITH_TORCH = {"workflow/engines/torchrun.py"}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Dotted names of the modules that statements import; `from a import b` is a, and a.b if that is a module."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, "imports are absolute"
            yield node.module
            inner = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name for name in inner if (ROOT / f"{name.replace('.', '/')}.py").is_file())


def imports_of(path: Path) -> set[str]:
    """Everything that a module imports, in functions too."""
    return set(imported(ast.walk(ast.parse(path.read_text()))))


def at_module_level(tree: ast.Module) -> Iterator[ast.AST]:
    """The statements that run when a module is imported; what only type checkers read does not."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            waiting.extend(node.orelse)
        else:
            waiting.extend(ast.iter_child_nodes(node))


def arrows() -> dict[str, set[str]]:
    """Which package of dcgan imports which others."""
    found: dict[str, set[str]] = {package: set() for package in ALLOWED | ALONE}
    for path in modules("dcgan"):
        parts = name_of(path).split(".")
        for name in imports_of(path) if len(parts) > 1 else ():
            other = name.split(".")
            if other[0] == "dcgan" and other[1] != parts[1]:
                found[parts[1]].add(other[1])
    return found


def test_packages_of_the_library_import_only_those_below_them() -> None:
    found = arrows()
    assert {name: used - allowed for name, used in found.items() if used - (allowed := (ALLOWED | ALONE)[name])} == {}
    assert sum(map(len, found.values())) >= 12, "the arrows are found"


def test_the_table_of_arrows_has_no_circle() -> None:
    assert set(TopologicalSorter(ALLOWED).static_order()) == set(ALLOWED)
    assert {path.name for path in (ROOT / "dcgan").iterdir() if (path / "__init__.py").exists()} == set(ALLOWED)


def test_no_circle_of_modules() -> None:
    graph = {name_of(path): imports_of(path) for package in OURS for path in modules(package)}
    ours = {name: {other for other in used if other in graph} for name, used in graph.items()}
    order = list(TopologicalSorter(ours).static_order())  # raises CycleError for a circle
    assert len(order) == len(graph)


def test_no_circle_of_packages_of_the_workflow() -> None:
    """`workflow.params` knows no engine, `workflow.engines` no report, and so on."""
    graph: dict[str, set[str]] = {}
    for path in modules("workflow"):
        own = package_of(name_of(path))
        used = {package_of(name) for name in imports_of(path) if name.startswith("workflow.")}
        graph.setdefault(own, set()).update(used - {own})
    assert {"workflow.params", "workflow.engines", "workflow.report"} <= graph.keys()
    list(TopologicalSorter(graph).static_order())  # raises CycleError for a circle


def package_of(module: str) -> str:
    """workflow.engines.dag is of workflow.engines; workflow.fetch and workflow.description stand alone."""
    return ".".join(module.split(".")[:2])


WITHOUT_NETWORK = (
    "animate_training",
    "build_report",
    "crop_faces",
    "digest_code",
    "drop_duplicates",
    "evaluate_duplicates",
)
WITHOUT_NETWORK += ("export_lsun", "join_faces", "judge_claims", "pack_images", "render_demo", "select_supervised_cnn")


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [("dcgan", {"demo", "stages", "workflow"}), ("demo", {"stages", "workflow"}), ("workflow", {"demo"})],
)
def test_who_knows_nothing_of_whom(package: str, forbidden: set[str]) -> None:
    for path in modules(package):
        assert not {name.split(".")[0] for name in imports_of(path)} & forbidden, path


def test_a_stage_imports_no_other_stage() -> None:
    for path in modules("stages"):
        assert not {name for name in imports_of(path) if name.startswith("stages")}, path


def test_workflow_imports_no_torch_at_module_level() -> None:
    """PyTorch takes seconds, which `make check` and the engines' own commands would wait for each time."""
    paths = [path for path in modules("workflow") if path.relative_to(ROOT).as_posix() not in WITH_TORCH]
    for path in paths:
        names = imported(at_module_level(ast.parse(path.read_text())))
        assert "torch" not in {name.split(".")[0] for name in names}, path
    program = f"import sys, {', '.join(map(name_of, paths))}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0, "by way of another module"


def test_stages_without_a_network_start_without_torch_and_none_of_ours_wants_scipys_statistics() -> None:
    """Which take a second or two of each start."""
    for package in ("dcgan", "demo", "stages", "workflow"):
        assert not [
            path for path in modules(package) if any(name.startswith("scipy.stats") for name in imports_of(path))
        ]
    program = f"import sys, {', '.join(f'stages.{name}' for name in WITHOUT_NETWORK)}; "
    program += "sys.exit(bool({'torch', 'scipy.stats'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


def test_workflow_knows_networks_by_their_table_alone() -> None:
    """And how many layers a row has; but the page on which samples are annotated draws these."""
    of_a_network = {"convolutions", "dense", "norms", "projection", "generator_hidden", "discriminator_hidden"}
    table = {f"dcgan.models{module}" for module in ("", ".architectures", ".flops")}
    for path in modules("workflow"):
        if package_of(name_of(path)) != "workflow.annotation":
            nodes = ast.walk(ast.parse(path.read_text()))
            assert {name for name in imports_of(path) if name.startswith(("dcgan.models", "dcgan.training"))} <= table
            assert not {node.attr for node in nodes if isinstance(node, ast.Attribute)} & of_a_network, path


def keys(section: type[BaseModel], above: str = "") -> Iterator[str]:
    """A pattern of every dotted key of params.yaml; any word, or <word>, stands for a name."""
    for name, field in section.model_fields.items():
        key = f"{above}{name}"
        if above:
            yield key
        for kind in models_in(field.annotation):
            by_name = r"\.(?:\w+|<\w+>)" if get_origin(field.annotation) is dict else ""
            yield from keys(kind, f"{key}{by_name}\\.")


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and not isinstance(annotation, UnionType) and get_origin(annotation) is None:
        if issubclass(annotation, BaseModel):
            yield annotation
    else:
        for argument in get_args(annotation):
            yield from models_in(argument)


STAGES = sorted(path.stem for path in (ROOT / "stages").glob("[a-z]*.py"))
FORBIDDEN = {
    "the file of parameters": r"params\.yaml",
    "a key of params.yaml": rf"(?<![\w.])(?:{'|'.join(keys(Params))})\b(?!\()",
    "a variable of the environment": r"\bDCGAN_[A-Z]|\bWORLD_SIZE\b|\bLOCAL_RANK\b",
    "a stage": rf"\bstages[/.]\w|\b(?:{'|'.join(STAGES)})\b",
}


def words(path: Path) -> Iterator[str]:
    """The strings of a module, with docstrings, and its comments."""
    text = path.read_text()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "<x>" for part in node.values)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_library_does_not_name(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [f"{path.relative_to(ROOT)}: {text!r}" for path in modules("dcgan") for text in words(path)]
    assert [one for one in found if pattern.search(one.partition(": ")[2])] == []


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("the file of parameters", "see params.yaml"),
        ("a key of params.yaml", "crop_faces.model: no such file"),
        ("a key of params.yaml", "`train.<name>.held_out` rows"),
        ("a key of params.yaml", "figures.windows.bedrooms.strength"),
        ("a variable of the environment", "DCGAN_STATE has to name a folder"),
        ("a stage", "as `train_dcgan` writes them"),
        ("a stage", "stages/evaluate_svm.py"),
    ],
)
def test_such_names_are_found(what: str, text: str) -> None:
    assert re.search(FORBIDDEN[what], text)


def test_the_library_reads_no_environment() -> None:
    for path in modules("dcgan"):
        for node in ast.walk(ast.parse(path.read_text())):
            named = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
            assert named not in {"environ", "environb", "getenv", "putenv"}, path


@pytest.mark.parametrize("package", ALL)
def test_no_module_is_long(package: str) -> None:
    most = MOST_LINES_OF_TESTS if package == "tests" else MOST_LINES
    lines = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in modules(package)}
    assert {name: count for name, count in lines.items() if count > most} == {}


@pytest.mark.parametrize("package", ALL)
def test_functions_are_short(package: str) -> None:
    """None has more lines than fit on a screen, half have as many as are understood at a glance."""
    trees = [ast.parse(path.read_text()) for path in modules(package)]
    found = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    lines = {f"{node.name} ({number})": (node.end_lineno or 0) - node.lineno + 1 for number, node in enumerate(found)}
    assert {name: count for name, count in lines.items() if count > MOST_LINES_OF_A_FUNCTION} == {}
    assert statistics.median(lines.values()) <= USUAL_LINES_OF_A_FUNCTION


def test_packages_are_a_docstring() -> None:
    """What an `__init__` imported would become a part of every stage that uses the package.

    But that of workflow makes Python ready for the imports of a command.
    """
    for path in [path for package in ("dcgan", "demo", "workflow") for path in modules(package)]:
        if path.name == "__init__.py" and path.relative_to(ROOT).as_posix() not in WITHOUT_EFFECT:
            body = ast.parse(path.read_text()).body
            assert len(body) == 1 and isinstance(body[0], ast.Expr), path
