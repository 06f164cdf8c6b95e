"""Feature vectors: every convolutional layer of a discriminator, max-pooled to 4 x 4, flattened and joined.

Section 5.1 and 5.2 of the paper. Input: a discriminator with estimated batch-norm statistics, images (N, H, W, C)
uint8. Output: (N, D) float32, unscaled. A layer of m maps fills 16 m columns, map by map, row by row; D is 28,672 for
`imagenet32`, 7,168 for `svhn32`.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from dcgan.core.distributed import ALONE, Group
from dcgan.core.pixels import Images
from dcgan.models.batch_norm import estimate_statistics
from dcgan.models.networks import Discriminator
from dcgan.models.pixel_range import to_input

POOLED_SIDE = 4


def pooled_features(activations: Sequence[Tensor]) -> Tensor:
    """activations: [(N, C, H, W), ...] -> (N, 16 * sum of C), each map's maximum over a 4 x 4 grid of windows."""
    return torch.cat([F.adaptive_max_pool2d(maps, POOLED_SIDE).flatten(1) for maps in activations], dim=1)


class FeatureMaker(Protocol):
    """Anything that makes one row of features of one image."""

    columns_per_map: int  # that each feature map fills

    @property
    def layers(self) -> list[int]:
        """The number of columns of each layer."""

    def __call__(self, images_uint8: Images) -> Tensor:
        """images_uint8: (N, H, W, C) -> (N, D) float32; no row depends on another."""


class DiscriminatorFeatures:
    """The features of the paper, of a discriminator whose batch-norm statistics are estimated."""

    columns_per_map = POOLED_SIDE**2

    def __init__(self, discriminator: Discriminator) -> None:
        self.discriminator = discriminator

    @property
    def layers(self) -> list[int]:
        """16 columns a feature map."""
        return [maps * self.columns_per_map for maps, _ in self.discriminator.architecture.discriminator_layers]

    @torch.no_grad()
    def __call__(self, images_uint8: Images) -> Tensor:
        """images_uint8: (N, H, W, C) -> (N, D) float32 on the network's device."""
        x = _network_input(self.discriminator, images_uint8)
        return pooled_features(self.discriminator.activations(x, statistics="estimated"))


def estimate_on_images(
    discriminator: Discriminator, images_uint8: Images, batch_size: int, group: Group = ALONE
) -> None:
    """Fills the batch-norm statistics from images in their order; the published code takes batches of 128.

    A last batch that is not full is left out, because its variance would weigh as much as that of a full one; fewer
    images than one batch are one batch. The processes of a group share the batches. Source:
    `svhn/svhn_semisup_analysis.py`.
    """
    stops = range(batch_size, max(len(images_uint8), batch_size) + 1, batch_size)[group.rank :: group.size]
    batches = (_network_input(discriminator, images_uint8[stop - batch_size : stop]) for stop in stops)
    estimate_statistics(discriminator, batches, group)


def _network_input(discriminator: Discriminator, images_uint8: Images) -> Tensor:
    device = discriminator.device
    return to_input(images_uint8, discriminator.architecture.pixel_range, device)
