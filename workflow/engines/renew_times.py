"""After DVC: outputs that it knows as current count as current for Snakemake too: `python -m
workflow.engines.renew_times`.

DVC looks at contents. A metric that came with the clone, and is what its stage would write, is left alone, though its
inputs were made since; Snakemake, which looks at times, would make it again. So the end of `make repro` gives outputs
that are older than their inputs the time of now. It is for a run of the whole DAG that has just ended well; `make
touch` asks DVC first.
"""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

from workflow.engines.dag import TIMESTAMP, Stage, in_order, resolved_stages
from workflow.engines.stage import run_stage


def main(arguments: list[str] | None = None) -> None:
    """Renews times in the checkout that one stands in."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args(arguments)
    renew_times(Path.cwd(), resolved_stages(Path.cwd()))


def renew_times(root: Path, stages: Mapping[str, Stage]) -> list[str]:
    """Gives the outputs of every stage that are older than its inputs the time of now; returns the stages' names."""
    renewed = []
    for stage in in_order(stages):
        newest = max((time_of(root / path) for path in stage.inputs), default=0.0)
        if any(time_of(root / path) < newest for path in stage.outputs):
            for path in stage.outputs:
                touch(root / path)
            renewed.append(stage.name)
    return renewed


def time_of(path: Path) -> float:
    """When Snakemake thinks that a file or folder was changed."""
    marker = path / TIMESTAMP
    return (marker if marker.exists() else path).stat().st_mtime


def touch(path: Path) -> None:
    """Gives a file or folder the time of now."""
    for touched in (path, path / TIMESTAMP):
        if touched.exists():
            os.utime(touched)


if __name__ == "__main__":
    run_stage(main)
