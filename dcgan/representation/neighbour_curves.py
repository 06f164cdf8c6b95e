"""The error of a 1-nearest-neighbour classifier against the number of samples that it has, and its picture.

Section 8.1 of the paper, Table 3 and Figure 9. Inputs: a conditional generator, whose samples stream by (10 million
need no more memory than one batch), or a labelled store; test images with labels. Outputs: rows of source, n, error;
which test images are right; a picture (H, W, 4) uint8. Several processes share the references; the result is the same.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from dcgan.core.distributed import ALONE, Group
from dcgan.core.files import InputError
from dcgan.core.pixels import Images, enlarge, ground, tile, with_alpha
from dcgan.core.progress import track
from dcgan.core.seeding import torch_generator
from dcgan.data.image_store import ImageStore, Labels
from dcgan.models.networks import Generator
from dcgan.models.pixel_range import to_uint8
from dcgan.representation.one_nn import NearestNeighbour

Row = dict[str, Any]
SHOWN, PADDING = 10, 2


class References(NamedTuple):
    """Images (n, H, W, C) uint8 with labels (n,), neighbours in the order of all references.

    first: the place of the first of them among all.
    """

    first: int
    images: Images
    labels: Labels

    def before(self, n: int) -> "References":
        """Those among the first n of all."""
        return References(self.first, self.images[: n - self.first], self.labels[: n - self.first])

    def after(self, n: int) -> "References | None":
        """The others; None if there are none."""
        passed = max(n - self.first, 0)
        if passed >= len(self.images):
            return None
        return References(self.first + passed, self.images[passed:], self.labels[passed:])


@torch.no_grad()
def sample_batches(generator: Generator, n: int, size: int, seed: int, group: Group) -> Iterator[References]:
    """This process's share of n samples, the classes in turn, every batch drawn and normalised by itself."""
    device, classes, name = generator.device, generator.architecture.classes, generator.architecture.name
    if classes == 0:
        raise InputError(f"{name} is not conditional: its samples have no labels")
    numbers = range(group.rank, -(-n // size), group.size)
    for number in track(numbers, len(numbers), "samples", f"batches of {size}") if group.is_first else numbers:
        labels = (torch.arange(size) + number * size) % classes
        z = generator.draw_latents(size, torch_generator(seed, "neighbours", name, number)).to(device)
        images = to_uint8(generator(z, labels.to(device)), generator.architecture.pixel_range)
        yield References(number * size, images, labels.numpy()).before(n)


def store_batches(store: ImageStore, size: int, seed: int, group: Group) -> Iterator[References]:
    """This process's share of a labelled store's images in random order, as the samples come."""
    assert store.labels is not None
    order = torch.randperm(len(store), generator=torch_generator(seed, "neighbours", "real")).numpy()
    for start in range(group.rank * size, len(store), group.size * size):
        rows = order[start : start + size]
        yield References(start, store.images[rows], store.labels[rows])


def errors_at(
    test: ImageStore,
    batches: Iterator[References],
    counts: Sequence[int],
    device: torch.device,
    source: str,
    group: Group,
) -> tuple[list[Row], npt.NDArray[np.bool_]]:
    """The test error at each of the rising numbers of references, which all processes of a group have together.

    Also which test images are right, (N,), with the last and largest number.
    """
    assert test.labels is not None
    neighbours, rows = NearestNeighbour(np.asarray(test.images), device), []
    batch = next(batches, None)
    for n in counts:
        while batch is not None and batch.first < n:
            now = batch.before(n)
            neighbours.add(now.images, now.labels, now.first)
            batch = batch.after(n) or next(batches, None)
        rows.append({"source": source, "n": n, "error": neighbours.error(test.labels, group)})
    return rows, neighbours.right(test.labels, group)


def digits_picture(train: ImageStore, generator: Generator, size: int, seed: int) -> Images:
    """One row per class: real images of a labelled store, a gap, samples."""
    assert train.labels is not None
    classes = generator.architecture.classes
    batches = list(sample_batches(generator, SHOWN * classes, size, seed, ALONE))
    samples, labels = (np.concatenate([batch[part] for batch in batches]) for part in (1, 2))
    rows = []
    for label in range(classes):
        real = train.images[np.flatnonzero(train.labels == label)[:SHOWN]]
        row = np.stack([ground(*samples.shape[1:3])] * (2 * SHOWN + 1))
        row[: len(real)], row[SHOWN + 1 :] = with_alpha(real), with_alpha(samples[labels == label][:SHOWN])
        rows.append(row)
    return enlarge(tile(np.concatenate(rows), 2 * SHOWN + 1, PADDING), 2)
