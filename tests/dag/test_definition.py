"""dvc.yaml is read the same by DVC and by Snakemake, and says all that a stage depends on."""

import re
import subprocess
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from dcgan.core.files import InputError
from stages import digest_code
from tests.dag.demo import demo_stages
from tests.dag_drawing import every_kind
from workflow.claims.seeds import REPLICATES
from workflow.engines import dag
from workflow.engines.code_dependencies import code_digests, list_text
from workflow.engines.provenance import SIDECARS
from workflow.experiments import compare, replicate
from workflow.params.consistency import OF_STAGES
from workflow.params.load import read_yaml
from workflow.report.reference import REFERENCE
from workflow.report.write import REPORT

META = {"threads": 1, "gpu": 0, "mem_mb": 1, "runtime": 1}


def write_project(folder: Path, stages: str, params: str = "{}") -> Path:
    (folder / "dvc.yaml").write_text(f"stages:\n{stages}")
    (folder / "params.yaml").write_text(params)
    return folder


def test_reader_and_dvc_see_the_same_stages(checkout: Path) -> None:
    """The reader uses DVC's resolver through names that are no public interface."""
    from dvc.repo import Repo

    stages = demo_stages()
    with Repo(str(checkout)) as repo:
        theirs = {stage.name: stage for stage in repo.index.stages}
    assert stages.keys() == theirs.keys()
    for name, stage in stages.items():
        assert stage.command == theirs[name].cmd
        assert set(stage.outputs) == {out.def_path for out in theirs[name].outs}
        dependencies = [dependency for dependency in theirs[name].deps if not hasattr(dependency, "params")]
        assert set(stage.dependencies) == {dependency.def_path for dependency in dependencies}


def test_jobs_of_snakemake_spin_where_there_are_cores_for_all(run: Callable[..., Any], checkout: Path) -> None:
    """What stages/__init__.py says of threads that wait, seen by a rule beside the project's own."""
    with (checkout / "Snakefile").open("a") as file:
        file.write('\nrule spins:\n    shell: "echo spins=$GOMP_SPINCOUNT"\n')
    for cores, expected in (("1", "10000"), ("10000", "")):
        printed = run(checkout, "env", "-u", "GOMP_SPINCOUNT", "snakemake", "--cores", cores, "spins")
        assert f"spins={expected}\n" in printed.stdout


def test_stages_depend_on_the_code_that_they_run() -> None:
    for stage in demo_stages().values():
        script = re.match(r"python -m stages\.(\w+) ", stage.command)[1]
        if stage.name != "digest_code":
            assert f"data/code/{script}.txt" in stage.dependencies
        assert f"stages/{script}.py" in stage.code
        assert not any(path.endswith(".py") or path.startswith("data/code/") for path in stage.inputs)


def test_every_stage_script_is_in_the_dag(root: Path) -> None:
    scripts = {path.stem for path in (root / "stages").glob("[a-z]*.py")}
    assert scripts == set(re.findall(r"-m stages\.(\w+) ", (root / "dvc.yaml").read_text()))


def test_paths_that_checks_know_are_those_of_the_dag(root: Path, demo: Path) -> None:
    """Before a run, what stages will make is known by names alone; a path that dvc.yaml changes has to change there."""
    made = [path.split("/") for one in every_kind(demo).values() for path, _ in dag.declared_outputs(one)]
    named = re.compile(r"""f["'](data/(?:[\w/.]|\{\w+\})+)["']""")  # with names of sections in braces
    texts = {text for module in (root / "workflow").rglob("*.py") for text in named.findall(module.read_text())}
    texts |= {"/".join(folder) for folder in OF_STAGES}
    assert len(texts) > 15
    patterns = {text: [re.sub(r"\{\w+\}", "*", part) for part in text.split("/")] for text in texts}
    unmade = {text for text, parts in patterns.items() if not any(all(map(fnmatch, path, parts)) for path in made)}
    assert unmade == set()


def test_both_losses_of_every_network_are_plotted(root: Path) -> None:
    plots = [plot for entry in read_yaml(root / "dvc.yaml")["plots"] for plot in entry.values()]
    networks = read_yaml(root / "workflow/presets/demo.yaml")["train"]
    expected = [{f"results/curves/{name}.csv": ["d_loss", "g_loss"]} for name in networks]
    assert [plot["y"] for plot in plots] == expected
    made = {path for stage in demo_stages().values() for path in stage.outputs}
    assert {path for plot in plots for path in plot["y"]} <= made


