"""Collects what a run of the DAG made and renders it as one HTML file that opens offline, from a mail attachment.

Input: the resolved stages of dvc.yaml, and the files that they name as outputs. Output: text of an HTML page: pictures
are data URIs, curves inline SVG. Without an account of the run, whose times and machine are never the same twice, the
same results give the same bytes anywhere: the engine that builds the page then has made everything with these
parameters. With an account (workflow/report/write.py) every result that is not of these parameters is marked, and left
out of tables, claims and the first screen.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from workflow.claims.words import CLAIMS, Line, count, lines, read_claims
from workflow.description import CHAPTERS
from workflow.engines.dag import TIMESTAMP, Stage
from workflow.params.load import read_yaml
from workflow.report.belonging import NAMED_AT_MOST
from workflow.report.first_screen import STAND_INS, in_small, trained
from workflow.report.page import AS_IT_IS, fill_template
from workflow.report.results import chapters, metrics_by_name, on_data_of_the_paper, outputs
from workflow.report.run_history import Account
from workflow.report.table_rows import tables_of

EXPLORE = "results/explore.html"
RESULTS = ("results/metrics", "results/figures", "results/curves")


def render(
    root: Path,
    stages: Mapping[str, Stage],
    title: str,
    account: Account | None = None,
    quality: int = AS_IT_IS,
    expected: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> str:
    """The whole page, with an account of the run if one is given, and pictures of some quality (see page.py).

    expected: what to expect of claims, by their ids (workflow/report/reference.py).
    """
    params = read_yaml(root / "params.yaml")
    current = {name: stage for name, stage in stages.items() if account is None or account.belongs(name)}
    of_the_paper = on_data_of_the_paper(stages)
    claims, metrics = claims_of(root, current, of_the_paper), metrics_by_name(root, current)
    others = marked(root, stages, account) if account else {}
    # Verdicts that were not run have no place on a page of one's own; those that were stand first on it.
    listed = {name: one for name, one in stages.items() if of_the_paper or CLAIMS.as_posix() not in one.outputs}
    shown = chapters(root, listed, others, claims, quality)
    return fill_template(
        "report.html.j2",
        title=title,
        of_the_paper=of_the_paper,
        trained=list(trained(root, stages, current)),
        claims=claims,
        expected=expected,
        verdicts=count(claims),
        small=in_small(shown),
        chapters=shown,
        measured=[one for results in shown.values() for one in results if one.sentence and not one.other],
        sections=CHAPTERS if of_the_paper else {},
        tables=tables_of(metrics),
        quality=quality,
        stages=list(stages.values()),
        account=account,
        others=others,
        reasons=frequent(account.others[name].text for name in others) if account else [],
        leftovers=leftovers(root, stages) if account else [],
        explore=account is not None and made(root, current, EXPLORE),
        other_explore=made(root, {name: stages[name] for name in others}, EXPLORE),
        parameters=params,
        stand_ins=sorted(stand_ins(params)),
    )


def claims_of(root: Path, stages: Mapping[str, Stage], of_the_paper: bool) -> list[Line]:
    """The claims that the DAG judges; none if it does not, or has not yet.

    On data that are not the paper's: those that were measured, without their places and numbers in the paper.
    """
    found = lines(read_claims(root / CLAIMS)) if made(root, stages, CLAIMS.as_posix()) else []
    measured = (one for one in found if one.verdict != "not run")
    return found if of_the_paper else [replace(one, paper="", published="") for one in measured]


def made(root: Path, stages: Mapping[str, Stage], path: str) -> bool:
    """Whether a file is there that a stage makes."""
    return (root / path).is_file() and any(path in stage.outputs for stage in stages.values())


def frequent(texts: Iterable[str]) -> list[str]:
    """The texts that come most often."""
    return [text for text, _ in Counter(texts).most_common(NAMED_AT_MOST)]


def marked(root: Path, stages: Mapping[str, Stage], account: Account) -> dict[str, str]:
    """The stages that have results of other parameters, each with the reason in words."""
    found = {name: reason.about(name) for name, reason in account.others.items()}
    return {name: text for name, text in found.items() if outputs(root, stages[name], "")}


def leftovers(root: Path, stages: Mapping[str, Stage]) -> list[str]:
    """Files among the results that no stage of the DAG makes: another preset's, or another version's."""
    ours = {path for stage in stages.values() for path in outputs(root, stage, "")}
    found = (path for folder in RESULTS for path in sorted((root / folder).rglob("*")) if path.is_file())
    return [path.relative_to(root).as_posix() for path in found if path not in ours and path.name != TIMESTAMP]


def stand_ins(value: Any) -> set[str]:
    """All paths in the parameters that lie in the demo world: rendered stand-ins for the paper's data."""
    if isinstance(value, Mapping | list):
        return set().union(*map(stand_ins, value.values() if isinstance(value, Mapping) else value))
    return {value} if isinstance(value, str) and value.startswith(STAND_INS) else set()
