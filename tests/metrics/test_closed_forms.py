"""Intervals of quality and of gaps where the answer is known: closed forms, other libraries, invariances."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fairaudit.metrics.diversity import vendi_interval
from fairaudit.metrics.extrapolation import ends_at_infinity, frechet_at_infinity
from fairaudit.metrics.gaps import gap_of
from fairaudit.metrics.kernels import Similar, kid, leave_one_out
from fairaudit.metrics.neighbours import Manifold, balls_of
from fairaudit.metrics.paired_quality import _tested, paired_frechet, paired_kernel
from fairaudit.metrics.quality import Moments, Reference, fewest, frechet_interval, frechet_to
from fairaudit.results import Estimate

FAR = Reference(Moments(None, np.array([-1000.0]), np.eye(1)))
"""Far from the reference, a Frechet distance is the square of the distance of the means."""


def linear(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The kernel under which the squared discrepancy is that of the means."""
    return a @ b.T


def test_a_frechet_interval_far_away_is_that_of_the_mean() -> None:
    x = np.random.default_rng(0).normal(size=(60, 1))
    found = frechet_interval(x, FAR, replicates=3000)
    half = 1.96 * 2 * (1000 + x.mean()) * stats.sem(x[:, 0])
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.05)


def test_few_halves_have_an_interval_of_t() -> None:
    """Of two halvings the spread has one degree of freedom: 12.7 standard errors."""
    x = np.random.default_rng(1).normal(size=(60, 1))
    ends = [frechet_interval(x, FAR, replicates=2, seed=seed) for seed in range(400)]
    lengths = [found.high - found.value for found in ends]
    error = 2 * (1000 + x.mean()) * stats.sem(x[:, 0])
    # The root mean square of the spread is the standard error, whatever the number of halvings.
    assert np.sqrt(np.mean(np.square(lengths))) == pytest.approx(stats.t.ppf(0.975, 1) * error, rel=0.12)


def test_real_images_add_their_own_error() -> None:
    """As many real images as images, of the same spread: errors of both add as squares."""
    rng = np.random.default_rng(2)
    x, real = rng.normal(size=(80, 1)) + 1000, rng.normal(size=(80, 1))
    reference = Reference(Moments.of(real))
    alone, both = (frechet_interval(x, reference, real=r, replicates=2000) for r in (None, real))
    errors = stats.sem(x[:, 0]), stats.sem(real[:, 0])
    ratio = (both.high - both.low) / (alone.high - alone.low)
    assert ratio == pytest.approx(np.hypot(*errors) / errors[0], rel=0.05)


@pytest.mark.parametrize(("d", "n"), [(2048, 512), (9, 4), (18, 5), (1, 4)])
def test_a_quarter_of_the_features_is_rounded_up(d: int, n: int) -> None:
    assert fewest(d) == n


