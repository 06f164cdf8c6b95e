"""1-nearest-neighbour classification of test digits by class-conditional samples (section 8.1, Table 3, Figure 9).

Inputs:  a conditional generator; a folder of image stores train.h5 and test.h5; `neighbours.<name>` of params.yaml.
Outputs: a JSON: test error when the neighbours are samples (50,000 of them, as published, or else the most there are),
         when they are the real training images, the published error, and for samples of the untrained network; a CSV
         (source, n, error) at each number asked for; a PNG, one row a class: real training images, a gap, samples.
         Samples stream by: 10 million need no more memory than one batch.
`neighbours.<name>.processes` above 1: as many processes share the samples, started by torchrun; the result is the same.
Published: error at 50,000 / 10 million samples: DCGAN 2.98 / 1.48 %, GAN 6.28 / 5.65; real data 3.1 (60,000 images).
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from dcgan.core.distributed import ALONE, Group, join_group, leave_group
from dcgan.core.files import InputError, write_csv, write_json
from dcgan.core.pixels import Images, enlarge, tile, write_png
from dcgan.core.progress import track
from dcgan.core.seeding import torch_generator
from dcgan.data.image_store import ImageStore, Labels
from dcgan.models.networks import Generator
from dcgan.models.pixel_range import to_uint8
from dcgan.representation.one_nn import NearestNeighbour
from workflow.engines.launch import start_processes
from workflow.engines.stage import load_params, prepare, run_stage, stage_parser
from workflow.params.sections import Neighbours

Row = dict[str, Any]
SHOWN, PADDING = 10, 2
PUBLISHED_SAMPLES = 50_000  # that `published_error` is the error with


class Batch(NamedTuple):
    """References that lie together in the order of all: images (n, H, W, C) uint8, labels (n,)."""

    first: int
    images: Images
    labels: Labels

    def before(self, n: int) -> "Batch":
        """Those among the first n of all."""
        return Batch(self.first, self.images[: n - self.first], self.labels[: n - self.first])

    def after(self, n: int) -> "Batch | None":
        """The others; None where there are none."""
        behind = max(n - self.first, 0)
        return (
            Batch(self.first + behind, self.images[behind:], self.labels[behind:])
            if behind < len(self.images)
            else None
        )


def main(arguments: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--name", required=True, help="which section of `neighbours` to run, e.g. mnist")
    parser.add_argument("--generator", type=Path, required=True, help="network file")
    parser.add_argument("--images", type=Path, required=True, help="folder of image stores")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON of errors")
    parser.add_argument("--curve", type=Path, required=True, help="CSV of errors against the number of neighbours")
    parser.add_argument("--figure", type=Path, required=True, help="PNG of real digits and samples")
    args = parser.parse_args(arguments)
    params = load_params(args.params)
    section = params.neighbours.get(args.name)
    if section is None:
        raise InputError(f"neighbours.{args.name}: no such section; there are {', '.join(params.neighbours)}")

    if section.processes > 1 and "WORLD_SIZE" not in os.environ:
        start_processes("stages.evaluate_neighbours", section.processes, arguments)

    (group, device), seed = join_group(section.processes, prepare(params.run)), params.run.seed
    train, test = (labelled_store(args.images / f"{split}.h5") for split in ("train", "test"))
    generator = Generator.from_file(args.generator, device)
    untrained = Generator(generator.architecture).initialize(torch_generator(seed, "neighbours", args.name)).to(device)
    few = [n for n in section.samples if n <= section.random_samples] or section.samples[:1]
    samples = sample_batches(generator, max(section.samples), section, seed, group)
    rows = errors_at(test, samples, section.samples, device, "samples", group)
    samples = sample_batches(untrained, max(few), section, seed, group)
    rows += errors_at(test, samples, few, device, "random weights", group)
    real = [n for n in section.samples if n < len(train)] + [len(train)]
    rows += errors_at(test, store_batches(train, section.batch_size, seed, group), real, device, "real", group)
    if group.is_first:
        write_csv(args.curve, pd.DataFrame(rows))
        write_json(args.metrics, summary(rows, section, len(test)))
        write_png(args.figure, picture(train, generator, section, seed))
    leave_group(group)


def labelled_store(path: Path) -> ImageStore:
    """A store with labels; raises InputError where it has none."""
    store = ImageStore(path)
    if store.labels is None:
        raise InputError(f"{path}: the images have no labels")
    return store


@torch.no_grad()
def sample_batches(generator: Generator, n: int, section: Neighbours, seed: int, group: Group) -> Iterator[Batch]:
    """This process's share of n samples, the classes in turn, every batch drawn and normalised by itself."""
    device, classes = next(generator.parameters()).device, generator.architecture.classes
    if classes == 0:
        raise InputError(f"{generator.architecture.name} is not conditional: its samples have no labels")
    size = section.batch_size
    numbers = range(group.rank, -(-n // size), group.size)
    for number in track(numbers, len(numbers), "samples", f"batches of {size}") if group.is_first else numbers:
        labels = (torch.arange(size) + number * size) % classes
        z = generator.draw_latents(size, torch_generator(seed, "neighbours", number)).to(device)
        images = to_uint8(generator(z, labels.to(device)), generator.architecture.pixel_range)
        yield Batch(number * size, images, labels.numpy()).before(n)


def store_batches(store: ImageStore, size: int, seed: int, group: Group) -> Iterator[Batch]:
    """This process's share of a store's images in random order, as the samples come."""
    assert store.labels is not None
    order = torch.randperm(len(store), generator=torch_generator(seed, "neighbours", "real")).numpy()
    for start in range(group.rank * size, len(store), group.size * size):
        rows = order[start : start + size]
        yield Batch(start, store.images[rows], store.labels[rows])


def errors_at(
    test: ImageStore, batches: Iterator[Batch], counts: Sequence[int], device: torch.device, source: str, group: Group
) -> list[Row]:
    """The test error at each of the rising numbers of neighbours, which all processes of a group have together."""
    assert test.labels is not None
    neighbours, rows = NearestNeighbour(np.asarray(test.images), device), []
    batch = next(batches, None)
    for n in counts:
        while batch is not None and batch.first < n:
            now = batch.before(n)
            neighbours.add(now.images, now.labels, now.first)
            batch = batch.after(n) or next(batches, None)
        rows.append({"source": source, "n": n, "error": neighbours.error(test.labels, group)})
    return rows


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
        "n_real": last["real"]["n"],
        "random_weights_error": last["random weights"]["error"],
        "n_random": last["random weights"]["n"],
        "n_test": n_test,
    }


def picture(train: ImageStore, generator: Generator, section: Neighbours, seed: int) -> Images:
    """One row a class: real images, a gap, samples."""
    assert train.labels is not None
    classes = generator.architecture.classes
    batches = list(sample_batches(generator, SHOWN * classes, section, seed, ALONE))
    samples, labels = (np.concatenate([batch[part] for batch in batches]) for part in (1, 2))
    rows = []
    for label in range(classes):
        real = train.images[np.flatnonzero(train.labels == label)[:SHOWN]]
        row = np.full((2 * SHOWN + 1, *samples.shape[1:]), 255, np.uint8)
        row[: len(real)], row[SHOWN + 1 :] = real, samples[labels == label][:SHOWN]
        rows.append(row)
    return enlarge(tile(np.concatenate(rows), 2 * SHOWN + 1, PADDING), 2)


if __name__ == "__main__":
    run_stage(main)
