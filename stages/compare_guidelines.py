"""Which of section 3's guidelines matter here: every variant beside the published rules, as numbers and as pictures.

Inputs:  a folder of runs, <variant>/<seed>/{generator.safetensors, figures.json}; the image store they were trained on;
         `guidelines` of params.yaml.
Outputs: a CSV, one row per variant: variant, change, runs, diverged, and of every figure the mean over the seeds that
         did not diverge and the standard deviation between them, `<figure>_spread`; a JSON of the same,
         `<variant>_<figure>`, with how many variants are clearly worse or better than the published rules; a PNG, one
         row per variant: samples of the same z, of the first seed, with their batch's statistics; real images on top;
         outcomes, `<variant>_<figure>` by seed.
Published: no numbers; section 3 says in words what happened.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dcgan.core.files import read_json, write_csv, write_json
from dcgan.core.outcomes import Outcomes, write_outcomes
from dcgan.core.pixels import Images, enlarge, tile, write_png
from dcgan.core.seeding import numpy_generator, torch_generator
from dcgan.data.image_store import ImageStore
from dcgan.internals.figure_layout import above, beside, sign
from dcgan.models.networks import BATCH, Generator
from workflow.engines.options import figure_parser
from workflow.engines.stage import load_params, prepare, run_stage
from workflow.params.guidelines import Guidelines

FIGURES = (
    *("precision", "recall", "density", "coverage", "sliced_wasserstein", "early_wasserstein"),
    *("d_loss", "g_loss", "d_loss_oscillation", "g_loss_oscillation", "restlessness"),
)
NAME_WIDTH, GAP = 230, 4


def main(arguments: list[str] | None = None) -> None:
    parser = figure_parser(__doc__, "images", "figure", "metrics")
    parser.add_argument("--runs", type=Path, required=True, help="folder of runs, <variant>/<seed>")
    parser.add_argument("--table", type=Path, required=True, help="CSV to write")
    parser.add_argument("--outcomes", type=Path, required=True, help="HDF5 of every run's figures, for claims")
    args = parser.parse_args(arguments)
    params = load_params(args.params)
    guidelines = params.guidelines

    device = prepare(params.run)
    # What all are compared with comes first, whatever the order of the file.
    names = sorted(guidelines.variants, key=lambda name: bool(guidelines.variants[name].changes()))
    table = pd.DataFrame([row_of(args.runs, name, guidelines) for name in names])
    write_csv(args.table, table)
    write_json(args.metrics, metrics_of(table, guidelines))
    write_outcomes(args.outcomes, outcomes_of(args.runs, guidelines))
    store = ImageStore(args.images)
    chosen = numpy_generator(params.run.seed, "guidelines").permutation(len(store))[: guidelines.shown]
    rows = [("real images", store.images[np.sort(chosen)])]
    for name in names:
        generator = Generator.from_file(args.runs / name / str(guidelines.seeds[0]) / "generator.safetensors", device)
        rows.append((name, samples_of(generator, guidelines.shown, params.run.seed)))
    write_png(args.figure, above([labelled(*row, guidelines.enlargement) for row in rows], 0))


def row_of(runs: Path, variant: str, guidelines: Guidelines) -> dict[str, Any]:
    """One row of the table: means over seeds and their spread; empty if every run diverged."""
    found = figures_of(runs, variant, guidelines)
    finite = pd.DataFrame([figures for figures in found if not figures["diverged"]], columns=FIGURES, dtype=float)
    changes = guidelines.variants[variant].changes()
    row: dict[str, Any] = {"variant": variant, "change": ", ".join(f"{key}={value}" for key, value in changes.items())}
    row |= {"runs": len(found), "diverged": len(found) - len(finite)}
    for name in FIGURES:
        row |= {name: finite[name].mean(), f"{name}_spread": finite[name].std()}
    return row


def figures_of(runs: Path, variant: str, guidelines: Guidelines) -> list[dict[str, Any]]:
    """What each run of a variant gave, in the order of the seeds."""
    return [read_json(runs / variant / str(seed) / "figures.json") for seed in guidelines.seeds]


def outcomes_of(runs: Path, guidelines: Guidelines) -> dict[str, Outcomes]:
    """(seeds, 1) of each figure that every run of a variant has. What has diverged has no samples: a recall of 0."""
    found: dict[str, Outcomes] = {}
    for variant in guidelines.variants:
        figures = pd.DataFrame(figures_of(runs, variant, guidelines), columns=FIGURES, dtype=float).fillna(
            {"recall": 0}
        )
        found |= {f"{variant}_{name}": figures[[name]].to_numpy(np.float32) for name in figures.dropna(axis=1)}
    return found


def metrics_of(table: pd.DataFrame, guidelines: Guidelines) -> dict[str, Any]:
    """The table as a flat mapping, null for what is missing, after the verdict by sliced Wasserstein distance.

    By that figure because it needs no neighbours: an even grey lies among the codes of many images and covers them.
    """
    published = table[table.change == ""].iloc[0]
    farther = table.sliced_wasserstein - published.sliced_wasserstein
    # A figure of one seed has no spread; nothing is clear then.
    clear = farther.abs() > table.sliced_wasserstein_spread + published.sliced_wasserstein_spread
    verdict: dict[str, Any] = {"variants": len(table) - 1, "seeds": len(guidelines.seeds)}
    verdict |= {"clearly_worse": int((clear & (farther > 0)).sum() + table.sliced_wasserstein.isna().sum())}
    verdict |= {"clearly_better": int((clear & (farther < 0)).sum())}
    verdict |= {"sliced_wasserstein": value_of(published.sliced_wasserstein)}
    columns = ["diverged", *(column for name in FIGURES for column in (name, f"{name}_spread"))]
    by_name = table.set_index("variant")[columns].to_dict("index")
    return verdict | {f"{v}_{key}": value_of(value) for v, row in by_name.items() for key, value in row.items()}


def value_of(number: float) -> float | None:
    """A number that JSON can hold."""
    return None if pd.isna(number) else float(number)


def samples_of(generator: Generator, shown: int, seed: int) -> Images:
    """The first images of a batch of the same 128 latents, (shown, H, W, C) uint8."""
    z = generator.draw_latents(BATCH, torch_generator(seed, "guidelines", "z"))
    return generator.draw(z, statistics="batch")[:shown]


def labelled(name: str, images_uint8: Images, enlargement: int) -> Images:
    """One row of the page: a name and images."""
    row = enlarge(tile(images_uint8, len(images_uint8)), enlargement)
    return beside([sign(name.replace("_", " "), row.shape[0], NAME_WIDTH), row], GAP)


if __name__ == "__main__":
    run_stage(main)
