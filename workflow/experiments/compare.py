"""Several experiments side by side, for the eye: `make compare EXPERIMENTS="a b c"` writes results/compare.html.

Input: names of experiments, revisions, branches or tags, or `workspace`; the others are compared with the first. A
single name is compared with HEAD; without a name the workspace is. Output: one HTML file that opens offline: differing
parameters and code, all metrics with differences, curves over each other, grids of samples of the same z after the
same number of images. Nothing is checked out. Of what is not at hand (never recorded, or not in DVC's cache) metrics
are absent, and a note stands in place of grids.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import pandas as pd

from dcgan.core.files import InputError, replace_when_done
from workflow.description import Description, describe, item_of
from workflow.engines.stage import command_parser, run_stage
from workflow.experiments.revisions import WORKSPACE, Revision, changed_code, judged, open_revision, start_of
from workflow.report.charts import Chart, chart, series_of
from workflow.report.page import fill_template, picture, picture_name
from workflow.report.table_rows import number

PAGE = Path("results/compare.html")
ABSENT, UNJUDGED = object(), object()
NOT_PAIRED = "No grid after as many images as the others have."
SAME_IMAGES = 0.05  # by how much numbers of images may differ: of another seed, say, other duplicates are dropped
NOT_AT_HAND = "Not at hand: never made, never recorded, or neither here nor in DVC's cache. `dvc pull` may bring it."


def main(arguments: list[str] | None = None) -> None:
    """Writes the page; raises InputError for a name that stands for nothing."""
    parser = command_parser(__doc__)
    parser.add_argument("experiments", nargs="*", help="names or revisions; the first is what others are compared with")
    parser.add_argument("--out", type=Path, default=PAGE, help="HTML file to write (default: %(default)s)")
    args = parser.parse_args(arguments)
    names = chosen(args.experiments)
    with replace_when_done(args.out) as partial:
        partial.write_bytes(render(Path.cwd(), [open_revision(Path.cwd(), name) for name in names]).encode())
    print(f"{', '.join(names)} side by side: {args.out}")


def chosen(names: Sequence[str]) -> list[str]:
    """What is compared; raises InputError if a name is given twice."""
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise InputError(f"{', '.join(sorted(twice))}: named twice; nothing differs from itself")
    if len(names) > 1:
        return list(names)
    return ["HEAD", *(names or [WORKSPACE])] if list(names) != ["HEAD"] else ["HEAD", WORKSPACE]


def render(root: Path, revisions: Sequence[Revision]) -> str:
    """The whole page."""
    metrics = [revision.metrics() for revision in revisions]
    files = sorted({file for state in metrics for file in state if file != "claims"})  # these have a table of their own
    verdicts = [verdicts_of(judged(revision, start_of(root, revision))) for revision in revisions]
    return fill_template(
        "compare.html.j2",
        title=f"{', '.join(revision.name for revision in revisions[:-1])} and {revisions[-1].name}",
        states=[(one, one.date, changed_code(root, revisions[0], one)) for one in revisions],
        claims=claims_side_by_side(verdicts),
        unjudged=[one.name for one, found in zip(revisions, verdicts, strict=True) if not found],
        parameters=rows_of([revision.params() for revision in revisions]),
        groups={file.replace("_", " "): rows_of([state.get(file, {}) for state in metrics]) for file in files},
        charts=list(charts_of(revisions)),
        grids=list(grids_of(revisions)),
    )


def verdicts_of(table: pd.DataFrame) -> dict[str, str]:
    """The verdict of each claim in a table; none if it is empty."""
    return {} if table.empty else dict(zip(table.id, table.verdict, strict=True))


def claims_side_by_side(states: Sequence[Mapping[str, str]]) -> list["Row"]:
    """The claims with their verdicts; a state that has judged none has a dash, and differs from no other."""
    claims = dict.fromkeys(claim for state in states for claim in state)
    return rows_of([state or dict.fromkeys(claims, UNJUDGED) for state in states])


def outputs_of(revisions: Sequence[Revision], suffix: str) -> Iterator[tuple[str, str, Description]]:
    """Paths of results of a kind ("": folders) that any state makes, with the stage's item and description."""
    makers = {path: stage for revision in revisions for path, stage in revision.outputs.items()}
    for path, stage in sorted(makers.items(), key=lambda pair: (pair[1], pair[0])):
        if path.startswith("results/") and PurePosixPath(path).suffix == suffix:
            yield path, item_of(stage).replace("_", " "), describe(stage)


def charts_of(revisions: Sequence[Revision]) -> Iterator[Chart]:
    """A chart for each curve that is not the same in all states, a line per state."""
    for path, item, about in outputs_of(revisions, ".csv"):
        for plan in (*about.charts, *about.compared_charts):
            found = {revision.name: series_of(revision.table(path), plan) for revision in revisions}
            for curve in dict.fromkeys(name for series in found.values() for name in series):
                lines = {name: series[curve] for name, series in found.items() if curve in series}
                first, *others = lines.values()
                if not others or not all(first.equals(other) for other in others):
                    title = ": ".join(filter(None, (about.title, item, curve)))
                    yield from filter(None, [chart(replace(plan, note=""), lines, title)])


