"""What the project knows of a stage besides how it runs: what it shows, and how much work it is.

Each script of `stages/` has its description, `workflow/descriptions/<script>.yaml`, whose keys are the fields of
`Description`. The report, the summary, README's generated parts, `make compare`, `make plan` and Snakemake's report all
read it there. A stage without a description works: its results stand under "Further results".
"""

import string
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from workflow.params.load import read_yaml

Metrics = Mapping[str, Any]
# Chapters of the report, in order, with the sections of the paper. Stages of no chapter stand under the last.
CHAPTERS = {
    "Data": "sections 4.1 to 4.3",
    "Training": "sections 3 and 4",
    "Representations": "sections 5 and 8.1",
    "Looking inside": "section 6",
}
FURTHER = "Further results"
FOLDER = Path(__file__).with_name("descriptions")


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Curves:
    """A chart of a stage's CSV: a curve for each of `columns` over the column `horizontal`.

    `by` splits the rows into a curve for each value of a column; `where` keeps the rows with a value in a column.
    """

    title: str
    note: str = ""  # what to look for
    horizontal: str
    columns: tuple[str, ...]
    by: str | None = None
    where: Mapping[str, str] = field(default_factory=dict)
    axis: str = ""  # the horizontal axis in words, if not the column's name


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Description:
    """All of it has defaults; `{item}` in a caption is what `foreach` added to the stage's name."""

    chapter: str = ""
    title: str = ""  # of its results; else the stage's `desc`
    caption: str = ""  # of its pictures
    # Whether pictures show what their caption expects: a claim of workflow/claims/registry.yaml that says so, or two
    # metrics, `a < b`. Where a run does not show it, the caption adds that.
    claim: str = ""
    expects: str = ""
    sentence: str | tuple[str, ...] = ""  # its metrics in words; of several the first whose metrics are all there
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
    # Of the job of an item, for `make plan`: formulas (see workload.py); without any it takes a few seconds.
    work: Mapping[str, str | float] = field(default_factory=dict)

    def measured(self, metrics: Metrics) -> str:
        """The sentence of a stage's metrics; empty if it has none."""
        if isinstance(self.sentence, str):
            return fill_in(self.sentence, metrics)
        for sentence in self.sentence:
            with suppress(KeyError):
                return fill_in(sentence, metrics)
        return ""


@cache
def describe(stage: str) -> Description:
    """The description of a stage, by its name or that of its kind; an empty one if it has none."""
    path = FOLDER / f"{kind_of(stage)}.yaml"
    return Description(**read_yaml(path)) if path.is_file() else Description()


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
    """`str.format` with more: None is a dash; `rest.1%` is the format of 1 minus the value; with the format `some`, 0
    counts as missing; the format `words|others` has the words if the value is true, else the others.
    """

    def format_field(self, value: Any, format_spec: str) -> str:
        """One value as text."""
        if format_spec.startswith("some") and not value:
            raise KeyError("there are none")
        format_spec = format_spec.removeprefix("some")
        if value is None:
            return "-"
        if "|" in format_spec:
            return format_spec.split("|")[not value]
        if format_spec.startswith("rest"):
            value, format_spec = 1 - value, format_spec.removeprefix("rest")
        return str(super().format_field(value, format_spec)).replace("%", " %")


def fill_in(text: str, metrics: Metrics) -> str:
    """A text with its `{keys}` filled in: `{share:.1%}` is "5.4 %". Raises KeyError for a missing metric."""
    return Words().vformat(text, (), metrics)
