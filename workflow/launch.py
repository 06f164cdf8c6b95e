"""Starts a stage in one process, or in several that share its batches: `python -m workflow.launch --processes N -m X`.

One process: `python -m X`, nothing else. Several: torchrun on this machine, one process a GPU, which is what a job on a
cluster gets (`meta.processes` in dvc.yaml multiplies its threads, memory and GPUs). This program becomes what it
starts, so exit statuses and signals are those of the stage.
"""

import argparse
import os
import sys

from workflow.stage import run_stage


def main(arguments: list[str] | None = None) -> None:
    """Becomes the stage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, required=True, help="how many share each batch")
    parser.add_argument("-m", dest="module", required=True, help="the stage, e.g. stages.train_dcgan")
    options, rest = parser.parse_known_args(arguments)
    command = command_of(options.processes, options.module, rest)
    os.execv(command[0], command)


def command_of(processes: int, module: str, arguments: list[str]) -> list[str]:
    """The command that runs a module in so many processes; raises ValueError for none."""
    if processes < 1:
        raise ValueError(f"{processes} processes")
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return [sys.executable, *(torchrun if processes > 1 else []), "-m", module, *arguments]


if __name__ == "__main__":
    run_stage(main)
