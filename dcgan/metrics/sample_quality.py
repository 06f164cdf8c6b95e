"""Quality of samples without any download, so that experiments can be compared.

Distances between samples and held-out real images: the sliced Wasserstein distance of pixels, and precision, recall
(Kynkaanniemi et al., 2019), density and coverage (Naeem et al., 2020) of samples in a feature space, here that of the
de-duplication autoencoder. The paper has no such number; it shows pictures and uses features (section 5) instead.
"""

import torch
from torch import Tensor

from dcgan.core.pixels import Images, resized
from dcgan.core.seeding import torch_generator
from dcgan.dedup.autoencoder import Autoencoder
from dcgan.models.pixel_range import to_rows

NEIGHBOURS = 5  # the k of precision, recall, density and coverage; 5 as in Naeem et al.
PROJECTIONS, PROJECTIONS_AT_ONCE = 512, 64


def sliced_wasserstein(real: Tensor, fake: Tensor, projections: int, generator: torch.Generator) -> float:
    """Mean over random directions of the 1-Wasserstein distance between the projected sets.

    real, fake: (N, D) float of equal N. 0 for equal sets; in the unit of the coordinates. Raises ValueError for
    unequal shapes.
    """
    if real.shape != fake.shape:
        raise ValueError(f"sets of equal shape are needed, got {tuple(real.shape)} and {tuple(fake.shape)}")
    total = 0.0
    for start in range(0, projections, PROJECTIONS_AT_ONCE):
        count = min(PROJECTIONS_AT_ONCE, projections - start)
        directions = torch.randn(real.shape[1], count, generator=generator, dtype=real.dtype)
        directions /= directions.norm(dim=0)
        gaps = (real @ directions).sort(dim=0).values - (fake @ directions).sort(dim=0).values
        total += float(gaps.abs().mean(dim=0).sum())
    return total / projections


def manifold_scores(real: Tensor, fake: Tensor) -> dict[str, float]:
    """Precision, recall, density and coverage of `fake` against `real`, both (N, D) float with N > 5.

    A ball around each point reaches to its 5th nearest neighbour in its own set. precision: share of fakes inside any
    real ball; recall: share of reals inside any fake ball; density: how many real balls a fake lies in, over 5 (1 for
    equal distributions, unbounded); coverage: share of real balls that hold a fake.
    """
    if min(len(real), len(fake)) <= NEIGHBOURS:
        raise ValueError(f"more than {NEIGHBOURS} points are needed in each set")
    real_radii, fake_radii = ball_radii(real), ball_radii(fake)
    distances = all_distances(real, fake)
    in_real_ball = distances < real_radii[:, None]
    in_fake_ball = distances < fake_radii[None, :]
    return {
        "precision": float(in_real_ball.any(dim=0).double().mean()),
        "recall": float(in_fake_ball.any(dim=1).double().mean()),
        "density": float(in_real_ball.sum(dim=0).double().mean() / NEIGHBOURS),
        "coverage": float(in_real_ball.any(dim=1).double().mean()),
    }


def ball_radii(points: Tensor) -> Tensor:
    """Distance from each point to its 5th nearest other point: (N, D) -> (N,)."""
    # The nearest of all is the point itself, at distance 0.
    return all_distances(points, points).kthvalue(NEIGHBOURS + 1, dim=1).values


def all_distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distances of all pairs: (N, D), (M, D) -> (N, M) float64.

    From differences: by matrix products, which torch takes for large sets, float32 loses the digits of an offset that
    both sets share, and copies are not at distance 0.
    """
    return torch.cdist(a.double(), b.double(), compute_mode="donot_use_mm_for_euclid_dist")


def compare(real: Images, fake: Images, autoencoder: Autoencoder, seed: int) -> dict[str, float]:
    """All figures of `fake` against `real`, (N, H, W, C) uint8 each."""
    scores = manifold_scores(code_units(real, autoencoder), code_units(fake, autoencoder))
    distance = sliced_wasserstein(to_rows(real), to_rows(fake), PROJECTIONS, torch_generator(seed, "projections"))
    return scores | {"sliced_wasserstein": distance}


@torch.no_grad()
def code_units(images_uint8: Images, autoencoder: Autoencoder) -> Tensor:
    """images_uint8: (N, H, W, 3) of any size -> code units before the threshold, (N, 128) float32."""
    small = resized(images_uint8, autoencoder.image_shape[0])
    return autoencoder.code(autoencoder.input(torch.from_numpy(small)))
