"""What was reproduced, in a few lines: `python -m workflow.report.summary`, the end of `make repro`.

Input: the metrics of the current DAG. Output: a line a result, ours beside published, and where the report is.
"""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

from dcgan.core.files import read_json
from workflow.engines.dag import Stage, resolved_stages
from workflow.engines.stage import run_stage
from workflow.report.collect import base_name, classifier_of, metrics_by_name, outputs
from workflow.report.paper_tables import TABLES
from workflow.report.sentences import SENTENCES, sentence
from workflow.report.table_rows import compare
from workflow.report.write import REPORT

# Stages with a line of their own; the tables' lines come first, the rest stands in the report.
SHOWN = (
    *("drop_duplicates", "join_faces", "draw_walk", "draw_guided", "draw_nearest"),
    *("draw_windows", "draw_arithmetic", "draw_turn"),
)


def main(arguments: list[str] | None = None) -> None:
    """Prints the summary of the DAG in the working directory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args(arguments)
    root = Path.cwd()
    stages = resolved_stages(root)
    print("What was reproduced, ours beside the paper's:")
    for line in [*table_lines(root, stages), *finding_lines(root, stages)]:
        print(f"  {line}")
    print(f"Everything, with pictures: {REPORT}")


def table_lines(root: Path, stages: Mapping[str, Stage]) -> Iterator[str]:
    """A line for each row of Tables 1 to 3 that this run has."""
    metrics = metrics_by_name(root, stages)
    for table in (compare(table, metrics) for table in TABLES):
        for line in (line for line in table.lines if line.has_ours):
            numbers = [
                f"{column.name} {cell.ours} % (paper: {cell.quoted})"
                for column, cell in zip(table.columns, line.cells, strict=True)
                if cell.ours.value
            ]
            yield f"Table {table.number}, {line.model}: {'; '.join(numbers)}"


def finding_lines(root: Path, stages: Mapping[str, Stage]) -> Iterator[str]:
    """A line for each stage of `SHOWN` that has metrics, and how far its classifier is to be trusted where there is
    one."""
    for stage in sorted((s for s in stages.values() if base_name(s) in SHOWN), key=lambda s: SHOWN.index(base_name(s))):
        for path in outputs(root, stage, ".json"):
            classifier = classifier_of(root, stage, stages)
            trust = f"; the classifier: {classifier}" if classifier else ""
            yield f"{SENTENCES[base_name(stage)][0]}: {sentence(stage.name, read_json(root / path))}{trust}"


if __name__ == "__main__":
    run_stage(main)
