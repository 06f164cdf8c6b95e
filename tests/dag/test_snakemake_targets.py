"""What a person types at Snakemake: names of stages, a profile for a cluster that is not there, `--lint`."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.dag.demo import demo_stages
from tests.dag.reliability import fault
from workflow.engines.check import misspelled

Run = Callable[..., Any]


def test_stages_are_targets_by_their_names_and_a_profile_is_found_from_the_root(checkout: Path, run: Run) -> None:
    """`--profile slurm` finds ./slurm/config.yaml; the executor itself is not started in a dry run."""
    targets = ("evaluate_duplicates@bedrooms", "render_demo")  # a stage, and all of a kind
    command = ("snakemake", "--cores", "8", "--profile", "slurm", "--dry-run", *targets)
    finished = run(checkout, *command)
    assert "Using profile slurm" in finished.stderr + finished.stdout
    jobs = dict(re.findall(r"^([a-z_]+(?:@\w+)?) +(\d+)$", finished.stdout, re.MULTILINE))
    assert jobs.keys() >= {
        "evaluate_duplicates@bedrooms",
        "drop_duplicates@bedrooms",
        "encode_images@1",
        "render_demo@bedrooms",
        "render_demo@objects",
    }
    assert not {"train_dcgan@bedrooms", "all"} & jobs.keys()


@fault(
    "the Slurm profile where there is no Slurm",
    "`there is no Slurm here (no sbatch on the PATH)`, before anything is removed",
    "2",
    "`snakemake --profile slurm`",
)
def test_without_slurm_one_line_and_nothing_is_removed(
    checkout: Path, tmp_path: Path, run: Run, environment: dict[str, str]
) -> None:
    """Snakemake would make an output again that it has not made, and remove it first."""
    left = checkout / "data/demo/digits/left.txt"
    left.parent.mkdir(parents=True)
    left.write_text("by hand")
    path = without("sbatch", environment["PATH"], tmp_path / "tools")
    command = ("env", f"PATH={path}", "snakemake", "--cores", "8", "--profile", "slurm")
    failed = run(checkout, *command, status=2)
    profile, told = failed.stderr.splitlines()
    assert profile == "Using profile slurm for setting default command line arguments.", "Snakemake's, before all else"
    assert told == "error: there is no Slurm here (no `sbatch` on the PATH); `make snakemake` runs without a cluster"
    assert failed.stdout == "" and left.read_text() == "by hand"


def without(tool: str, path: str, mirror: Path) -> str:
    """A PATH without a tool: a folder that has it is replaced by links to the others in it."""
    mirror.mkdir()
    folders = [Path(folder) for folder in path.split(":")]
    for folder in (folder for folder in folders if (folder / tool).exists()):
        for other in folder.iterdir():
            if other.name != tool and not (mirror / other.name).is_symlink():
                (mirror / other.name).symlink_to(other)
    return ":".join(str(mirror if (folder / tool).exists() else folder) for folder in folders)


def test_lint_finds_what_the_snakefile_answers(checkout: Path, run: Run) -> None:
    """One environment for all rules: the Snakefile says why."""
    printed = run(checkout, "snakemake", "--lint", status=None)
    findings = set(re.findall(r"^    \* (.*)$", printed.stdout + printed.stderr, re.MULTILINE))
    assert findings == {"Specify a conda environment or container for each rule.:"}
    assert "requirements.lock" in (checkout / "Snakefile").read_text()


@pytest.mark.parametrize("word", ["draw_wlak__bedrooms", "draw_walk@bedroms"])
def test_a_misspelled_stage_is_answered_with_the_right_one(checkout: Path, run: Run, word: str) -> None:
    failed = run(checkout, "snakemake", "--cores", "1", "--dry-run", "--rerun-triggers", "mtime", "--", word, status=2)
    assert failed.stderr == f"error: {word}: there is no such stage (did you mean draw_walk@bedrooms?)\n"


def test_words_that_are_far_from_any_stage_are_left_to_the_engine() -> None:
    words = ["snakemake", "--cores", "8", "draw_walks.yaml", "results/draw_walk@bedrooms", "reason", "--omit-from"]
    assert misspelled([*words, "draw_walk", "draw_walk@bedrooms"], demo_stages()) == []
    assert misspelled(["draw_wlak"], demo_stages()) == ["draw_wlak: there is no such stage (did you mean draw_walk?)"]
