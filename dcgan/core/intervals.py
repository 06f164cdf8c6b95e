"""Confidence intervals of what is measured: of means over images, over draws, over both.

Inputs: one number per image and draw. Outputs: the ends of a 95 % interval. A claim that is about a difference gets the
interval of the difference, image by image, never two intervals beside each other.
"""

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
LEVEL, RESAMPLES = 0.95, 2000


def bootstrap_interval(values: Values, random: np.random.Generator) -> tuple[float, float]:
    """95 % interval of the mean of (draws, images) by the percentile bootstrap, which draws both anew.

    So it covers other images and other draws. Raises ValueError for no values.
    """
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"expected values of draws and images, got {values.shape}")
    n_draws, n_images = values.shape
    draws = random.integers(0, n_draws, (RESAMPLES, n_draws))
    images = random.integers(0, n_images, (RESAMPLES, n_images))
    # How often each draw and image comes up, in place of as many copies of them.
    per_draw = np.stack([np.bincount(row, minlength=n_draws) for row in draws]) / n_draws
    per_image = np.stack([np.bincount(row, minlength=n_images) for row in images]) / n_images
    means = np.einsum("rd,di,ri->r", per_draw, values, per_image, optimize=True)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
