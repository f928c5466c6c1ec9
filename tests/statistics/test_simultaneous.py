import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fairaudit.statistics.shares import estimate_shares
from fairaudit.statistics.simultaneous import binomial_interval, goodman, joint_level, wilson


@pytest.mark.parametrize(("n", "least"), [(30, 0.924), (100, 0.927), (400, 0.931), (2000, 0.931)])
def test_raw_coverage_is_exactly_as_documented(n, least):
    shares = np.concatenate([np.geomspace(1e-4, 0.1, 500), np.linspace(0.1, 0.5, 300)])
    chance = stats.binom.pmf(np.arange(n + 1), n, shares[:, None])

    def coverage(interval):
        ends = np.array([interval(np.array([x, n - x]), 0.05) for x in range(n + 1)])[..., 0]
        return (chance * ((ends[:, 0] <= shares[:, None]) & (shares[:, None] <= ends[:, 1]))).sum(axis=1)

    covered = coverage(binomial_interval)
    assert covered.min() > least
    assert (covered < 0.93).mean() < 0.02
    assert covered[shares * n >= 4].max() < 0.98
    assert coverage(wilson).min() < 0.9  # which is why it is not Wilson's alone


def test_goodman_is_a_score_interval_at_a_shared_level():
    counts = np.array([56, 72, 73, 59, 62, 87, 58])
    low, high = goodman(counts, 0.05)
    share, n = counts / counts.sum(), counts.sum()
    quantile = stats.chi2.isf(0.05 / 7, 1)
    for ends in (low, high):  # the roots of Goodman's quadratic
        assert (share - ends) ** 2 == pytest.approx(quantile * ends * (1 - ends) / n)


@pytest.mark.parametrize("shares", [[1 / 7] * 7, [0.94] + [0.01] * 6, [0.4, 0.3, 0.3]])
@pytest.mark.parametrize("n", [30, 400])
def test_raw_intervals_hold_all_shares_at_once(shares, n):
    counts = np.random.default_rng(0).multinomial(n, shares, size=500)
    ends = [goodman(row, 0.05) for row in counts]
    held = [((low <= shares) & (shares <= high)).all() for low, high in ends]
    assert np.mean(held) > 0.93


@pytest.mark.parametrize(
    ("shares", "n", "accuracy", "faces"),
    [
        ([1 / 7] * 7, 100, 0.75, 500),
        ([0.88] + [0.02] * 6, 400, 0.9, 71),
        ([0.7, 0.2, 0.1, 0], 2000, 0.99, 125),
    ],
)
def test_corrected_intervals_hold_all_shares_at_once(shares, n, accuracy, faces):
    rng, k, held = np.random.default_rng(1), len(shares), []
    off = (1 - accuracy) / (k - 1)
    rates = off + (accuracy - off) * np.eye(k)
    for seed in range(200):
        counts, confusion = rng.multinomial(n, shares @ rates), rng.multinomial(faces, rates)
        low, high = estimate_shares(counts, confusion, replicates=500, seed=seed).simultaneous
        held.append(((low <= shares) & (shares <= high)).all())
    assert np.mean(held) > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 200)


@settings(max_examples=30)
@given(st.integers(2, 7), st.integers(1, 200), st.booleans(), st.integers(0, 2**32 - 1))
def test_simultaneous_intervals_contain_those_of_each_value(k, n, corrected, seed):
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(n, rng.dirichlet(np.full(k, 0.5)))
    confusion = rng.multinomial(60, 0.2 / k + 0.8 * np.eye(k)) if corrected else None
    found = estimate_shares(counts, confusion, replicates=200)
    if found.value is None:
        return
    low, high = found.simultaneous
    assert (low >= 0).all()
    assert (high <= 1).all()
    assert (low <= found.low + 1e-12).all()
    assert (high >= found.high - 1e-12).all()
    if k == 2:
        assert low == pytest.approx(found.low)


def test_the_joint_level_lies_between_one_value_and_bonferroni():
    draws = np.random.default_rng(2).normal(size=(20000, 5))
    assert joint_level(draws, 0.05) == pytest.approx(1 - 0.95 ** (1 / 5), rel=0.15)
    assert joint_level(np.repeat(draws[:, :1], 5, axis=1), 0.05) == pytest.approx(0.05, rel=0.05)


def test_a_corrected_interval_is_the_raw_one_where_nothing_is_confused():
    counts = np.array([0, 3, 40, 57])
    low, high = estimate_shares(counts, 10**7 * np.eye(4), replicates=20000).simultaneous
    raw = goodman(counts, 0.05)
    assert low == pytest.approx(raw[0], abs=0.02)
    assert high == pytest.approx(raw[1], abs=0.02)
