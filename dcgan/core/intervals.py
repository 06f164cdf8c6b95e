"""Confidence intervals of what is measured: of a mean, and of the difference of two.

Inputs: one number per draw and unit (an image, a face; see dcgan/core/outcomes.py). Outputs: the ends of an interval,
of 95 % unless another level is given. A claim that is about a difference gets the interval of the difference, unit by
unit where the units are the same, never two intervals beside each other.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, stdtrit

Values = npt.NDArray[np.floating[Any]]
LEVEL, RESAMPLES = 0.95, 2000
BLOCK = 2**22  # counts of resampled units that are held at a time
Ends = tuple[float, float]


@dataclass(frozen=True)
class Difference:
    """Two means and the ends of the interval of ours minus the other."""

    ours: float
    other: float
    low: float
    high: float

    @property
    def value(self) -> float:
        """Ours minus the other."""
        return self.ours - self.other


def difference(
    ours: Values,
    other: Values | float,
    random: np.random.Generator,
    *,
    same_units: bool = False,
    same_draws: bool = False,
    level: float = LEVEL,
) -> Difference:
    """Ours minus another: both (draws, units), or the other one number that is known exactly.

    same_units: column for column the same unit was measured in both; same_draws: the same for rows. One unit in several
    draws: Student's t over draws; shares of one draw, or alike in all: Wilson's interval, Newcombe's for a difference;
    all else: bootstrap. Raises ValueError for arrays that do not match.
    """
    theirs = np.full_like(ours, other) if isinstance(other, int | float) else other
    if same_units and ours.shape[1] != theirs.shape[1] or same_draws and len(ours) != len(theirs):
        raise ValueError(f"not the same units and draws: {ours.shape} and {theirs.shape}")
    if isinstance(other, int | float) and is_share(ours):
        low, high = (end - other for end in wilson_interval(ours[0], level))
    elif is_share(ours) and is_share(theirs):
        low, high = newcombe_interval(ours[0], theirs[0], level, same_units)
    elif ours.shape[1] == theirs.shape[1] == 1 and len(ours) == len(theirs):
        low, high = student_interval((ours - theirs)[:, 0], level)
    elif same_units and same_draws or isinstance(other, int | float):
        low, high = bootstrap_interval(ours - theirs, random, level)
    else:
        low, high = bootstrap_difference(ours, theirs, random, same_units, level)
    return Difference(float(ours.mean()), float(theirs.mean()), low, high)


def is_share(values: Values) -> bool:
    """Whether they are right and wrong, 1 and 0, of one draw, or of several that are alike.

    Such draws are no more than one; a bootstrap of the same right ones would be sure of them.
    """
    alike = len(values) == 1 or (values.shape[1] > 1 and bool((values == values[0]).all()))
    return alike and bool(np.isin(values, (0, 1)).all())


def wilson_interval(values: Values, level: float = LEVEL) -> Ends:
    """Interval of a share out of ones and zeros (Wilson, 1927)."""
    n, share, z = values.size, float(values.mean()), float(ndtri((1 + level) / 2))
    middle, half = share + z**2 / (2 * n), z * float(np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)))
    return (middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)


def newcombe_interval(ours: Values, theirs: Values, level: float = LEVEL, same_units: bool = False) -> Ends:
    """Interval of the difference of two shares, of different units or of the same.

    Newcombe, Statistics in Medicine 17, 1998: page 873 and page 2635, method 10 of both.
    """
    a, b = float(ours.mean()), float(theirs.mean())
    (a_low, a_high), (b_low, b_high) = wilson_interval(ours, level), wilson_interval(theirs, level)
    phi = cautious_phi(ours, theirs) if same_units else 0.0
    down, up = (a - a_low, b_high - b), (a_high - a, b - b_low)
    low, high = (x * x - 2 * phi * x * y + y * y for x, y in (down, up))
    return a - b - float(np.sqrt(low)), a - b + float(np.sqrt(high))


def cautious_phi(ours: Values, theirs: Values) -> float:
    """Correlation of right and wrong on the same units; a positive one with Newcombe's continuity correction."""
    both, neither = int((ours * theirs).sum()), int(((1 - ours) * (1 - theirs)).sum())
    only_ours, only_theirs = int((ours * (1 - theirs)).sum()), int(((1 - ours) * theirs).sum())
    marginals = (both + only_ours) * (only_theirs + neither) * (both + only_theirs) * (only_ours + neither)
    product = both * neither - only_ours * only_theirs
    cautious = max(product - ours.size / 2, 0.0) if product > 0 else product
    return cautious / marginals**0.5 if marginals else 0.0


def student_interval(values: Values, level: float = LEVEL) -> Ends:
    """Interval of a mean over a few draws (Student's t); of one draw alone it has no ends."""
    if len(values) < 2:
        return -math.inf, math.inf
    half = float(stdtrit(len(values) - 1, (1 + level) / 2)) * float(values.std(ddof=1)) / len(values) ** 0.5
    return float(values.mean()) - half, float(values.mean()) + half


def bootstrap_interval(values: Values, random: np.random.Generator, level: float = LEVEL) -> Ends:
    """Interval of the mean of (draws, units) by the percentile bootstrap, which draws both anew.

    So it covers other units and other draws. Raises ValueError for no values.
    """
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"expected values of draws and units, got {values.shape}")
    return resampled(values.shape[1], level, lambda n: [Resampled(values, random, n)])


def bootstrap_difference(
    ours: Values, theirs: Values, random: np.random.Generator, same_units: bool, level: float = LEVEL
) -> Ends:
    """The same of a difference of means whose draws, or draws and units, are different ones."""

    def both(n: int) -> "list[Resampled]":
        first = Resampled(ours, random, n)
        return [first, Resampled(-theirs, random, n, first.units if same_units else None)]

    return resampled(max(ours.shape[1], theirs.shape[1]), level, both)


class Resampled:
    """Weighted copies of (draws, units): how often each draw and unit comes up, in place of as many copies of them."""

    def __init__(
        self, values: Values, random: np.random.Generator, n: int, units: npt.NDArray[np.float64] | None = None
    ) -> None:
        self.values, self.draws = values, shares(values.shape[0], random, n)
        self.units = shares(values.shape[1], random, n) if units is None else units

    def means(self) -> npt.NDArray[np.float64]:
        """The mean of each copy, (n,)."""
        return np.asarray(((self.draws @ self.values) * self.units).sum(axis=1), np.float64)


def shares(size: int, random: np.random.Generator, n: int) -> npt.NDArray[np.float64]:
    """The share of each of `size` in n samples with replacement, (n, size)."""
    return random.multinomial(size, np.full(size, 1 / size), n) / size


def resampled(units: int, level: float, make: "Callable[[int], list[Resampled]]") -> Ends:
    """Quantiles of sums of means over many resamples, a block at a time so that memory stays small."""
    block = max(1, min(RESAMPLES, BLOCK // units))
    sizes = [min(block, RESAMPLES - start) for start in range(0, RESAMPLES, block)]
    means = np.concatenate([np.sum([one.means() for one in make(n)], axis=0) for n in sizes])
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
