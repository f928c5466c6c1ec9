"""The power of `goodness_of_fit`: how often a generator that is off target is found to be."""

from __future__ import annotations

import numpy as np
from scipy import stats

from fairaudit.statistics.correction import Array, prediction_rates
from fairaudit.statistics.discrepancy import furthest

_DRAWS = 4000

_MANY = 100
"""Images from which on the null distribution of the distance is taken to be chi-square."""


def alternatives(target: Array, discrepancy: float) -> Array:
    """Shares (m, K) that are `discrepancy` off in one value, the others in proportion to their target.

    Raises
    ------
    ValueError
        If there are none.
    """
    found = []
    for k, share in enumerate(target):
        others = np.where(np.arange(len(target)) == k, 0, target)
        if share < 1:
            direction = np.eye(len(target))[k] - others / (1 - share)
            step = discrepancy * direction / np.linalg.norm(direction)
            found += [target + step, target - step]
    feasible = np.array([shares for shares in found if shares.min() >= -1e-9])
    if not len(feasible):
        raise ValueError(
            f"no value alone can be off by {discrepancy:g}; the largest discrepancy is {furthest(target):.2g}"
        )
    clipped = np.clip(feasible, 0, 1)
    return np.asarray(clipped / clipped.sum(axis=1, keepdims=True))


def exact_power(n: int, null: Array, truth: Array, level: float) -> float:
    """Of the exact binomial test on n images: whatever is as unlikely as an outcome counts against it."""
    outcomes = np.arange(n + 1)
    likely = stats.binom.pmf(outcomes, n, null[0])
    order = np.argsort(likely)
    sums = np.cumsum(likely[order])
    ties = np.searchsorted(likely[order], likely * (1 + 1e-7), side="right") - 1
    return float(stats.binom.pmf(outcomes, n, truth[0])[sums[ties] < level].sum())


def simulated_power(n: int, null: Array, truth: Array, errors: Array, level: float) -> float:
    """Of the tests by Mahalanobis distance (without calibration errors that is chi-square).

    Parameters
    ----------
    n
        Images. The draws are the same for every n.
    null, truth
        (K,) label shares of a generator on target, and of this one.
    errors
        (K, K) covariance that the calibration adds to the former, from `null_errors`.
    level
        Significance level.
    """
    rng = np.random.default_rng(0)
    off = rng.multivariate_normal(np.zeros(len(null)), errors, size=_DRAWS, method="eigh")
    covariance = ((np.diag(null) - np.outer(null, null)) / n + errors)[:-1, :-1]
    inverse = np.linalg.pinv(covariance, hermitian=True)

    def distances(shares: Array) -> Array:
        rates = np.maximum(shares + off, 0)
        drawn = (rng.multinomial(n, rates / rates.sum(axis=1, keepdims=True)) / n - null)[:, :-1]
        return np.asarray(np.einsum("ni,ij,nj->n", drawn, inverse, drawn))

    found = distances(truth)
    if n >= _MANY or level * _DRAWS < 10:
        return float((found > stats.chi2.isf(level, len(null) - 1)).mean())
    expected = np.sort(distances(null))
    exceeding = _DRAWS - np.searchsorted(expected, found * (1 - 1e-9))
    return float(((exceeding + 1) / (_DRAWS + 1) < level).mean())


def null_errors(target: Array, confusion: Array) -> Array:
    """Covariance (K, K) that calibration counts leave in the label shares of a generator on target."""
    smooth, rows = prediction_rates(confusion + 1 / len(target)), confusion.sum(axis=1)
    each = smooth[:, :, None] * (np.eye(len(target)) - smooth[:, None, :]) / (rows[:, None, None] + 2)
    return np.asarray((target[:, None, None] ** 2 * each).sum(axis=0))
