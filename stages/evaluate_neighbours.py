"""1-nearest-neighbour classification of test digits by class-conditional samples (section 8.1, Table 3, Figure 9).

Inputs:  a conditional generator; a folder of image stores train.h5 and test.h5; `neighbours.<name>` of params.yaml.
Outputs: a JSON: test error when the neighbours are samples (at the largest number of them), when they are the real
         training images, the published error, and for samples of the untrained network; a CSV (source, n, error) at
         each number asked for; a PNG, one row a class: real training images, a gap, samples.
         Samples stream by: 10 million need no more memory than one batch.
Published: error at 50,000 / 10 million samples: DCGAN 2.98 / 1.48 %, GAN 6.28 / 5.65; real data 3.1 (60,000 images).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from dcgan.files import InputError, write_csv, write_json
from dcgan.nearest_neighbour import NearestNeighbour
from dcgan.networks import Generator
from dcgan.pixels import Images, enlarge, tile, write_png
from dcgan.progress import track
from dcgan.random import torch_generator
from dcgan.scaling import to_uint8
from dcgan.store import ImageStore, Labels
from workflow.params import Neighbours
from workflow.stage import load_params, prepare, run_stage, stage_parser

Row = dict[str, Any]
SHOWN, PADDING = 10, 2


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

    device, seed = prepare(params.run), params.run.seed
    train, test = (labelled_store(args.images / f"{split}.h5") for split in ("train", "test"))
    generator = Generator.from_file(args.generator, device)
    untrained = Generator(generator.architecture).initialize(torch_generator(seed, "neighbours", args.name)).to(device)
    few = [n for n in section.samples if n <= section.random_samples] or section.samples[:1]
    rows = errors_at(
        test, sample_batches(generator, max(section.samples), section, seed), section.samples, device, "samples"
    )
    rows += errors_at(test, sample_batches(untrained, max(few), section, seed), few, device, "random weights")
    real = [n for n in section.samples if n < len(train)] + [len(train)]
    rows += errors_at(test, store_batches(train, section.batch_size, seed), real, device, "real")
    write_csv(args.curve, pd.DataFrame(rows))
    write_json(args.metrics, summary(rows, section, len(test)))
    write_png(args.figure, picture(train, generator, section, seed))


def labelled_store(path: Path) -> ImageStore:
    """A store with labels; raises InputError where it has none."""
    store = ImageStore(path)
    if store.labels is None:
        raise InputError(f"{path}: the images have no labels")
    return store


@torch.no_grad()
def sample_batches(generator: Generator, n: int, section: Neighbours, seed: int) -> Iterator[tuple[Images, Labels]]:
    """n samples, the classes in turn, every batch from a generator of its own and normalised by itself."""
    device, classes = next(generator.parameters()).device, generator.architecture.classes
    if classes == 0:
        raise InputError(f"{generator.architecture.name} is not conditional: its samples have no labels")
    size = section.batch_size
    for number in track(range(-(-n // size)), -(-n // size), "samples", f"batches of {size}"):
        labels = (torch.arange(size) + number * size) % classes
        z = generator.draw_latents(size, torch_generator(seed, "neighbours", number)).to(device)
        images = to_uint8(generator(z, labels.to(device)), generator.architecture.pixel_range)
        yield images[: n - number * size], labels.numpy()[: n - number * size]


def store_batches(store: ImageStore, size: int, seed: int) -> Iterator[tuple[Images, Labels]]:
    """All images of a store in random order, as the samples come."""
    assert store.labels is not None
    order = torch.randperm(len(store), generator=torch_generator(seed, "neighbours", "real")).numpy()
    for start in range(0, len(store), size):
        rows = order[start : start + size]
        yield store.images[rows], store.labels[rows]


def errors_at(
    test: ImageStore, batches: Iterator[tuple[Images, Labels]], counts: Sequence[int], device: torch.device, source: str
) -> list[Row]:
    """The test error at each of the rising numbers of neighbours."""
    assert test.labels is not None
    neighbours, seen, rows = NearestNeighbour(np.asarray(test.images), device), 0, []
    left = list(counts)
    for images, labels in batches:
        while left and seen + len(images) >= left[0]:
            n = left.pop(0) - seen
            neighbours.add(images[:n], labels[:n])
            images, labels, seen = images[n:], labels[n:], seen + n
            rows.append({"source": source, "n": seen, "error": neighbours.error(test.labels)})
        neighbours.add(images, labels)
        seen += len(images)
    return rows


def summary(rows: list[Row], section: Neighbours, n_test: int) -> dict[str, Any]:
    """The figures of Table 3."""
    last = {row["source"]: row for row in rows}
    return {
        "error": last["samples"]["error"],
        "published": section.published_error,
        "n_samples": last["samples"]["n"],
        **{f"error_{row['n']}": row["error"] for row in rows if row["source"] == "samples"},
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
    batches = list(sample_batches(generator, SHOWN * classes, section, seed))
    samples, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    rows = []
    for label in range(classes):
        real = train.images[np.flatnonzero(train.labels == label)[:SHOWN]]
        row = np.full((2 * SHOWN + 1, *samples.shape[1:]), 255, np.uint8)
        row[: len(real)], row[SHOWN + 1 :] = real, samples[labels == label][:SHOWN]
        rows.append(row)
    return enlarge(tile(np.concatenate(rows), 2 * SHOWN + 1, PADDING), 2)


if __name__ == "__main__":
    run_stage(main)
