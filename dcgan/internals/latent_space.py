"""Moving about in the latent space: walks, arithmetic with concepts, the turn vector.

Paper: section 6.1 and Figure 4 (walk), section 6.3.2, Figure 7 (arithmetic) and Figure 8 (turn).
Inputs and outputs: latents, (N, Z) float32 tensors as `Generator.draw_latents` gives them; nothing here looks at images
but `step_lengths`, which takes features of the images of a walk.
Published number: none; the paper shows pictures. `roughness` is the number that stands for Figure 4 here.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

WalkPath = Literal["linear", "spherical"]
PARALLEL_SINE = 1e-4


def interpolate(start: Tensor, end: Tensor, shares: Tensor, path: WalkPath) -> Tensor:
    """start, end: (Z,); shares: (T,) of the way, 0 to 1 -> (T, Z), straight or along the great circle.

    Where no great circle is the only one, because an end is 0 or both lie on one line through 0, the way is straight.
    """
    t = shares[:, None]
    lengths = start.norm() * end.norm()
    angle = torch.arccos((torch.dot(start, end) / lengths).clamp(-1, 1))
    if path == "linear" or lengths == 0 or torch.sin(angle) < PARALLEL_SINE:
        return (1 - t) * start + t * end
    return (torch.sin((1 - t) * angle) * start + torch.sin(t * angle) * end) / torch.sin(angle)


def walk(points: Tensor, n_images: int, path: WalkPath) -> Tensor:
    """points: (P, Z), at least 2 -> (n_images, Z): one continuous strip through them in order, in equal shares of legs.

    It starts at the first point and ends at the last. Figure 4 is 100 images through 9 points.
    """
    n_legs = len(points) - 1
    if n_legs < 1:
        raise ValueError(f"a walk needs at least 2 points, got {len(points)}")
    places = torch.linspace(0, n_legs, n_images, dtype=torch.float64)
    legs = places.floor().clamp(max=n_legs - 1).long()
    parts = [interpolate(points[i], points[i + 1], (places[legs == i] - i).float(), path) for i in range(n_legs)]
    return torch.cat(parts)


def step_lengths(features: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """features: (N, D) of the images along a walk -> (N - 1,) Euclidean distances between neighbours."""
    lengths: npt.NDArray[np.float64] = np.linalg.norm(np.diff(features.astype(np.float64), axis=0), axis=1)
    return lengths


def roughness(features: npt.NDArray[np.floating]) -> float:
    """Largest step over mean step along a walk: 1 for an even one; a memorizing generator rests and then jumps."""
    lengths = step_lengths(features)
    return float(lengths.max() / lengths.mean()) if lengths.any() else 1.0


def largest_share(features: npt.NDArray[np.floating], features_of_points: npt.NDArray[np.floating]) -> float:
    """Largest step of a walk over the mean way between the images at its points, (P, D): 1 where it jumps from one to
    the next; 0 if these are all the same."""
    way = step_lengths(features_of_points).mean()
    return float(step_lengths(features).max() / way) if way else 0.0


def arithmetic(plus: Tensor, minus: Tensor, other: Tensor) -> Tensor:
    """Three concepts, (..., M, Z) latents of M exemplars each -> (..., Z): mean(plus) - mean(minus) + mean(other)."""
    return plus.mean(-2) - minus.mean(-2) + other.mean(-2)


def neighbourhood(latent: Tensor, reach: float, n_neighbours: int, generator: torch.Generator) -> Tensor:
    """latent: (Z,) -> (n + 1, Z): itself in the middle of n copies with U(-reach, reach) noise on every coordinate."""
    noise = torch.empty(n_neighbours, len(latent)).uniform_(-reach, reach, generator=generator)
    half = n_neighbours // 2
    return latent + torch.cat([noise[:half], torch.zeros(1, len(latent)), noise[half:]])


def turn_vector(left: Tensor, right: Tensor) -> Tensor:
    """left, right: (M, Z) latents of faces that look left and right -> (Z,), from the mean left to the mean right."""
    return right.mean(0) - left.mean(0)


def along(latents: Tensor, direction: Tensor, n_steps: int, span: float) -> Tensor:
    """latents: (F, Z) -> (F, n_steps, Z): each moved by -span / 2 to +span / 2 times a direction, itself in the middle.

    direction: (Z,), or (F, Z) for one each. With span 1 a face makes the way from the mean left to the mean right.
    n_steps is odd, so that the middle is exact.
    """
    shares = torch.arange(n_steps) - (n_steps - 1) / 2
    shares = shares / max(n_steps - 1, 1) * span
    return latents[:, None] + shares[None, :, None] * direction.expand_as(latents)[:, None]
