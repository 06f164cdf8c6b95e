"""Several experiments side by side, for the eye: `make compare EXPERIMENTS="a b c"` writes results/compare.html.

Input: names of experiments, revisions, branches or tags, or `workspace`; the others are compared with the first. A
single name is compared with HEAD; without a name the workspace is. Output: one HTML file that opens offline: differing
parameters and code, all metrics with differences, curves over each other, grids of samples of the same z. Nothing
is checked out. What is not at hand (never recorded, or not in DVC's cache) is named in its place.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from dcgan.core.files import InputError
from workflow.engines.stage import run_stage
from workflow.experiments.differences import groups_of, rows_of
from workflow.experiments.revisions import WORKSPACE, Revision, changed_code, date_of, open_revision
from workflow.report.charts import COMPARED, Chart, Series, chart, series_of
from workflow.report.collect import TITLES
from workflow.report.page import environment, write_page
from workflow.report.pictures import Picture, picture, picture_name

PAGE = Path("results/compare.html")
GRIDS = {"train_dcgan": "Samples after the last epoch", "draw_samples": "Samples, over real images"}


@dataclass(frozen=True)
class State:
    """A row of the page's first table."""

    name: str
    commit: str
    date: str
    code: list[str]


@dataclass(frozen=True)
class Shown:
    """A picture of one state, or why there is none."""

    revision: str
    picture: Picture | None
    absence: str
    epoch: str


@dataclass(frozen=True)
class Grid:
    """The same figure of every state."""

    title: str
    same: bool
    latents: str
    shown: list[Shown]


def main(arguments: list[str] | None = None) -> None:
    """Writes the page; raises InputError for a name that stands for nothing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", nargs="*", help="names or revisions; the first is what others are compared with")
    parser.add_argument("--out", type=Path, default=PAGE, help="HTML file to write (default: %(default)s)")
    args = parser.parse_args(arguments)
    names = chosen(args.experiments)
    write_page(args.out, render(Path.cwd(), [open_revision(Path.cwd(), name) for name in names]))
    print(f"{', '.join(names)} side by side: {args.out}")


def chosen(names: Sequence[str]) -> list[str]:
    """What is compared; raises InputError where a name is given twice."""
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise InputError(f"{', '.join(sorted(twice))}: named twice; nothing differs from itself")
    if len(names) > 1:
        return list(names)
    return ["HEAD", *(names or [WORKSPACE])] if list(names) != ["HEAD"] else ["HEAD", WORKSPACE]


def render(root: Path, revisions: Sequence[Revision]) -> str:
    """The whole page."""
    first = revisions[0]
    parameters = rows_of([revision.params() for revision in revisions])
    return (
        environment()
        .get_template("compare.html.j2")
        .render(
            title=f"{', '.join(revision.name for revision in revisions[:-1])} and {revisions[-1].name}",
            states=[
                State(one.name, one.commit, date_of(root, one), changed_code(root, first, one)) for one in revisions
            ],
            n_parameters=len(parameters),
            parameters=[row for row in parameters if row.changed],
            groups=groups_of([revision.metrics() for revision in revisions]),
            charts=list(charts_of(revisions)),
            grids=list(grids_of(revisions)),
        )
    )


def outputs_of(revisions: Sequence[Revision], bases: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Paths of results that any state's stages of some kinds make, with the kind and what it was made for."""
    makers = {path: stage for revision in revisions for path, stage in revision.outputs.items()}
    for base in bases:
        for path, stage in sorted(makers.items()):
            if stage.partition("@")[0] == base and path.startswith("results/"):
                yield path, base, stage.partition("@")[2]


def charts_of(revisions: Sequence[Revision]) -> Iterator[Chart]:
    """A chart for each curve that is not the same in all states, a line a state."""
    for path, base, item in outputs_of(revisions, list(COMPARED)):
        if not path.endswith(".csv"):
            continue
        tables = {revision.name: revision.table(path) for revision in revisions}
        for plan in COMPARED[base]:
            curves: dict[str, list[Series]] = {}
            for name, table in tables.items():
                for one in series_of(table, plan) if table is not None else []:
                    curves.setdefault(one.name, []).append(Series(name, one.x, one.y))
            for curve, lines in curves.items():
                if len(lines) < 2 or any(differs(lines[0], other) for other in lines[1:]):
                    title = ": ".join(part.replace("_", " ") for part in (TITLES.get(base, base), item, curve) if part)
                    drawn = chart(replace(plan, sees=""), lines, title)
                    yield from [drawn] if drawn else []


def differs(one: Series, other: Series) -> bool:
    """Whether two curves are not the same."""
    return not (np.array_equal(one.x, other.x) and np.array_equal(one.y, other.y))


def grids_of(revisions: Sequence[Revision]) -> Iterator[Grid]:
    """Grids of samples of every network, side by side."""
    for path, base, item in outputs_of(revisions, list(GRIDS)):
        if PurePosixPath(path).suffix in ("", ".png"):
            found = [shown(revision, path) for revision in revisions]
            uris = {one.picture.uri if one.picture else None for one in found}
            title = f"{GRIDS[base]}: {item.replace('_', ' ')}"
            yield Grid(title, len(uris) == 1 and None not in uris, latents(revisions, item), found)


def shown(revision: Revision, path: str) -> Shown:
    """A state's picture at a path, in a folder its last; or why there is none."""
    if path not in revision.outputs:
        return Shown(revision.name, None, "This state has no stage that draws it.", "")
    inside = revision.inside(path) if not PurePosixPath(path).suffix else [path]
    content = revision.read(inside[-1]) if inside else None
    if content is None:
        absence = "Not at hand: never recorded, or neither here nor in DVC's cache. `dvc pull` may bring it."
        return Shown(revision.name, None, absence, "")
    epoch = picture_name(inside[-1]) if inside[-1] != path else ""
    return Shown(revision.name, picture(content, inside[-1], f"Grid of samples of {revision.name}"), "", epoch)


def latents(revisions: Sequence[Revision], network: str) -> str:
    """Whether cells of the grids have the same z: it follows from the seed and from the network's own."""
    keys = ("run.seed", f"train.{network}.network")
    rows = rows_of([{key: state.get(key) for key in keys} for state in (one.params() for one in revisions)])
    changed = [row.name for row in rows if row.changed]
    return f"Not the same z: it depends on {' and '.join(changed)}." if changed else "Cell by cell the same z."


if __name__ == "__main__":
    run_stage(main)
