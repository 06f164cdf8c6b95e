"""What the figures of section 6 share: images of given latents alone, and pictures made of pictures.

Source: the paper draws samples with the statistics of the sampled batch. A batch of nearly equal latents (the 3x3
panels of Figure 7) has no statistics of its own, so figures that compare images of single latents use estimated ones.
Inputs: networks, latents (N, Z). Outputs: images (N, H, W, C) uint8; pictures (H, W, 4) uint8, RGBA, which suit a
light page and a dark one.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from torch import Tensor

from dcgan.core.pixels import Images, ground, with_alpha
from dcgan.core.seeding import torch_generator
from dcgan.models.batch_norm import estimate_statistics
from dcgan.models.networks import BATCH, Discriminator, Generator
from dcgan.models.pixel_range import to_input

FONT = cv2.FONT_HERSHEY_SIMPLEX
INK = 118  # as far from white, on which pages show figures by day, as from black by night: a contrast of 4.5 to 1


def estimate_discriminator(discriminator: Discriminator, images_uint8: Images, n_batches: int) -> None:
    """Fills a discriminator's batch-norm statistics from the first `n_batches` batches of 128 images."""
    whole = images_uint8[: max(len(images_uint8) // BATCH, 1) * BATCH]
    estimate_statistics(discriminator, batches(discriminator, whole[: n_batches * BATCH]))


def batches(discriminator: Discriminator, images_uint8: Images) -> Iterator[Tensor]:
    """Batches of 128 stored images as the discriminator sees them."""
    device = discriminator.device
    for start in range(0, len(images_uint8), BATCH):
        block = np.array(images_uint8[start : start + BATCH])
        yield to_input(block, discriminator.architecture.pixel_range).to(device)


class Candidates(NamedTuple):
    """Samples among which a classifier or a person finds exemplars: z (N, Z) and images (N, H, W, C) uint8."""

    z: Tensor
    images: Images


def draw_candidates(generator: Generator, samples: int, statistics_batches: int, seed: int) -> Candidates:
    """The same samples every time.

    It fills the generator's statistics and draws with these, so that an image depends on its own z alone.
    """
    # The names of the generators are older than those of the functions; other names would be other samples.
    generator.estimate(statistics_batches, torch_generator(seed, "looked at", "statistics"))
    z = generator.draw_latents(samples, torch_generator(seed, "looked at", "samples"))
    return Candidates(z, generator.draw(z))


def beside(pictures: Sequence[Images], gap: int) -> Images:
    """Pictures next to each other, (H, W, C) uint8 each, tops aligned: (H', W', 4), transparent between and below."""
    heights, widths, _ = zip(*(picture.shape for picture in pictures), strict=True)
    whole, left = ground(max(heights), sum(widths) + gap * (len(pictures) - 1)), 0
    for picture, height, width in zip(pictures, heights, widths, strict=True):
        whole[:height, left : left + width] = with_alpha(picture)
        left += width + gap
    return whole


def above(pictures: Sequence[Images], gap: int) -> Images:
    """Pictures under each other, left edges aligned: (H, W, 4) uint8, transparent between and to the right."""
    turned = [picture.transpose(1, 0, 2) for picture in pictures]
    return np.ascontiguousarray(beside(turned, gap).transpose(1, 0, 2))


def sign(text: str, height: int, width: int) -> Images:
    """A short text in the middle of an empty picture: the + and = between the parts of a figure, or a row's name."""
    scale = 0.5 if len(text) > 1 else 0.9
    (text_width, text_height), _ = cv2.getTextSize(text, FONT, scale, 1)
    return written(text, height, width, ((width - text_width) // 2, (height + text_height) // 2), scale)


def title(text: str, picture: Images) -> Images:
    """A picture with a line of text over it."""
    height = 24
    (text_width, _), _ = cv2.getTextSize(text, FONT, 0.5, 1)
    return above([written(text, height, max(picture.shape[1], text_width + 8), (2, height - 8), 0.5), picture], 0)


def written(text: str, height: int, width: int, origin: tuple[int, int], scale: float) -> Images:
    """A text alone, (H, W, 4) uint8: all pixels have its colour, those of no letter are transparent."""
    letters = np.zeros((height, width), np.uint8)
    cv2.putText(letters, text, origin, FONT, scale, 255, 1, cv2.LINE_AA)
    return np.dstack([np.full((height, width, 3), INK, np.uint8), letters])
