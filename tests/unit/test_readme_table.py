"""README's table says what the metrics say."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from dcgan.core.files import InputError
from workflow.engines.dag import resolve
from workflow.report.readme_table import HEAD, ROWS, main, table, with_table
from workflow.report.sentences import sentence

ROOT = Path(__file__).parents[2]


def in_git(*arguments: str) -> str:
    """What git says of the last commit, so that a run of another preset in this checkout changes nothing."""
    said = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if said.returncode:
        pytest.skip(f"git {arguments[0]}: {said.stderr.strip()}")
    return said.stdout


@pytest.fixture(scope="module")
def metrics() -> dict[str, dict[str, float]]:
    names = in_git("ls-tree", "--name-only", "HEAD", "results/metrics/").split()
    return {Path(name).stem: json.loads(in_git("show", f"HEAD:{name}")) for name in names}


def test_readme_in_git_has_the_numbers_of_the_metrics_in_git(metrics: dict[str, dict[str, float]]) -> None:
    readme = in_git("show", "HEAD:README.md")
    assert with_table(readme, metrics) == readme, "`make overview` renews the table; then commit README and metrics"


def test_what_readme_shows_of_a_diff_begins_at_the_metrics_in_git(metrics: dict[str, dict[str, float]]) -> None:
    """The column HEAD of `dvc metrics diff`, which prints five digits behind the point."""
    shown = re.findall(r"^results/metrics/(\w+)\.json +(\w+) +(\S+) ", in_git("show", "HEAD:README.md"), re.MULTILINE)
    assert len(shown) > 10
    assert {(file, key): float(value) for file, key, value in shown} == {
        (file, key): round(metrics[file][key], 5) for file, key, _ in shown
    }


def test_every_sentence_can_be_said_of_the_metrics_in_git(metrics: dict[str, dict[str, float]]) -> None:
    said = {
        stage.name: sentence(stage.name, metrics[Path(path).stem])
        for stage in resolve(ROOT).values()
        for path in stage.outputs
        if Path(path).suffix == ".json" and Path(path).stem in metrics
    }
    assert len(said) == len(metrics)
    assert {name.partition("@")[0] for name, words in said.items() if words} >= {"draw_nearest", "evaluate_svm"}


def test_a_changed_metric_changes_its_line_alone(metrics: dict[str, dict[str, float]], tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n\n" + "\n".join(table(metrics)) + "\n\nafter\n")
    old = readme.read_text().split("\n")
    folder = tmp_path / "metrics"
    folder.mkdir()
    changed = {**metrics, "supervised_cnn": {**metrics["supervised_cnn"], "error": 0.4321}}
    for name, content in changed.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    presets = ROOT / "workflow/presets"
    main(["--readme", str(readme), "--metrics", str(folder), "--params", str(presets / "demo.yaml")])
    new = readme.read_text().split("\n")
    assert [line for line in new if line not in old] == ["| Table 2: supervised CNN, error | 28.87 % | 43.2 % |"]
    assert len(new) == len(old)
    with pytest.raises(InputError, match="this run is of data/raw/bedroom_train_lmdb"):
        main(["--readme", str(readme), "--metrics", str(folder), "--params", str(presets / "small.yaml")])


def test_what_is_missing_is_named(metrics: dict[str, dict[str, float]]) -> None:
    assert len(table(metrics)) == len(HEAD) + len(ROWS)
    with pytest.raises(InputError, match="no 'duplicates' among the metrics"):
        table({name: content for name, content in metrics.items() if name != "duplicates"})
    with pytest.raises(InputError, match=r"README.md: no line '\| what"):
        with_table("no table here", metrics)
