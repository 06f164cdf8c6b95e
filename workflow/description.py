"""What the project knows of a stage besides how it runs: what it shows, and how much work it is.

Each script of `stages/` has one module of the same name in `workflow/descriptions/`, and that module's `DESCRIPTION` is
found by the stage's name. The report, the summary, README's generated parts, `make compare`, `make plan` and
Snakemake's report all read it there. A stage without a module works: its results stand under "Further results".
"""

import importlib
import importlib.util
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from workflow.workload import Scale, Work

Metrics = Mapping[str, Any]
# Chapters of the report, in order, with the sections of the paper. Stages of no chapter stand under the last.
CHAPTERS = {
    "Data": "sections 4.1 to 4.3",
    "Training": "sections 3 and 4",
    "Representations": "sections 5 and 8.1",
    "Looking inside": "section 6",
}
FURTHER = "Further results"
UNFINISHED = "`make annotate`, then run the pipeline again"  # what a figure says that waits for a person


@dataclass(frozen=True)
class Curves:
    """A chart of a stage's CSV: a curve for each of `columns` over the column `horizontal`.

    `by` splits the rows into a curve for each value of a column; `where` keeps the rows with a value in a column.
    """

    title: str
    note: str  # what to look for
    horizontal: str
    columns: tuple[str, ...]
    by: str | None = None
    where: tuple[str, str] | None = None
    axis: str = ""  # the horizontal axis in words, if not the column's name


@dataclass(frozen=True)
class Description:
    """All of it has defaults; `{item}` in a caption is what `foreach` added to the stage's name."""

    chapter: str = ""
    title: str = ""  # of its results; else the stage's `desc`
    caption: str = ""  # of its pictures
    sentence: str | Callable[[Metrics], str] = ""  # its metrics in words, or what chooses the words; see `fill_in`
    classifier: str = ""  # the kind of stage whose sentence says how far this one's numbers can be trusted
    charts: tuple[Curves, ...] = ()
    compared_charts: tuple[Curves, ...] = ()  # further ones that `make compare` draws
    compared_pictures: str = ""  # title of its pictures in `make compare`; none are shown without
    in_summary: bool = False  # whether the lines at the end of a run have its sentence
    # README: lines of the table, `what | published | ours`; items shown in the picture; figures, tables and sections of
    # the paper (with a word of what they are) and the item that makes each; modules of dcgan/ where its code is.
    table_rows: tuple[str, ...] = ()
    pictured: tuple[str, ...] = ()
    pictured_wide: bool = False
    makes: Mapping[str, str] = field(default_factory=dict)
    modules: tuple[str, ...] = ()
    work: Callable[[Scale, str], Work] | None = None  # of the job of an item, for `make plan`; see `describe`

    def measured(self, metrics: Metrics) -> str:
        """The sentence of a stage's metrics; empty if it has none."""
        return fill_in(self.sentence(metrics) if callable(self.sentence) else self.sentence, metrics)


@cache
def describe(stage: str) -> Description:
    """The description of a stage, by its name or that of its kind; an empty one if it has no module.

    A function `work` of the module is the amount of work of a job; without one it takes a few seconds.
    """
    name = kind_of(stage)
    if not name.isidentifier() or importlib.util.find_spec(f"workflow.descriptions.{name}") is None:
        return Description()
    module = importlib.import_module(f"workflow.descriptions.{name}")
    found: Description = module.DESCRIPTION
    return replace(found, work=getattr(module, "work", None))


def kind_of(stage: str) -> str:
    """A stage's name without what `foreach` added."""
    return stage.partition("@")[0]


def item_of(stage: str) -> str:
    """What `foreach` added to a stage's name."""
    return stage.partition("@")[2]


def caption_of(stage: str) -> str:
    """What a stage's pictures show and what to look for in them."""
    return describe(stage).caption.replace("{item}", item_of(stage))


class Words(string.Formatter):
    """`str.format` with two things more: None is a dash, and the format `rest.1%` is that of 1 minus the value."""

    def format_field(self, value: Any, format_spec: str) -> str:
        """One value as text."""
        if value is None:
            return "-"
        if format_spec.startswith("rest"):
            value, format_spec = 1 - value, format_spec.removeprefix("rest")
        return str(super().format_field(value, format_spec)).replace("%", " %")


def fill_in(text: str, metrics: Metrics) -> str:
    """A text with its `{keys}` filled in: `{share:.1%}` is "5.4 %". Raises KeyError for a missing metric."""
    return Words().vformat(text, (), metrics)
