"""1-nearest-neighbour classification of test digits by class-conditional samples (section 8.1, Table 3, Figure 9).

Inputs:  a conditional generator; a folder of image stores train.h5 and test.h5; `neighbours.<name>` of params.yaml.
Outputs: a JSON: test error when the neighbours are samples (50,000 of them, as published, or the most that there are),
         when they are the real training images, the published error, and for samples of the untrained network; a CSV
         (source, n, error) at each number asked for; a PNG, one row per class: real training images, a gap, samples;
         outcomes: 1 where a test image is right, else 0 (1, test images), with the largest number of `samples`, of
         `real` training images, of samples of the untrained network (`random`).
         Samples stream by: 10 million need no more memory than one batch.
`neighbours.<name>.processes` above 1: as many processes share the samples, started by torchrun; the result is the same.
Published: error at 50,000 / 10 million samples: DCGAN 2.98 / 1.48 %, GAN 6.28 / 5.65; real data 3.1 (60,000 images).
"""

from pathlib import Path
from typing import Any

import pandas as pd

from dcgan.core.distributed import join_group, leave_group
from dcgan.core.files import write_csv, write_json
from dcgan.core.outcomes import write_outcomes
from dcgan.core.pixels import write_png
from dcgan.core.seeding import torch_generator
from dcgan.data.packed_sets import labelled_store
from dcgan.models.networks import Generator
from dcgan.representation.neighbour_curves import (
    Row,
    digits_picture,
    errors_at,
    sample_batches,
    store_batches,
)
from workflow.engines.launch import share_work
from workflow.engines.options import section_named
from workflow.engines.stage import load_params, prepare, run_stage, stage_parser
from workflow.params.sections import Neighbours

PUBLISHED_SAMPLES = 50_000  # that `published_error` is the error with


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--name", required=True, help="which section of `neighbours` to run, e.g. mnist")
    parser.add_argument("--generator", type=Path, required=True, help="network file")
    parser.add_argument("--images", type=Path, required=True, help="folder of image stores")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON of errors")
    parser.add_argument("--curve", type=Path, required=True, help="CSV of errors against the number of neighbours")
    parser.add_argument("--figure", type=Path, required=True, help="PNG of real digits and samples")
    parser.add_argument("--outcomes", type=Path, required=True, help="HDF5 of which test images are right")
    args = parser.parse_args(arguments)
    params = load_params(args.params)
    section, seed = section_named(params.neighbours, args.name, "neighbours"), params.run.seed

    processes, local_rank = share_work("stages.evaluate_neighbours", section.processes, arguments)
    group, device = join_group(processes, local_rank, prepare(params.run))
    train, test = (labelled_store(args.images / f"{split}.h5") for split in ("train", "test"))
    generator = Generator.from_file(args.generator, device)
    untrained = Generator(generator.architecture).initialize(torch_generator(seed, "neighbours", args.name)).to(device)
    size, few = section.batch_size, few_samples(section)
    rows, right = [], {}
    for source, counts, batches in (
        ("samples", section.samples, sample_batches(generator, max(section.samples), size, seed, group)),
        ("random weights", few, sample_batches(untrained, max(few), size, seed, group)),
        ("real", real_counts(section, len(train)), store_batches(train, size, seed, group)),
    ):
        curve, right[source] = errors_at(test, batches, counts, device, source, group)
        rows += curve
    if group.is_first:
        write_csv(args.curve, pd.DataFrame(rows))
        write_json(args.metrics, summary(rows, section, len(test)))
        arrays = {"samples": right["samples"], "real": right["real"], "random": right["random weights"]}
        write_outcomes(args.outcomes, arrays)
        write_png(args.figure, digits_picture(train, generator, size, seed))
    leave_group(group)


def few_samples(section: Neighbours) -> list[int]:
    """The numbers of samples that random weights are measured at; the smallest one if all are too large."""
    return [n for n in section.samples if n <= section.random_samples] or section.samples[:1]


def real_counts(section: Neighbours, n_train: int) -> list[int]:
    """The numbers of real images that are measured: all numbers of samples below their own number, and that."""
    return [n for n in section.samples if n < n_train] + [n_train]


def summary(rows: list[Row], section: Neighbours, n_test: int) -> dict[str, Any]:
    """The figures of Table 3."""
    last = {row["source"]: row for row in rows}
    samples = {row["n"]: row["error"] for row in rows if row["source"] == "samples"}
    n_samples = PUBLISHED_SAMPLES if PUBLISHED_SAMPLES in samples else max(samples)
    return {
        "error": samples[n_samples],
        "published": section.published_error,
        "n_samples": n_samples,
        **{f"error_{n}": error for n, error in samples.items()},
        "real_error": last["real"]["error"],
        "error_over_real": samples[n_samples] / last["real"]["error"] if last["real"]["error"] else None,
        "n_real": last["real"]["n"],
        "random_weights_error": last["random weights"]["error"],
        "n_random": last["random weights"]["n"],
        "n_test": n_test,
    }


if __name__ == "__main__":
    run_stage(main)