def test_lists_of_code_name_every_file_and_what_is_in_it(root: Path, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code/draw_nothing.txt").touch()  # of a script that was removed
    digest_code.main(["--out", str(tmp_path / "code")])
    lists = {path.stem: path for path in (tmp_path / "code").iterdir()}
    assert lists.keys() == {path.stem for path in (root / "stages").glob("[a-z]*.py")}
    listed = dict(reversed(line.split("  ")) for line in lists["train_dcgan"].read_text().splitlines())
    assert listed == code_digests("stages.train_dcgan", root)
    assert list(listed) == ["stages/train_dcgan.py", *sorted(listed.keys() - {"stages/train_dcgan.py"})]
    assert {"dcgan/models/networks.py", "dcgan/training/adversarial.py"} < listed.keys()
    assert not {"dcgan/representation/svm/solver.py", "workflow/report/collect.py"} & listed.keys()


BEFORE = '''"""What it is for."""

from functools import cache

LIMIT = 3


@cache
def clip(value: int, least: int = 0) -> int:
    """The value within its limits."""
    return max(least, min(value, LIMIT))
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 3  # [paper]"),
        ("What it is for.", "What it is for, in other words."),
        ('    """The value within its limits."""\n', ""),
        ("\n\n\n@cache", "\n\n@cache"),
        ("max(least, min(value, LIMIT))", "max(\n        least, min(value, (LIMIT))\n    )"),
        ("LIMIT = 3", "LIMIT = 0x3"),
    ],
    ids=["comment", "docstring", "no docstring", "blank line", "formatting", "another way to write a number"],
)
def test_comments_docstrings_and_formatting_change_no_digest(tmp_path: Path, old: str, new: str) -> None:
    assert digest_after(tmp_path, old, new) == digest_after(tmp_path, "", "")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ("LIMIT = 3", "LIMIT = 3.0"),
        ("least: int = 0", "least: int = 1"),
        ("@cache\n", ""),
        ("min(value", "max(value"),
        ("return max", "'no docstring'\n    return max"),
        ("LIMIT = 3", "LIMIT = '3'"),
    ],
    ids=["constant", "type of a constant", "default", "decorator", "name", "statement", "text for a number"],
)
def test_a_change_of_code_changes_the_digest(tmp_path: Path, old: str, new: str) -> None:
    assert digest_after(tmp_path, old, new) != digest_after(tmp_path, "", "")


def digest_after(folder: Path, old: str, new: str) -> str:
    """The list of code of a stage after a change of the module that it is."""
    assert old in BEFORE
    (folder / "stages").mkdir(exist_ok=True)
    (folder / "stages/a.py").write_text(BEFORE.replace(old, new, 1) if old else BEFORE)
    return list_text(code_digests("stages.a", folder))


def test_imports_are_followed_wherever_they_stand(tmp_path: Path) -> None:
    files = {
        "stages/a.py": "from dcgan import b\nfrom dcgan.c import thing\ndef f():\n    import workflow.d.e\n",
        "dcgan/__init__.py": '"""Nothing."""\n',
        "dcgan/b.py": "from . import f\n",
        "dcgan/c.py": "import json\nimport stages.a\n",
        "dcgan/f.py": "x = 1\n",
        "dcgan/unused.py": "x = 1\n",
        "workflow/d/__init__.py": "x = 1\n",
        "workflow/d/e.py": "from ..g import y\n",
        "workflow/g.py": "y = 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    expected = "stages/a.py dcgan/b.py dcgan/c.py dcgan/f.py workflow/d/__init__.py workflow/d/e.py workflow/g.py"
    assert list(code_digests("stages.a", tmp_path)) == expected.split()


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("cmd: x\n    frozen: true", "frozen is not supported"),
        ("cmd: x\n    always_changed: true", "always_changed is not supported"),
        ("cmd: x\n    wdir: data", "wdir is not supported"),
        ("cmd: x\n    outs: [{data/a: {persist: true}}]", "persist is not supported"),
        ("cmd: x\n    params: [{other.yaml: [a]}]", "only keys of params.yaml are supported"),
        ("cmd: x\n    params: [absent.key]", "absent.key is not in params.yaml"),
        ("cmd: x ${absent.key}", "absent.key"),
    ],
)
def test_what_one_engine_would_not_understand_is_refused(tmp_path: Path, stage: str, message: str) -> None:
    project = write_project(tmp_path, f"  s:\n    {stage}\n    meta: {META}\n")
    with pytest.raises(InputError, match=message) as caught:
        dag.resolve(project)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({**META, "cores": 2}, "meta.cores is not supported"),
        ({**META, "gpu": True}, "meta.gpu: True is not of type int"),
        ({key: META[key] for key in META if key != "mem_mb"}, "meta.mem_mb is missing"),
    ],
)
def test_scheduler_hints_are_checked(tmp_path: Path, meta: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        dag.resolve(write_project(tmp_path, f"  s: {{cmd: x, meta: {meta}}}\n"))


@pytest.mark.parametrize(("device", "gpus"), [("auto", 3), ("cuda", 3), ("cpu", 0)])
def test_a_job_asks_for_what_all_its_processes_need(tmp_path: Path, device: str, gpus: int) -> None:
    meta = {"threads": 2, "gpu": 1, "mem_mb": 100, "runtime": 1, "processes": 3}
    project = write_project(tmp_path, f"  s: {{cmd: x, meta: {meta}}}\n", f"run: {{device: {device}}}\n")
    stage = dag.resolve(project)["s"]
    assert (stage.threads, stage.mem_mb, stage.gpu) == (6, 300, gpus)


def test_dependencies_become_whole_outputs() -> None:
    outputs = ["data/shards/0", "data/shards/1", "data/codes.h5"]
    assert dag.whole_outputs(["data/shards"], outputs) == ["data/shards/0", "data/shards/1"]
    assert dag.whole_outputs(["data/shards/1/a.h5", "data/shards/1/b.h5"], outputs) == ["data/shards/1"]
    assert dag.whole_outputs(["stages/x.py", "data/codes.h5"], outputs) == ["stages/x.py", "data/codes.h5"]
    assert dag.whole_outputs(["data/shards/10"], outputs) == ["data/shards/10"]


def test_numbers_are_read_as_dvc_reads_them(tmp_path: Path) -> None:
    project = write_project(tmp_path, f"  s: {{cmd: x, params: [rate], meta: {META}}}\n", "rate: 2e-4\n")
    assert dag.resolve(project)["s"].parameters == {"rate": 0.0002}


def test_resolved_stages_are_kept_until_a_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = write_project(tmp_path, f"  s: {{cmd: 'x ${{n}}', meta: {META}}}\n", "n: 1\n")
    first = dag.resolved_stages(project)
    with monkeypatch.context() as patched:
        patched.setattr(dag, "resolve", lambda root: pytest.fail("resolved again"))
        assert dag.resolved_stages(project) == first
    (project / "params.yaml").write_text("n: 2\n")
    assert dag.resolved_stages(project)["s"].command == "x 2"
    (project / ".snakemake" / "resolved_stages.json").write_text("{")
    assert dag.resolved_stages(project)["s"].command == "x 2"


def test_stages_are_resolved_where_nothing_can_be_kept(tmp_path: Path) -> None:
    project = write_project(tmp_path, f"  s: {{cmd: 'x ${{n}}', meta: {META}}}\n", "n: 1\n")
    (project / ".snakemake").write_text("a file is in the way of the folder")
    assert dag.resolved_stages(project)["s"].command == "x 1"


def test_no_run_changes_what_is_in_git(root: Path, demo: Path) -> None:
    """DVC keeps every output, and git ignores it and what lies beside outputs. dvc.lock alone changes."""
    definitions = dag.dvc_definitions(demo)
    declared = [pair for definition in definitions.values() for pair in dag.declared_outputs(definition)]
    assert {path: flags for path, flags in declared if not flags.get("cache", True)} == {}
    beside = [f"{SIDECARS}/pack@x.json", *map(str, (REPORT, compare.PAGE, REPLICATES, replicate.PAGE))]
    for path in [path for path, _ in declared] + beside:
        finished = subprocess.run(["git", "check-ignore", "-q", "--no-index", path], cwd=root, check=False)
        assert finished.returncode == 0, path
    in_git = subprocess.run(["git", "ls-files", "results"], cwd=root, capture_output=True, text=True, check=True)
    assert {Path(path).parent for path in in_git.stdout.split()} == {REFERENCE}
