"""Intervals: against the normal law, and they cover what they promise to cover."""

import numpy as np
import pytest

from dcgan.core.intervals import bootstrap_interval
from dcgan.core.seeding import numpy_generator


def test_one_draw_gives_the_interval_of_a_mean_over_images() -> None:
    values = numpy_generator(1, "values").normal(3.0, 2.0, (1, 400))
    low, high = bootstrap_interval(values, numpy_generator(1, "bootstrap"))
    error = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - error, abs=0.03)
    assert high == pytest.approx(values.mean() + error, abs=0.03)


def test_draws_that_differ_widen_the_interval_and_more_images_do_not_narrow_it() -> None:
    """Ten draws, each with an effect of its own: what is not known is the next draw's."""
    effects = numpy_generator(2, "effects").normal(0.0, 1.0, (10, 1))
    wide = [bootstrap_interval(np.repeat(effects, n, axis=1), numpy_generator(1, "b")) for n in (10, 1000)]
    for low, high in wide:
        assert high - low == pytest.approx(2 * 1.96 * effects.std() / 10**0.5, rel=0.2)


def test_it_covers_the_truth_about_as_often_as_promised() -> None:
    covered = 0
    for number in range(200):
        random = numpy_generator(number, "world")
        values = random.normal(0, 1, (12, 1)) + random.normal(0, 1, (1, 60)) + random.normal(0, 1, (12, 60))
        low, high = bootstrap_interval(values, random)
        covered += low <= 0 <= high
    assert 0.87 <= covered / 200 <= 0.99


def test_no_values_have_no_interval() -> None:
    with pytest.raises(ValueError, match="draws and images"):
        bootstrap_interval(np.empty((3, 0)), numpy_generator(1, "b"))
