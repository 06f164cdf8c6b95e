"""How far a run of the DAG is, as one line: `[18/55] train_dcgan@bedrooms · 41 % · about 6 min left`.

`.state/run.json` holds what is known of the run: which stages it makes, how long each is expected to take, when each
began and ended. Under DVC the stages write it, one after the other, under Snakemake its main process (`Follower`).
Expected is what the stage took the last time, by its sidecar, if its parameters are the same, else what `make plan`
says, or, where a person started DVC, what it took with others. How fast this run really is, with its pauses and its
parallel stages, is measured as it goes.

Nothing here decides what runs, and nothing here stops it.
"""

import logging
import os
import re
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType

from dcgan.core.files import InputError, read_json, write_json
from dcgan.core.progress import listeners
from workflow.engines.dag import Stage, in_order, needed_for, resolved_stages
from workflow.engines.provenance import as_recorded, last_sidecar

RUN = Path(".state/run.json")
# Set by whoever shows the line alone: the terminal that it is on, and a folder for what stages print, `<stage>.log`.
TERMINAL, LOGS = "DCGAN_TERMINAL", "DCGAN_LOGS"
# Set for experiments, which run in folders of their own: the checkout, where the sidecars of earlier runs are.
BEFORE = "DCGAN_BEFORE"
LOG_FOLDER, LAST_LINES = Path("logs"), 12
OF_A_STAGE = re.compile(
    r"CalledProcessError|At least one job did not|Exiting because a job"
)  # Snakemake's words for its failure
START_SECONDS = 1.5  # of a stage, before its own clock begins
TRUST_SECONDS = 20.0  # of a run that goes as expected, by which the pace of the first stages is tempered

Planner = Callable[[Path, Mapping[str, Stage], Iterable[str]], dict[str, float]]


@dataclass
class Run:
    """A run of an engine. seconds: what each stage that it makes should take; current: how many stages it leaves."""

    engine: int
    current: int
    seconds: dict[str, float]
    started: float = field(default_factory=time.time)
    began: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)

    def begin(self, name: str) -> None:
        """Notes that a stage begins, even one that was thought to be up to date."""
        if name not in self.seconds:
            self.seconds[name], self.current = typical(self.seconds.values()), max(0, self.current - 1)
        self.began[name] = time.time()

    def end(self, name: str) -> None:
        """Notes that a stage has ended."""
        self.ended[name] = time.time()

    def line(self, name: str, left: float | None = None) -> str:
        """The run as a stage at work sees it; left: seconds that it still takes, where it knows."""
        words = [f"[{self.current + len(self.began)}/{self.current + len(self.seconds)}] {name}"]
        if any(self.seconds.values()):
            seconds, elapsed = self.left({} if left is None else {name: left}), time.time() - self.started
            words.append(f"{100 * elapsed / max(elapsed + seconds, 1e-9):.0f} %")
            words.append(f"about {rounded(seconds)} left")
        return " · ".join(words)

    def left(self, known: Mapping[str, float]) -> float:
        """Seconds until all stages have ended; known: seconds that stages at work still take."""
        pace, now = self.pace(), time.time()
        later = sum(seconds for name, seconds in self.seconds.items() if name not in self.began)
        at_work = [
            known.get(name, max(0.0, self.seconds[name] / min(pace, 1.0) - (now - began)))
            for name, began in self.began.items()
            if name not in self.ended
        ]
        return later / pace + (statistics.fmean(at_work) if at_work else 0.0)

    def pace(self) -> float:
        """Expected seconds that are done in a second."""
        done = sum(self.seconds[name] for name in self.ended)
        return (done + TRUST_SECONDS) / (max(self.ended.values(), default=self.started) - self.started + TRUST_SECONDS)

    def summary(self) -> str:
        """What has run, and in which time. After a success: with `--quiet`, Snakemake does not tell of ends."""
        return ran(len(self.began), self.current + len(self.seconds), time.time() - self.started)

    def save(self, root: Path) -> None:
        """Writes it for the processes of the run; where nothing can be written, there are fewer lines."""
        with suppress(InputError, OSError):
            write_json(root / RUN, asdict(self))


def saved_run(root: Path, engine: int | None = None) -> Run | None:
    """The run of an engine's process, by default of the last one; None if there is none that can be read."""
    with suppress(InputError, TypeError):
        run = Run(**read_json(root / RUN))
        return run if engine in (None, run.engine) else None
    return None


def expected_run(root: Path, stages: Mapping[str, Stage], made: Iterable[str], plan: Planner | None = None) -> Run:
    """What is known of a run before it starts; made: the stages that it makes."""
    seconds = expected_seconds(root, stages, set(made), plan)
    return Run(os.getpid(), len(stages) - len(seconds), seconds)


def expected_seconds(
    root: Path, stages: Mapping[str, Stage], made: set[str], plan: Planner | None = None
) -> dict[str, float]:
    """What stages took the last time, or are planned to take; 0 where nobody knows of any stage.

    What one took with other parameters, as an experiment has them, is better than what other stages took.
    """
    found, same = dict[str, float](), set[str]()
    for stage in (stage for stage in stages.values() if stage.name in made):
        sidecar = last_sidecar(root, stage.name)
        if sidecar.get("command") == stage.command:
            found[stage.name] = float(sidecar["seconds"]) + START_SECONDS
            same |= {stage.name} if sidecar.get("parameters") == stage.parameters else set()
    if plan is not None and same != made:
        found |= plan(root, stages, made - same)
    return {name: found.get(name, typical(found.values())) for name in stages if name in made}