def test_an_extrapolation_far_away_has_the_interval_of_the_mean() -> None:
    """The square of a mean has no curvature to speak of, and its halves the spread of the whole."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(400, 1))
    found = frechet_at_infinity(x, FAR, replicates=300)
    half = 1.96 * 2 * (1000 + x.mean()) * stats.sem(x[:, 0])
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.08)


def test_curvature_is_what_the_next_term_adds() -> None:
    """The end of a + b / n + c / n^2 through the distances at n, n / 2 and n / 4."""
    x, reference = (
        np.random.default_rng(4).normal(size=(48, 1)),
        Reference(Moments(None, np.zeros(1), np.eye(1))),
    )
    found = ends_at_infinity(x, reference, 50, np.random.default_rng(5))
    assert not isinstance(found, str)
    whole = frechet_to(x, reference)
    halves = 2 * whole - found.value
    quarters = 2 * halves - found.ends.mean()
    steps = np.array([1, 2, 4])
    end = np.linalg.solve(np.stack([steps**0, steps, steps**2], axis=1), [whole, halves, quarters])[0]
    assert found.value + found.curved == pytest.approx(end)


def test_the_kernel_distance_under_a_linear_kernel_is_that_of_the_means() -> None:
    """|mean x - mean y|^2 less its bias; with one image left out, it changes as if computed anew."""
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(20, 3)) + 1, rng.normal(size=(17, 3))

    def squared(a: np.ndarray, b: np.ndarray, *, unbiased: bool) -> float:
        distance = ((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum()
        bias = sum(np.trace(np.atleast_2d(np.cov(some, rowvar=False))) / len(some) for some in (a, b))
        return float(distance - bias if unbiased else distance)

    for unbiased in (True, False):
        found = leave_one_out(x, Similar(y, linear), unbiased=unbiased)
        assert found.value == pytest.approx(squared(x, y, unbiased=unbiased))
        for without, left in (
            (found.images, [squared(np.delete(x, i, 0), y, unbiased=unbiased) for i in range(20)]),
            (found.real, [squared(x, np.delete(y, i, 0), unbiased=unbiased) for i in range(17)]),
        ):
            assert without - without.mean() == pytest.approx(left - np.mean(left))


def test_a_kernel_distance_far_away_carries_the_error_of_images_and_real_ones() -> None:
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(400, 1)) + 1000, 2 * rng.normal(size=(300, 1))
    found = kid(x, Similar(y, linear))
    error = 2 * (x.mean() - y.mean()) * np.hypot(stats.sem(x[:, 0]), stats.sem(y[:, 0]))
    assert (found.high - found.low) / 2 == pytest.approx(stats.t.ppf(0.975, 299) * error, rel=1e-3)


def test_the_same_real_images_cancel_in_a_difference() -> None:
    """Both sides are moved by what the real mean errs; the difference by hardly anything of it."""
    rng = np.random.default_rng(8)
    a = rng.normal(size=(100, 1)) + 1000
    found = paired_kernel(a + 1, a, Similar(rng.normal(size=(50, 1)), linear), unbiased=True).difference
    # (m + 1)^2 - m^2 = 2 m + 1 with m the distance of the means.
    assert found.value == pytest.approx(2 * (a.mean()) + 1, abs=1)
    assert found.high - found.low < 2


def test_a_paired_test_is_that_of_student() -> None:
    """Where distances are squares of means, a t-test of the pairs, with its two sides and its interval."""
    rng = np.random.default_rng(9)
    a, b = rng.normal(size=(2, 200, 1)) + np.array([0.15, 0]).reshape(2, 1, 1)
    found = paired_frechet(a, b, FAR, replicates=3000)
    reference = stats.ttest_rel(a[:, 0], b[:, 0])
    assert found.p_value == pytest.approx(reference.pvalue, abs=0.02)
    ends = reference.confidence_interval()
    assert found.difference.low == pytest.approx(2000 * ends.low, rel=0.1, abs=20)
    assert found.difference.high == pytest.approx(2000 * ends.high, rel=0.1, abs=20)
    assert 0.05 < reference.pvalue < 0.5


@pytest.mark.parametrize("more", [0.0, 0.5])
def test_test_and_interval_of_a_difference_agree(more: float) -> None:
    """The interval leaves 0 out exactly where the p-value is below the level, curvature allowed for."""
    seen = set()
    for value in np.linspace(-3, 3, 61):
        found = _tested(value, 1.0, 30, method="", level=0.05, more=more)
        beyond = found.difference.low > 0 or found.difference.high < 0
        assert beyond == (found.p_value < 0.05)
        seen.add(beyond)
    assert seen == {True, False}


def test_a_gap_leans_to_the_side_on_which_its_estimates_are_unsure() -> None:
    """MOVER (Zou & Donner 2008): the lower end takes the first's lower and the second's upper arm."""
    first = Estimate(value=0.8, low=0.5, high=0.9, method="")
    second = Estimate(value=0.3, low=0.29, high=0.7, method="")
    gap, _ = gap_of({"a": first, "b": second})
    assert gap.low == pytest.approx(0.5 - np.hypot(0.3, 0.4))
    assert gap.high == pytest.approx(0.5 + np.hypot(0.1, 0.01))


def test_the_largest_of_three_gaps_is_as_sure_as_three_tests() -> None:
    known = [Estimate(value=v, low=v - 1.959964, high=v + 1.959964, method="") for v in (0.0, 1.0, 5.0)]
    gap, between = gap_of(dict(zip("abc", known, strict=True)))
    assert between == ("c", "a")
    assert gap.high - 5 == pytest.approx(stats.norm.isf(0.05 / 6) * np.sqrt(2), rel=1e-5)


def test_a_jackknife_leaves_out_groups_of_equal_size_spread_over_the_images() -> None:
    """Sixty of one kind, then twenty of another: no group may be all there is of a kind."""
    found = vendi_interval(np.repeat(np.eye(2), [60, 20], axis=0))
    assert found.value == pytest.approx(np.exp(stats.entropy([0.75, 0.25])))
    assert found.low == pytest.approx(found.value)


def test_a_ball_reaches_to_the_fifth_other_point() -> None:
    """Of powers of 3 the five nearest are the five before; the fifth lies on the edge, which is outside."""
    points = (3.0 ** np.arange(30))[:, None]
    manifold = Manifold(points)
    assert np.sqrt(manifold.radii[10:]) == pytest.approx((points[10:] - points[5:-5])[:, 0])
    assert balls_of(manifold, points).held[10:].tolist() == [5] * 20
