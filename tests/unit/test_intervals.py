"""Intervals: against the normal law, and they cover what they promise to cover."""

import numpy as np
import pytest

from dcgan.core.intervals import Values, bootstrap_interval, difference, newcombe_interval, wilson_interval
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
    with pytest.raises(ValueError, match="draws and units"):
        bootstrap_interval(np.empty((3, 0)), numpy_generator(1, "b"))


def test_a_share_has_wilsons_interval() -> None:
    """Newcombe (1998a), Table I: 81 of 263 and 0 of 20."""
    assert wilson_interval(ones(81, 263)) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson_interval(ones(0, 20)) == pytest.approx((0.0, 0.1611), abs=1e-4)


def test_a_difference_of_shares_has_newcombes_interval() -> None:
    """Newcombe (1998b), Table II, method 10: 56/70 - 48/80 and 10/10 - 0/20."""
    assert newcombe_interval(ones(56, 70), ones(48, 80)) == pytest.approx((0.0524, 0.3339), abs=1e-4)
    assert newcombe_interval(ones(10, 10), ones(0, 20)) == pytest.approx((0.6791, 1.0), abs=1e-4)


def test_draws_that_are_alike_are_no_surer_than_one() -> None:
    """A bootstrap of nothing but right ones has no width."""
    for ours, other in ((np.ones((1, 300)), 0.99), (np.zeros((1, 20)), np.ones((1, 30)))):
        theirs = other if isinstance(other, float) else np.repeat(other, 5, axis=0)
        once = difference(ours, other, numpy_generator(1, "once"))
        again = difference(np.repeat(ours, 5, axis=0), theirs, numpy_generator(1, "again"))
        assert (again.low, again.high) == (once.low, once.high)
        assert once.high - once.low > 0.01


def test_a_few_draws_of_one_number_have_students_interval() -> None:
    ours = np.array([[1.0], [2.0], [3.0], [4.0]])
    found = difference(ours, np.zeros((4, 1)), numpy_generator(1, "t"), same_units=True, same_draws=True)
    assert (found.low, found.high) == pytest.approx((2.5 - 3.1824 * 1.29099 / 2, 2.5 + 3.1824 * 1.29099 / 2), abs=1e-3)
    one = difference(np.ones((1, 1)) * 2, np.zeros((1, 1)), numpy_generator(1, "t"), same_units=True, same_draws=True)
    assert (one.value, one.low, one.high) == (2, -np.inf, np.inf)


@pytest.mark.parametrize(
    ("both", "only_ours", "only_other", "neither", "low", "high"),
    [(36, 12, 2, 0, 0.0569, 0.3404), (20, 12, 2, 16, 0.0562, 0.3292)],
)
def test_a_difference_of_shares_of_the_same_units_has_newcombes_interval(
    both: int, only_ours: int, only_other: int, neither: int, low: float, high: float
) -> None:
    """Newcombe (1998c), Table II, method 10."""
    counts = [both, only_ours, only_other, neither]
    ours, other = (np.repeat(right, counts)[None] for right in ([1, 1, 0, 0], [1, 0, 1, 0]))
    found = difference(ours.astype(float), other.astype(float), numpy_generator(1, "n"), same_units=True)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(("right", "size"), [(450, 500), (150, 200), (700, 800)])
def test_four_units_in_which_they_differ_decide_nothing(right: int, size: int) -> None:
    """By McNemar's exact test p = 0.125; six on one side are p = 0.03."""
    other = ones(right, size)
    four, seven = (
        difference(ones(right + n, size), other, numpy_generator(1, "n"), same_units=True, same_draws=True)
        for n in (4, 7)
    )
    assert four.low < 0 < seven.low


@pytest.mark.parametrize("same", [0.0, 0.9])
def test_differences_of_the_same_units_cover_the_truth_as_often_as_promised(same: float) -> None:
    """The other is as ours in a share of units, else drawn anew."""
    covered = 0
    for number in range(200):
        random = numpy_generator(number, "paired")
        ours, anew = (random.random((1, 100)) < share for share in (0.8, 0.8))
        other = np.where(random.random((1, 100)) < same, ours, anew)
        found = difference(ours.astype(float), other.astype(float), random, same_units=True, same_draws=True)
        covered += found.low <= 0 <= found.high
    assert 0.90 <= covered / 200 <= 1


@pytest.mark.parametrize("same_units", [True, False])
def test_units_that_both_share_leave_the_difference(same_units: bool) -> None:
    """What is hard for both is not what they differ by. Two bootstraps at once count noise of single values twice."""
    random = numpy_generator(3, "shared")
    hard = random.normal(0, 5, (1, 300))
    ours, other = hard + 1 + random.normal(0, 1, (3, 300)), hard + random.normal(0, 1, (5, 300))
    found = difference(ours, other, random, same_units=same_units)
    expected = 2 * 1.96 * ((1 / 3 + 1 / 5) / 300) ** 0.5 if same_units else 2 * 1.96 * 5 * (2 / 300) ** 0.5
    assert 0.8 * expected < found.high - found.low < 1.7 * expected
    assert found.low < found.value == pytest.approx(1.0, abs=0.2 if same_units else 1.5)


def test_differences_cover_the_truth_as_often_as_promised() -> None:
    covered = 0
    for number in range(200):
        random = numpy_generator(number, "covered")
        ours, other = (random.random((1, 80)) < share for share in (0.3, 0.3))
        found = difference(ours.astype(float), other.astype(float), random)
        covered += found.low <= 0 <= found.high
    assert 0.90 <= covered / 200 <= 1


def ones(count: int, size: int) -> Values:
    return (np.arange(size) < count).astype(float)[None]