def stages_to_make(root: Path, stages: Mapping[str, Stage]) -> set[str]:
    """Stages that are not as their sidecars tell, and all that come after them. Contents of data are not looked at."""
    made, new = set[str](), set[str]()
    for stage in in_order(stages):
        if new.intersection(stage.inputs) or not as_recorded(root, stage):
            made.add(stage.name)
            new.update(stage.outputs)
    return made


def typical(seconds: Iterable[float]) -> float:
    """The median, or 0 of nothing."""
    return statistics.median([*seconds] or [0.0])


def ran(made: int, stages: int, seconds: float) -> str:
    """How many stages have run, and in which time."""
    return f"{made} of {stages} stages ran, {rounded(seconds)} in all."


def rounded(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 90:
        return f"{max(1, round(seconds / 10)) * 10} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def show(line: str) -> None:
    """Prints the line, in place of the one before where a terminal is for it alone."""
    if TERMINAL not in os.environ:
        print(line, file=sys.stderr, flush=True)
        return
    with suppress(OSError), open(os.environ[TERMINAL], "w", encoding="utf-8") as terminal:
        width = os.get_terminal_size(terminal.fileno()).columns or 80
        terminal.write(f"\r\x1b[K{line[: width - 1]}")


@contextmanager
def reported(root: Path, stage: Stage | None) -> Iterator[None]:
    """Around the main of a stage: shows the line, anew as the stage goes on, if an engine has started it."""
    by_dvc = "DVC_STAGE" in os.environ
    if stage is None or os.environ.get("RANK", "0") != "0" or not (by_dvc or TERMINAL in os.environ):
        yield
        return
    # A process of several is not a child of the engine: torchrun is, and its stage has begun.
    run = begun(root, stage.name) if by_dvc and "RANK" not in os.environ else saved_run(root)
    if by_dvc and LOGS in os.environ:
        print_into(Path(os.environ[LOGS]) / f"{stage.name}.log")
    if run is not None and TERMINAL in os.environ:
        listeners.append(lambda left: show(run.line(stage.name, left)))
    try:
        yield
    finally:
        if run is not None and by_dvc:
            run.end(stage.name)
            run.save(root)


def begun(root: Path, name: str) -> Run:
    """The run of the DVC that has started this process, when its stage has begun; shows the line."""
    engine = os.getppid()
    run = saved_run(root, engine)
    if run is None:
        told = Path(f"/proc/{engine}/cmdline")  # where the system tells
        words = told.read_text(encoding="utf-8", errors="replace").split("\0") if told.exists() else []
        stages, before = needed_for(words, resolved_stages(root)), Path(os.environ.get(BEFORE, root))
        run = expected_run(before, stages, stages_to_make(before, stages))
        run.engine = engine
    run.begin(name)
    run.save(root)
    show(run.line(name))
    return run


def print_into(path: Path) -> None:
    """Sends all that this process and its children print into a file, anew but for the processes of torchrun."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = os.O_APPEND if "RANK" in os.environ else os.O_TRUNC
    file = os.open(path, os.O_WRONLY | os.O_CREAT | kind, 0o666)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(file, stream.fileno())


def last_words(name: str, folder: Path, since: float) -> str:
    """What a person should know of a stage that has failed: its one line, or the last lines of its log.

    since: when the run has started, in seconds since 1970; an older log is of another run.
    """
    log = folder / f"{name}.log"
    is_new = log.exists() and log.stat().st_mtime >= since
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if is_new else []
    if lines and lines[-1].startswith("error: "):
        return f"error: {name}: {lines[-1].removeprefix('error: ')}"
    return "\n  ".join([f"error: {name} failed; {log} ends:", *lines[-LAST_LINES:]])


class Errors(logging.Handler):
    """Tells the errors of a Snakemake that prints nothing, until a `Follower` does."""

    def emit(self, record: logging.LogRecord) -> None:
        """Takes one event."""
        if record.levelno >= logging.ERROR:
            tell(record.getMessage())


class Follower(logging.Handler):
    """Follows a run of Snakemake by the events of its own log, and shows the line.

    alone: whether Snakemake prints nothing (`--quiet all`); then errors are told here, but for those of Ctrl-C.
    """

    def __init__(
        self, root: Path, stages: Mapping[str, Stage], made: Iterable[str], alone: bool, plan: Planner
    ) -> None:
        super().__init__()
        self.root, self.alone, self.names = root, alone, dict[int, str]()
        self.run = expected_run(root, stages, made, plan)
        if alone:
            self.before = signal.signal(signal.SIGINT, self.interrupted)
            take_terminal()

    def interrupted(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-C: what fails from now on is no news."""
        self.alone = False
        clear()
        if callable(self.before):
            self.before(number, frame)

    def emit(self, record: logging.LogRecord) -> None:
        """Takes one event."""
        told = vars(record)
        event, name = told.get("event"), told.get("rule_name")
        if event == "job_info" and name in self.run.seconds:
            self.names[told["jobid"]] = name
            self.run.begin(name)
            self.run.save(self.root)
            show(self.run.line(name))
        elif event == "job_finished" and told["job_id"] in self.names:
            self.run.end(self.names[told["job_id"]])
            self.run.save(self.root)
        elif self.alone and event == "job_error":
            tell(last_words(self.names[told["jobid"]], LOG_FOLDER, self.run.started))
        elif self.alone and record.levelno >= logging.ERROR and not OF_A_STAGE.search(record.getMessage()):
            tell(record.getMessage())


def tell(message: str) -> None:
    """Prints in place of the line."""
    clear()
    print(message, file=sys.stderr, flush=True)


def take_terminal() -> None:
    """Keeps the terminal of standard error, if it is one that has a name, for the line."""
    with suppress(OSError):
        os.environ[TERMINAL] = os.ttyname(sys.stderr.fileno())


def clear() -> None:
    """Takes the line off the terminal that is for it."""
    if TERMINAL in os.environ:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
