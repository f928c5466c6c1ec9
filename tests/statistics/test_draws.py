"""Draws of counts have the distribution that they are for, however they are made quick."""

import numpy as np
import pytest
from scipy import stats

from fairaudit.statistics.discrepancy import discrepancy_draws
from fairaudit.statistics.draws import Deviations, Gammas, coins, mean_square, normalise
from fairaudit.statistics.pairs import marginals, reweight, swap

M = 40_000
TABLE = np.array([[9, 3, 0, 1], [2, 4, 0, 0], [1, 0, 0, 2], [0, 1, 0, 3]])  # three values and "none"


@pytest.mark.parametrize("shape", [0.05, 0.5, 1.0, 4.3, 60.0])
@pytest.mark.parametrize("times", [1, 5])
def test_gammas_are_gammas_from_the_table_too(shape, times):
    found = Gammas([shape] * times, M, np.random.default_rng(0))(shape)
    assert found.mean() == pytest.approx(shape, rel=0.02 / min(shape, 1))
    assert found.var() == pytest.approx(shape, rel=0.05 / min(shape, 1) ** 0.5)
    levels = [0.025, 0.1, 0.5, 0.9, 0.975]
    assert stats.gamma.cdf(np.quantile(found, levels), shape) == pytest.approx(levels, abs=0.01)


@pytest.mark.parametrize("n", [1, 7, 15, 40])
def test_coins_fall_half_the_time(n):
    found = coins(n, M, np.random.default_rng(1))
    assert found.mean() == pytest.approx(n / 2, rel=0.02)
    assert found.var() == pytest.approx(n / 4, rel=0.04)
    assert set(np.unique(found)) <= set(range(n + 1))


def test_exchanges_keep_what_both_have_and_are_fair():
    found = swap(TABLE, M, np.random.default_rng(2))
    counts = marginals(TABLE)
    assert (found.sum(axis=0) == counts.sum(axis=0)[:, None]).all()
    assert found.mean(axis=2) == pytest.approx(np.tile(counts.sum(axis=0) / 2, (2, 1)), abs=0.05)
    # Every changed pair moves its value by one half up or down.
    changes = TABLE + TABLE.T - 2 * np.diag(np.diag(TABLE))
    assert found.var(axis=2)[0] == pytest.approx(changes.sum(axis=1)[:3] / 4, rel=0.05)


@pytest.mark.parametrize("k", [3, 6])
def test_reweighted_pairs_vary_as_shares_do(k):
    """Few values, where every pair of them is drawn, and more, where the unseen ones are lumped."""
    table = np.zeros((k + 1, k + 1), dtype=np.int64)
    table[:3, :3], table[-1, :3], table[:3, -1] = TABLE[:3, :3], TABLE[3, :3], TABLE[:3, 3]
    n, labels = table.sum(), marginals(table)
    (weights,) = reweight(table[None], M, np.random.default_rng(3), priors=1)
    prior = np.full(k, 1 / k)
    expected = (labels * (n - 2) / n + prior) * n / (n - 1)
    assert weights.mean(axis=2) == pytest.approx(expected, abs=0.06)
    share = weights[0, 0] / n
    p = expected[0, 0] / n
    assert share.var() == pytest.approx(p * (1 - p) / n, rel=0.06)


def test_deviations_are_the_draws_of_the_discrepancy():
    rng = np.random.default_rng(4)
    centres, goal = rng.dirichlet(np.ones(3), size=5), np.full(3, 1 / 3)
    drawn = rng.dirichlet(np.full(3, 9), size=(5, 200))
    sums = Deviations(centres, goal, 200)
    for prompt in range(5):
        sums.add(prompt, drawn[prompt].T.astype(np.float32))
    scale = 1 / np.sqrt(5)
    flat = drawn.transpose(1, 0, 2).reshape(200, -1) * scale
    plain = discrepancy_draws(centres.ravel() * scale, flat, np.tile(goal, 5) * scale)
    assert sums.discrepancies(2.0) == pytest.approx(plain, abs=1e-5)


@pytest.mark.parametrize("confused", [False, True])
def test_the_mean_square_is_that_of_draws(confused):
    rng = np.random.default_rng(5)
    shapes, centres = rng.gamma(4, size=(3, 4)), rng.dirichlet(np.ones(4), size=3)
    inverses = rng.normal(size=(4, 4, 50)).astype(np.float32) if confused else None
    squares = []
    for shape, centre in zip(shapes, centres, strict=True):
        drawn = rng.dirichlet(shape, size=M)
        if inverses is not None:
            drawn = np.einsum("mk,klm->ml", drawn, np.tile(inverses, M // 50))
        squares.append(((drawn - centre) ** 2).sum(axis=1).mean())
    assert mean_square(shapes, centres, inverses) == pytest.approx(np.mean(squares), rel=0.03)


def test_weights_of_nothing_are_shares_all_the_same():
    shares = normalise(np.zeros((2, 3), dtype=np.float32))
    assert shares.sum(axis=0) == pytest.approx([1, 1, 1])