def grids_of(revisions: Sequence[Revision]) -> Iterator[dict[str, Any]]:
    """Grids of samples of every network after the same number of images, side by side."""
    for folder, item, about in outputs_of(revisions, ""):
        if about.compared_pictures:
            files = paired([images_of(revision, folder) for revision in revisions])
            shown = [shown_picture(*pair, folder) for pair in zip(revisions, files, strict=True)]
            yield {
                "title": f"{about.compared_pictures}: {item}",
                "same": all(one["picture"] and one["picture"].uri == shown[0]["picture"].uri for one in shown),
                "latents": latents(revisions, item.replace(" ", "_")),
                "shown": shown,
            }


def images_of(revision: Revision, folder: str) -> dict[str, float]:
    """After how many images each picture in a folder, epoch-<n>.png, was drawn.

    Images are counted by the stage's curves, which have columns `images` and `epoch`; where these are not at hand,
    epochs count.
    """
    stage = revision.outputs.get(folder)
    curves = [path for path, maker in revision.outputs.items() if maker == stage and path.endswith(".csv")]
    tables = [table for table in map(revision.table, curves) if {"images", "epoch"} <= set(table.columns)]
    images_an_epoch = tables[0].images.iloc[-1] / tables[0].epoch.iloc[-1] if tables else 1.0
    epochs = {file: int(PurePosixPath(file).stem.rpartition("-")[2]) for file in revision.inside(folder)}
    return {file: epoch * images_an_epoch for file, epoch in epochs.items()}


def paired(states: Sequence[Mapping[str, float]]) -> list[str]:
    """Of each state's pictures the one to show: the latest that all states have after as many images, to 5 %.

    "" where a state has none, or none that goes with the others'.
    """
    present = [seen for seen in states if seen]
    for images in sorted({count for seen in present for count in seen.values()}, reverse=True):
        nearest = [min(seen, key=lambda file: abs(seen[file] - images), default="") for seen in states]
        counts = [seen[file] for seen, file in zip(states, nearest, strict=True) if file]
        if max(counts) - min(counts) <= SAME_IMAGES * max(counts):
            return nearest
    return ["" for _ in states]


def shown_picture(revision: Revision, file: str, folder: str) -> dict[str, Any]:
    """A state's picture, one of those in a folder; or why there is none."""
    content = revision.read(file) if file else None
    return {
        "revision": revision.name,
        "picture": content and picture(content, file, f"Grid of samples of {revision.name}"),
        "absence": NOT_PAIRED if not file and revision.inside(folder) else NOT_AT_HAND,
        "epoch": picture_name(file) if content else "",
    }


def latents(revisions: Sequence[Revision], network: str) -> str:
    """Whether cells of the grids have the same z: it follows from the seed and from the network's own."""
    keys = ("run.seed", f"train.{network}.network")
    rows = rows_of([{key: state.get(key) for key in keys} for state in (one.params() for one in revisions)])
    changed = [row.name for row in rows if row.changed]
    return f"Not the same z: it depends on {' and '.join(changed)}." if changed else "Cell by cell the same z."


class Entry(NamedTuple):
    """A value of one state, and how it differs from the first one's; both as text."""

    text: str
    changed: bool
    difference: str = ""


class Row(NamedTuple):
    """A key with its values, and whether any state differs from the first."""

    name: str
    entries: list[Entry]
    changed: bool


def rows_of(states: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Every key that any state has, in the order in which they come."""
    rows = []
    for key in dict.fromkeys(key for state in states for key in state):
        entries = [entry_of(one.get(key, ABSENT), states[0].get(key, ABSENT)) for one in states]
        rows.append(Row(key, entries, any(entry.changed for entry in entries)))
    return rows


def entry_of(value: Any, first: Any) -> Entry:
    """A value beside the first one; True is not 1, but 1.0 is."""
    text = "absent" if value is ABSENT else "–" if value is UNJUDGED else number(value)
    if value is UNJUDGED or first is UNJUDGED:
        return Entry(text, changed=False)
    if {type(value), type(first)} <= {int, float}:
        return Entry(text, value != first, difference(value - first, first) if value != first else "")
    return Entry(text, type(value) is not type(first) or value != first)


def difference(change: float, first: float) -> str:
    """A change with its sign, and in percent of what was there."""
    text = f"{change:+,}" if isinstance(change, int) else f"{change:+.4g}"
    share = f" ({100 * change / abs(first):+.1f} %)" if first else ""
    return f"{text}{share}".replace("-", "−")


if __name__ == "__main__":
    run_stage(main)
