"""A run's numbers beside the paper's, in a few lines: `python -m workflow.report.summary`, the end of `make repro`.

Input: the metrics of the current DAG, as far as they are of its parameters. Output: a line per result, ours beside
published; a line per claim with its verdict; where the report is. On data of one's own only what was measured.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from workflow.claims.words import claim_lines, count
from workflow.description import describe
from workflow.engines.commands import uncommitted
from workflow.engines.dag import Stage, resolved_stages
from workflow.engines.stage import run_stage
from workflow.params.load import read_yaml
from workflow.report.belonging import NAMED_AT_MOST
from workflow.report.collect import claims_of, marked, stand_ins
from workflow.report.results import classifier_of, on_data_of_the_paper, places_of, sentence_of, title_of
from workflow.report.run_history import account_of
from workflow.report.write import REPORT

CLAIMS_OF_THE_PAPER, CLAIMS_MEASURED = "The paper's claims, on this run's data", "What was measured"


def main() -> None:
    """Prints the summary of the DAG in the working directory."""
    root = Path.cwd()
    stages = resolved_stages(root)
    account = account_of(root, stages)
    print("\n".join(summary(root, stages, marked(root, stages, account))))


def summary(root: Path, stages: Mapping[str, Stage], others: Mapping[str, str]) -> Iterator[str]:
    """All lines; results of `others`, which are not of these parameters, are named and left out."""
    current = {name: stage for name, stage in stages.items() if name not in others}
    of_the_paper = on_data_of_the_paper(stages)
    others_data = " (of other data: ours are stand-ins)" if stand_ins(read_yaml(root / "params.yaml")) else ""
    yield f"Ours beside the paper's{others_data}:" if of_the_paper else "This run's numbers:"
    yield from (f"  {line}" for line in sentence_lines(root, current))
    if others:
        stages_left_out = f"{len(others)} stage{'s' * (len(others) > 1)}"
        yield f"Left out, because they are not of these parameters: results of {stages_left_out}, for example"
        yield from (f"  {name}: {reason}" for name, reason in islice(others.items(), NAMED_AT_MOST))
    if claims := claims_of(root, current, of_the_paper):
        yield f"{CLAIMS_OF_THE_PAPER if of_the_paper else CLAIMS_MEASURED}, with 95 % intervals of differences:"
        yield from (f"  {line}" for line in claim_lines(claims))
        yield f"{count(claims)}. Everything, with pictures: {REPORT}"
    else:
        yield f"Everything, with pictures: {REPORT}"
    yield from lock_hint(root)


def lock_hint(root: Path) -> list[str]:
    """What to do with dvc.lock before experiments, if a run has changed it; a project without git has none."""
    if not (root / ".git").exists() or not uncommitted(root, "dvc.lock"):
        return []
    return ["dvc.lock says which results these are; commit it before experiments: git commit -m Results dvc.lock"]


def sentence_lines(root: Path, stages: Mapping[str, Stage]) -> Iterator[str]:
    """A line for each stage whose description wants one, with how far its classifier can be trusted, if it has one."""
    for stage in (stage for stage in stages.values() if describe(stage.name).in_summary):
        if sentence := sentence_of(root, stage):
            classifier = classifier_of(root, stage, stages)
            where = next(iter(places_of(stage.name)), title_of(stage))
            yield f"{where.replace(': ', ', ')}: {sentence}{f'; the classifier: {classifier}' if classifier else ''}"


if __name__ == "__main__":
    run_stage(main)
