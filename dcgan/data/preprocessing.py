"""One pass over a source of encoded images: decoding, resizing, cropping, and a 32 x 32 copy for de-duplication.

Sections 4 and 4.1.1. In: a source (dcgan/data/archives.py). Out, in key order: blocks of images (n, S, S, 3) uint8, the
same images at 32 x 32, and their keys. Memory does not grow with the number of images.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from dcgan.core.pixels import Images
from dcgan.data.decoding import Scratch, Undecodable, decode_reduced
from dcgan.data.inventory import Inventory, SourceFormat, source_of
from dcgan.data.rejects import Rejects
from dcgan.data.resizing import FAST, Reduced, Resampling, fit, fit_reduced
from dcgan.data.source import Encoded

CROP_SIDE = 32
BLOCK_IMAGES = 256


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How an encoded image becomes size x size pixels; an image with a shorter side below `min_side` is rejected."""

    size: int
    resampling: Resampling
    min_side: int

    def decode(self, encoded: bytes, scratch: Scratch | None = None) -> Reduced:
        """The source's pixels, reduced if enough are left, which may lie in `scratch`; raises Undecodable."""
        image = decode_reduced(encoded, self.resampling.enough_side(self.size), scratch)
        if min(image.height, image.width) < self.min_side:
            raise Undecodable(f"too small: {image.width} x {image.height}, {self.min_side} is the least")
        return image

    def fit(self, image: Reduced) -> Images:
        """A decoded image -> (size, size, 3) uint8."""
        return fit_reduced(image, self.size, self.resampling)


@dataclass(frozen=True)
class Block:
    """Consecutive images of a source: (n, S, S, 3) and (n, 32, 32, 3) uint8 with n keys."""

    images_uint8: Images
    crops_uint8: Images
    keys: list[str]


def export_images(
    items: Iterator[Encoded], rule: Rule, rejects: Rejects, inventory: Inventory | None = None
) -> Iterator[Block]:
    """Decodes items and yields them in blocks of at most 256; items that cannot be used go to `rejects`.

    Each block overwrites the pixels of the one before it. Raises InputError if there are too many rejects.
    """
    images = np.empty((BLOCK_IMAGES, rule.size, rule.size, 3), np.uint8)
    keys: list[str] = []
    sources: list[SourceFormat] = []
    scratch = Scratch()
    for item in items:
        image = decoded(item, rule, rejects, scratch, sources)
        if image is None:
            continue
        images[len(keys)] = image
        keys.append(item.key)
        if len(keys) == BLOCK_IMAGES:
            yield block_of(images, keys, sources, inventory)
            keys, sources = [], []
    if keys:
        yield block_of(images[: len(keys)], keys, sources, inventory)


def block_of(images_uint8: Images, keys: list[str], sources: list[SourceFormat], inventory: Inventory | None) -> Block:
    """Images with their small copies; they are counted, if there is an inventory."""
    if inventory is not None:
        inventory.add(sources, images_uint8)
    return Block(images_uint8, small_crops(images_uint8), keys)


def small_crops(images_uint8: Images) -> Images:
    """images: (n, S, S, 3) -> (n, 32, 32, 3) uint8, halved by averaging as often as possible and then filtered.

    Images one above the other form one tall image, and halving it never mixes two of them while S is even.
    """
    n, side = images_uint8.shape[:2]
    while side % 2 == 0 and side >= 2 * CROP_SIDE:
        side //= 2
        tall = images_uint8.reshape(2 * n * side, 2 * side, 3)
        images_uint8 = np.asarray(cv2.resize(tall, (side, n * side), interpolation=cv2.INTER_AREA), np.uint8)
        images_uint8 = images_uint8.reshape(n, side, side, 3)
    if side == CROP_SIDE:
        return images_uint8
    return np.stack([fit(image, CROP_SIDE, FAST) for image in images_uint8])


def decoded(
    item: Encoded,
    rule: Rule,
    rejects: Rejects,
    scratch: Scratch | None = None,
    sources: list[SourceFormat] | None = None,
) -> Images | None:
    """The image of one item, (S, S, 3) uint8, which may lie in `scratch`; None if it goes to `rejects`.

    sources: gets what the image was, if it can be used.
    """
    try:
        if item.content is None:
            raise Undecodable(item.reason)
        source = rule.decode(item.content, scratch)
    except Undecodable as error:
        rejects.reject(item.key, str(error))
        return None
    rejects.accept()
    image = rule.fit(source)
    if sources is not None:
        sources.append(source_of(item.content, source))
    return image
