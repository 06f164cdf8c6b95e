# The DAG of dvc.yaml under Snakemake: every stage is a rule, read by workflow/engines/dag.py. Nothing is written twice.
# `snakemake --lint` asks for a conda environment or a container for each rule: all share one, .venv, whose versions
# requirements.lock pins (`make setup`), so that DVC and Snakemake run the same programs.
import os
import shutil
import signal
import sys
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

from snakemake.cli import parse_args
from snakemake.logging import logger
from snakemake.settings.types import Quietness
from snakemake.utils import available_cpu_count

sys.path.insert(0, str(workflow.basedir))
from dcgan.core.files import InputError
from workflow.engines.clock import check_clock
from workflow.engines.dag import is_folder, resolved_stages, stages_by_kind
from workflow.engines.device import check_devices
from workflow.engines.lock import hold
from stages import SPIN

NO_SLURM = "there is no Slurm here (no `sbatch` on the PATH); `make snakemake` runs without a cluster"
# What only asks, and so needs no cluster.
ASKING = ("dryrun", "lint", "summary", "detailed_summary", "unlock", "dag", "rulegraph", "filegraph", "touch")
NO_TARGETS = {"-R", "--forcerun", "-O", "--omit-from"}
FOLLOWERS = []
ROOT = Path(os.path.relpath(workflow.basedir))
# The commands' `python` is the one that runs Snakemake, here and on every node of a cluster.
shell.prefix(f'export PATH="{Path(sys.executable).parent}:$PATH"; ')
# A job on a cluster has its cores to itself, and so have all jobs here that together take no more than there are.
if not workflow.is_main_process or (workflow.resource_settings.cores or sys.maxsize) <= available_cpu_count():
    for name, value in SPIN.items():
        os.environ.setdefault(name, value)

if not workflow.is_main_process:
    # Slurm's warning before the end of a job's time goes to all of its processes; only the stage is to act on it.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def sends_jobs_to(executor):
    """Whether the command line is one that sends jobs there, which Snakemake itself finds out later."""
    with redirect_stderr(StringIO()):  # it names the profile again
        _, options = parse_args(sys.argv[1:])
    return options.executor == executor and not any(vars(options)[name] for name in ASKING)


try:
    if workflow.is_main_process:
        # Before Snakemake prints what it is going to do; `nodes` is how many jobs go to other machines at once.
        if workflow.resource_settings.nodes and shutil.which("sbatch") is None and sends_jobs_to("slurm"):
            raise InputError(NO_SLURM)
        # Not in the jobs, which start Snakemake twice each.
        from workflow.description import caption_of, kind_of
        from workflow.engines.check import check
        from workflow.engines.progress import Errors, Follower
        from workflow.params.load import load_params
        from workflow.planning.plan import planned_seconds

        early = Errors()
        if Quietness.ALL in (workflow.output_settings.quiet or ()):
            logger.addHandler(early)
        # Of a branch that runs alone, only what it needs has to be there. Targets are not parsed yet: any word may be
        # one, unless an option takes it for a rule that others are made with.
        check(ROOT, [] if NO_TARGETS.intersection(sys.argv) else sys.argv[1:])
    STAGES = resolved_stages(ROOT)
except InputError as error:
    for line in str(error).splitlines():
        print(f"error: {line}", file=sys.stderr)
    sys.exit(2)

if workflow.is_main_process and not Path(".snakemake/metadata").exists():
    if all((ROOT / path).exists() for stage in STAGES.values() for path in stage.outputs):
        print(
            "note: DVC made these outputs. Snakemake compares only their times: it notices changes of code and "
            "parameters after `make touch`",
            file=sys.stderr,
        )


onstart:
    # Not at the top: `--dry-run`, `--summary` and `--unlock` disturb nobody.
    try:
        if workflow.is_main_process:
            hold(ROOT, "snakemake")
            check_clock(ROOT, STAGES)
            if workflow.local_exec:
                check_devices(load_params(ROOT / "params.yaml"))
            made = STAGES.keys() & workflow.dag.stats()[1].keys()
            quiet = Quietness.ALL in (workflow.output_settings.quiet or ())
            logger.removeHandler(early)
            FOLLOWERS.append(Follower(ROOT, STAGES, made, alone=quiet, plan=planned_seconds))
            logger.addHandler(FOLLOWERS[0])
    except InputError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        sys.exit(2)


onsuccess:
    for follower in FOLLOWERS:
        print(follower.run.summary())


def declare(path, stage):
    """An output as Snakemake wants it: folders marked, files not empty, pictures with a caption in its report."""
    output = directory(path) if is_folder(path) else ensure(path, non_empty=True)
    if workflow.is_main_process and path.endswith(".png") and (caption := caption_of(stage.name)):
        return report(output, category=kind_of(stage.name), labels={"what": caption, "stage": stage.name})
    return output


def more_when_repeated(mem_mb):
    """Memory of a job: twice as much when it is sent again, which may be because it had too little."""
    return lambda wildcards, attempt: mem_mb * min(attempt, 2)


rule all:
    default_target: True
    localrule: True
    input:
        [path for stage in STAGES.values() for path in stage.outputs],


for stage in STAGES.values():
    rule:
        name: stage.name
        input: stage.inputs
        output: [declare(path, stage) for path in stage.outputs]
        params: *stage.compared, cmd=stage.command
        log: f"logs/{stage.name}.log"
        benchmark: f"logs/{stage.name}.tsv"
        threads: stage.threads
        resources: mem_mb=more_when_repeated(stage.mem_mb), runtime=stage.runtime_minutes, gpu=stage.gpu
        localrule: stage.local
        # In parentheses, so that redirections within the command keep theirs; through params, so that braces are safe.
        shell: "( {params.cmd} ) > {log:q} 2>&1"


# `snakemake train_dcgan` makes all stages of a kind, as `dvc repro train_dcgan` does.
for kind, members in stages_by_kind(STAGES).items():
    if kind not in STAGES:
        rule:
            name: kind
            localrule: True
            input: [path for stage in members for path in stage.outputs]
